"""The shapes of jam messages and answers, for OpenAPI."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from midigpt_cli.live.jam_session import Pacing
from midigpt_cli.server.chunk_audio import RATES
from midigpt_cli.server.request_models import ConfigModel, ScoreModel
from midigpt_cli.server.shared_descriptions import MODEL, UNDERSTOOD, UNUSED
from midigpt_core.fields import limits_of
from midigpt_core.jam import JamSettings

_BPM, _AHEAD = limits_of(JamSettings, "bpm"), limits_of(Pacing, "ahead")
_RAMP = limits_of(JamSettings, "ramp_seconds")
_OPEN = ConfigDict(extra="allow")  # any field of config may stand beside it too
_ID = Field(description="the jam, by the id that POST /jam/start returned")
_LATE = "what is played instead of a chunk that is late: the chunk before it (repeat), silence (rest) or nothing (skip)"


class JamTrack(BaseModel):
    """One part of a jam."""

    model_config = ConfigDict(extra="forbid")

    instrument: int | str = Field(
        0, description="General MIDI program, from 0, or its name", examples=["acoustic bass"]
    )
    drums: bool = Field(False, description="a drum part")
    name: str = Field("", description="name of the part (default: the instrument's)")
    attributes: dict[str, int] = Field(default_factory=dict, description="attribute levels, such as note_density")
    controls: dict[str, Any] = Field(default_factory=dict, description="constraints, such as pitch_mask or rhythm_mask")


class JamChange(BaseModel):
    """What may change during a jam."""

    model_config = _OPEN

    bpm: float = Field(
        JamSettings.bpm, title="Tempo", ge=_BPM["min"], le=_BPM["max"], description="tempo in quarter notes per minute"
    )
    bars_per_chunk: int = Field(
        1, title="Bars at a time", ge=1, description="bars written at a time, at most half the model's longest window"
    )
    prompt: str | None = Field(
        None,
        title="Describe the music",
        description="text prompt, such as slow jazz piano in C minor; other fields override it",
    )
    styles: str | list[str] | None = Field(None, description="styles to mix, instead of a prompt")
    style_weights: str | list[float] | None = Field(None, description="one weight per style (default: equal weights)")
    late: Literal["repeat", "rest", "skip"] = Field("repeat", title="When late", description=_LATE)
    ramp_seconds: float = Field(
        0.0, ge=_RAMP["min"], le=_RAMP["max"], description="seconds over which the tempo changes (0: at once)"
    )
    attributes: dict[str, dict[str, int]] = Field(default_factory=dict, description="attribute levels by track, from 0")
    controls: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="constraints by track, from 0, such as pitch_mask"
    )
    config: ConfigModel = Field(
        default_factory=ConfigModel,
        description="sampling settings; they may also stand at the top level: temperature, top_k, seed, ...",
    )


class JamStart(JamChange):
    """Settings to start a jam with. With a song, settings left out are taken from it."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"bpm": 120, "tracks": [{"drums": True}, {"instrument": "acoustic bass"}], "pace": "asap"}]
        },
    )

    metre: str | list[int] = Field("4/4", description="time signature", examples=["4/4"])
    tracks: list[JamTrack] = Field(default_factory=list, description="the parts to write")
    pace: Literal["realtime", "asap"] = Field(
        "realtime", description="write against the clock, or as fast as chunks are taken"
    )
    ahead: int = Field(Pacing.ahead, ge=_AHEAD["min"], le=_AHEAD["max"], description="most chunks written in advance")
    score: ScoreModel | None = Field(None, description="a song to continue")
    midi: str | None = Field(None, description="a song to continue, as a base64 .mid file")
    chunk_midi: bool = Field(False, description="send each chunk as a base64 .mid file, too")
    audio: bool | Literal["binary"] = Field(
        False,
        description="send the sound of each chunk, too: in base64, or over a websocket in a binary frame before the "
        "message (binary)",
    )
    audio_rate: int = Field(48_000, ge=RATES[0], le=RATES[1], description="sample rate of that sound in Hz")
    model: str | None = Field(None, description=MODEL)


class JamUpdate(JamChange):
    """Settings to change in a running jam."""

    session_id: str = _ID


class JamReseed(BaseModel):
    """The last bars as they were actually played; the jam continues from them."""

    model_config = ConfigDict(extra="forbid")

    session_id: str = _ID
    score: ScoreModel | None = Field(None, description="these bars as score JSON")
    midi: str | None = Field(None, description="these bars as a base64 .mid file")


class JamConsume(BaseModel):
    """How far the jam has been played."""

    model_config = ConfigDict(extra="forbid")

    session_id: str = _ID
    index: int = Field(ge=0, description="number of the last chunk played, from 0")


class JamStop(BaseModel):
    """The jam to end."""

    model_config = ConfigDict(extra="forbid")

    session_id: str = _ID


class StartedAnswer(BaseModel):
    """A jam that has started."""

    session_id: str = Field(description="id of the jam for all further calls")
    model: str = Field(description="id of the model")
    bpm: float = Field(description="tempo in quarter notes per minute")
    metre: list[int] = Field(description="time signature, such as [4, 4]")
    bars_per_chunk: int = Field(description="bars written at a time")
    chunk_seconds: float = Field(description="length of a chunk in seconds")
    tracks: list[dict[str, Any]] = Field(description="the parts: name, instrument, track_type")
    pace: str = Field(description="realtime or asap")
    ahead: int = Field(description="most chunks written in advance")
    late: str = Field(description=_LATE)
    expires_seconds: float | None = Field(
        description="the jam ends after this many seconds without a call (null: when its connection closes)"
    )
    version: int = Field(description="version of the settings; each change adds 1")
    understood: dict[str, Any] | None = Field(None, description=UNDERSTOOD)
    unused: list[str] | None = Field(None, description=UNUSED)


class StatusAnswer(StartedAnswer):
    """The state of a jam."""

    state: str = Field(description="running, stopped, expired or failed")
    next_index: int = Field(description="number of the next chunk, from 0")
    consumed: int = Field(description="number of the last chunk that was acknowledged (-1: none)")
    ready: int = Field(description="chunks that are written and not yet taken")
    writing: bool = Field(description="a chunk is being written")
    late_chunks: dict[str, int] = Field(description="number of late chunks, in total and by policy")
    latency_ms: dict[str, float | None] = Field(description="milliseconds taken to write a chunk: p50, p99")


class ChunkTrack(BaseModel):
    """One part of a chunk."""

    name: str = Field(description="name of the part")
    instrument: int = Field(description="General MIDI program, from 0")
    track_type: str = Field(description="melodic or drum")
    notes: list[list[int]] = Field(description="[pitch, velocity, onset, duration] in ticks from the chunk's start")


class ChunkAnswer(BaseModel):
    """A few bars of a jam."""

    index: int = Field(description="number of the chunk, from 0; only skipped chunks leave a gap")
    start_bar: int = Field(description="first bar of the chunk, from 0")
    bars: int = Field(description="length in bars")
    ticks: int = Field(description="length in ticks")
    resolution: int = Field(description="ticks per quarter note")
    bpm: float = Field(description="tempo in quarter notes per minute")
    seed: int = Field(description="seed that the chunk was written with")
    version: int = Field(description="version of the settings that the chunk was written with")
    latency_ms: float = Field(description="milliseconds taken to write the chunk")
    cut: int = Field(description="number of notes shortened because they would sound past the end of the chunk")
    late: Literal["repeat", "rest"] | None = Field(description="set if this chunk replaces one that was late")
    skipped: int = Field(description="number of chunks skipped just before this one")
    tracks: list[ChunkTrack] = Field(description="the notes of each part")
    midi: str | None = Field(None, description="the chunk as a base64 .mid file")
    audio_base64: str | None = Field(
        None, description="a .wav file exactly as long as the chunk; notes that still ring continue in the next one"
    )
    metadata: dict[str, Any] | None = Field(None, description="of the sound: sample_rate, total_samples, bars, bpm")
    chunk: dict[str, Any] | None = Field(
        None, description="index, audio_base64 and metadata again, as Magenta RT sends"
    )


class ChangedAnswer(BaseModel):
    """When a change takes effect."""

    session_id: str = Field(description="id of the jam")
    version: int = Field(description="version of the settings after the change")
    chunk: int = Field(description="number of the first chunk written with the change; one later for each late chunk")
    understood: dict[str, Any] | None = Field(None, description=UNDERSTOOD)
    unused: list[str] | None = Field(None, description=UNUSED)


class StoppedAnswer(BaseModel):
    """The jams that were ended."""

    stopped: int = Field(description="number of jams")


class ConsumedAnswer(BaseModel):
    """Which chunks are still available."""

    session_id: str = Field(description="id of the jam")
    consumed: int = Field(description="number of the last chunk that was acknowledged")
    kept: int = Field(description="number of chunks that can still be asked for")


JAM_BODIES: list[type[BaseModel]] = [JamStart, JamUpdate, JamReseed, JamConsume, JamStop]
