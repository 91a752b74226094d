"""The shapes of jam messages and answers, for OpenAPI."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from midigpt_cli.live.jam_session import Pacing
from midigpt_cli.server.chunk_audio import RATES
from midigpt_cli.server.request_models import ConfigModel, ScoreModel
from midigpt_core.fields import limits_of
from midigpt_core.jam import JamSettings

_BPM, _AHEAD = limits_of(JamSettings, "bpm"), limits_of(Pacing, "ahead")
_OPEN = ConfigDict(extra="allow")  # any field of config may stand beside it too
_ID = Field(description="as POST /jam/start answered")


class JamTrack(BaseModel):
    """One part of a jam."""

    model_config = ConfigDict(extra="forbid")

    instrument: int | str = Field(0, description="program from 0, or a General MIDI name", examples=["acoustic bass"])
    drums: bool = False
    name: str = ""
    attributes: dict[str, int] = Field(default_factory=dict, description="control values, such as note_density")
    controls: dict[str, Any] = Field(default_factory=dict, description="pitch_mask, rhythm_mask, ...")


class JamChange(BaseModel):
    """What may change during a jam."""

    model_config = _OPEN

    bpm: float = Field(JamSettings.bpm, ge=_BPM["min"], le=_BPM["max"], description="quarter notes per minute")
    bars_per_chunk: int = Field(1, ge=1)
    prompt: str | None = Field(None, description="in words what is not said otherwise: slow jazz piano in C minor")
    styles: str | list[str] | None = Field(None, description="instead of prompt: styles, mixed by style_weights")
    style_weights: str | list[float] | None = Field(None, description="one for each style; all alike if left out")
    late: Literal["repeat", "rest", "skip"] = Field("repeat", description="what to play when a chunk is late")
    ramp_seconds: float = Field(0.0, ge=0, description="seconds of music in which a change of tempo is reached")
    attributes: dict[str, dict[str, int]] = Field(default_factory=dict, description="control values by track")
    controls: dict[str, dict[str, Any]] = Field(default_factory=dict, description="pitch_mask, ... by track")
    config: ConfigModel = Field(
        default_factory=ConfigModel,
        description="sampling; its fields may stand beside it too: temperature, top_k, seed, ...",
    )


class JamStart(JamChange):
    """What a jam starts with; from a song, what is not said is the song's."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"bpm": 120, "tracks": [{"drums": True}, {"instrument": "acoustic bass"}], "pace": "asap"}]
        },
    )

    metre: str | list[int] = Field("4/4", examples=["4/4"])
    tracks: list[JamTrack] = Field(default_factory=list)
    pace: Literal["realtime", "asap"] = "realtime"
    ahead: int = Field(Pacing.ahead, ge=_AHEAD["min"], le=_AHEAD["max"], description="most chunks written ahead")
    score: ScoreModel | None = Field(None, description="a song to go on from")
    midi: str | None = Field(None, description="the same as a base64 .mid file")
    chunk_midi: bool = Field(False, description="chunks carry a base64 .mid file")
    audio: bool | Literal["binary"] = Field(
        False, description="chunks carry their sound: base64, or over a websocket in a binary frame before the message"
    )
    audio_rate: int = Field(48_000, ge=RATES[0], le=RATES[1], description="samples per second of that sound")
    model: str | None = None


class JamUpdate(JamChange):
    """A change of a jam."""

    session_id: str = _ID


class JamReseed(BaseModel):
    """The last bars as they were really played."""

    model_config = ConfigDict(extra="forbid")

    session_id: str = _ID
    score: ScoreModel | None = None
    midi: str | None = Field(None, description="a .mid file in base64")


class JamConsume(BaseModel):
    """The last chunk that was played."""

    model_config = ConfigDict(extra="forbid")

    session_id: str = _ID
    index: int = Field(ge=0)


class JamStop(BaseModel):
    """The jam to end."""

    model_config = ConfigDict(extra="forbid")

    session_id: str = _ID


class StartedAnswer(BaseModel):
    """A jam that has been started."""

    session_id: str
    model: str
    bpm: float
    metre: list[int]
    bars_per_chunk: int
    chunk_seconds: float
    tracks: list[dict[str, Any]]
    pace: str
    ahead: int
    late: str = Field(description="what is played when a chunk is late: repeat, rest or skip")
    expires_seconds: float | None = Field(description="without a sign of life; null: while the connection is open")
    version: int
    understood: dict[str, Any] | None = Field(None, description="what was read of prompt or styles")
    unused: list[str] | None = Field(None, description="fields that are accepted and mean nothing here")


class StatusAnswer(StartedAnswer):
    """Where a jam stands."""

    state: str = Field(description="running, stopped, expired or failed")
    next_index: int
    consumed: int = Field(description="-1: nothing yet")
    ready: int
    writing: bool
    late_chunks: dict[str, int] = Field(description="chunks that were not ready at their place: total, and by policy")
    latency_ms: dict[str, float | None] = Field(description="time to write a chunk: p50, p99")


class ChunkTrack(BaseModel):
    """One part of a chunk."""

    name: str
    instrument: int
    track_type: str
    notes: list[list[int]] = Field(description="[pitch, velocity, onset, duration] in ticks from the chunk's start")


class ChunkAnswer(BaseModel):
    """A few bars."""

    index: int = Field(description="place, from 0; places follow one another without a gap, skipped ones apart")
    start_bar: int
    bars: int
    ticks: int
    resolution: int = Field(description="ticks per quarter note")
    seed: int
    version: int = Field(description="of the settings it was written under")
    latency_ms: float = Field(description="time it took to write")
    cut: int = Field(description="notes that would have sounded past the end")
    late: Literal["repeat", "rest"] | None = Field(description="set where it stands in for a chunk that was not ready")
    skipped: int = Field(description="places left out just before")
    tracks: list[ChunkTrack]
    midi: str | None = None
    audio_base64: str | None = Field(None, description="a wav file as long as the bars; tails ring on in the next")
    metadata: dict[str, Any] | None = Field(None, description="of the sound: sample_rate, total_samples, bars, bpm")
    chunk: dict[str, Any] | None = Field(None, description="index, audio_base64 and metadata once more")


class ChangedAnswer(BaseModel):
    """Since when a change is heard."""

    session_id: str
    version: int
    chunk: int = Field(description="index of the first chunk that heeds it; a late chunk moves it on")
    understood: dict[str, Any] | None = Field(None, description="what was read of prompt or styles")
    unused: list[str] | None = Field(None, description="fields that are accepted and mean nothing here")


class StoppedAnswer(BaseModel):
    """How many jams were ended."""

    stopped: int


class ConsumedAnswer(BaseModel):
    """What is still kept."""

    session_id: str
    consumed: int
    kept: int


JAM_BODIES: list[type[BaseModel]] = [JamStart, JamUpdate, JamReseed, JamConsume, JamStop]
