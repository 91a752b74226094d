"""POST /generate_style: a few bars from nothing in some styles, as notes and as sound."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from midigpt_cli.parse.jam_messages import CHANGING, check_keys, read_start
from midigpt_cli.parse.jam_prompt import understood_in
from midigpt_cli.parse.magenta import translated
from midigpt_cli.server.body import check_id, read_message
from midigpt_cli.server.chunk_audio import SoundRequest, in_words
from midigpt_cli.server.event_stream import until_answered
from midigpt_cli.server.http_errors import RefusalError, busy, request_id
from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_cli.server.request_models import ConfigModel, body_of
from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.routes.generate import client_of, reply
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.shared_descriptions import MODEL, REQUEST_ID, SEED, UNDERSTOOD, UNUSED
from midigpt_cli.server.state import state_of
from midigpt_cli.server.work import STOPPING, Rendered, Work
from midigpt_core import trace
from midigpt_core.audio.audio_files import pcm_wav
from midigpt_core.audio.levels import normalised
from midigpt_core.audio.synthesis import synthesise
from midigpt_core.errors import CancelledError
from midigpt_core.fields import read, same, setting
from midigpt_core.generation.request_plan import draw_seed
from midigpt_core.generation.run import Timing
from midigpt_core.jam import RESOLUTION, Jam, JamSettings
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.music import tempo_of
from midigpt_core.score import Score

router = APIRouter(tags=["generation"])
BARS = "number of bars to return"
INTRO = "number of bars to write before them and leave out"
SOUND = "also return the rendered sound"
_JAM = tuple(key for key in (*CHANGING, "metre", "tracks") if key not in ("late", "bars_per_chunk", "ramp_seconds"))


@dataclass(frozen=True)
class StyleRequest:
    """What /generate_style takes beside the fields of a jam."""

    bars: int = setting(8, BARS, 1, 64)
    intro_bars_to_drop: int = setting(0, INTRO, 0, 64)
    audio: bool = setting(True, SOUND)
    audio_rate: int = same(SoundRequest, "audio_rate")
    model: str | None = setting(None, MODEL)
    request_id: str | None = setting(None, REQUEST_ID)


class StyleBody(BaseModel):
    """Styles or a prompt, and the number of bars; other fields as in JamStart."""

    model_config = ConfigDict(extra="allow")

    styles: str | list[str] | None = Field(None, description="styles to mix", examples=["jazz"])
    style_weights: str | list[float] | None = Field(None, description="one weight per style (default: equal weights)")
    prompt: str | None = Field(None, description="text prompt instead of styles, such as slow jazz piano")
    bpm: float | None = Field(None, description="tempo in quarter notes per minute (default: the style's)")
    bars: int = Field(8, ge=1, le=64, description=BARS)
    intro_bars_to_drop: int = Field(0, ge=0, le=64, description=INTRO)
    audio: bool = Field(True, description=SOUND)
    config: ConfigModel | None = Field(None, description="sampling settings; they may also stand at the top level")


class StyleAnswer(BaseModel):
    """The bars that were written."""

    request_id: str = Field(description="id of the request")
    model: str = Field(description="id of the model")
    seed: int = Field(description=SEED)
    midi: str = Field(description="the bars as a base64 .mid file")
    audio_base64: str | None = Field(None, description="a .wav file exactly as long as the bars")
    metadata: dict[str, Any] = Field(description="bars, tempo and sample rate of the sound")
    understood: dict[str, Any] | None = Field(None, description=UNDERSTOOD)
    unused: list[str] | None = Field(None, description=UNUSED)


@router.post(
    "/generate_style",
    summary="Write bars in given styles",
    responses={**json_answer(StyleAnswer), **ERRORS},
    openapi_extra=body_of("StyleBody"),
)
async def generate_style(request: Request) -> Response:
    """Write bars from nothing in the given styles, all parts together. The body is JSON or a form."""
    state = state_of(request)
    data, unused = translated(await read_message(request))
    check_keys(data, (*_JAM, *_OWN))
    own, jam = read(StyleRequest, {k: data[k] for k in data if k in _OWN}, ""), {k: data[k] for k in data if k in _JAM}
    request.state.request_id = check_id(own.request_id) or request_id(request)
    entry = state.models.get(own.model)
    state.queue.check_room(client_of(request))
    session = await state.queue.in_thread(lambda: prepare(entry, own, jam))
    check_length(session.seconds, state.settings)
    told: dict[str, Any] = {"unused": list(unused)} if unused else {}
    understood = understood_in(jam)
    told |= {"understood": understood.to_dict()} if understood else {}
    work = Work(request_id(request), "style", entry, session, client_of(request), finish_as(own, told), lambda _: None)
    outcome = await until_answered(request, work, state.queue.admit(work))
    if outcome.status == "cancelled" and outcome.reason != STOPPING:
        raise busy(f"stopped before the bars were finished: {outcome.reason}", 409)
    return reply(outcome)


_OWN = tuple(StyleRequest.__dataclass_fields__)


def prepare(entry: ModelEntry, own: StyleRequest, jam: Mapping[str, Any]) -> StyleSession:
    """A checked session. Raises RefusalError, RequestValidationError."""
    settings = read_start(jam, None)
    if not settings.tracks:
        raise RefusalError(422, "styles is missing; name styles such as jazz, a prompt, or tracks", field="styles")
    total = own.bars + own.intro_bars_to_drop
    longest = max(entry.engine.tokenizer.config.num_bars_map, default=8) // 2
    at_once = max(count for count in range(1, longest + 1) if total % count == 0)
    seed = settings.config.seed if settings.config.seed >= 0 else draw_seed()
    settings = replace(settings, bars_per_chunk=at_once, config=replace(settings.config, seed=seed))
    return StyleSession(Jam(entry.engine, settings), total, own.intro_bars_to_drop)


def check_length(seconds: float, settings: ServerSettings) -> None:
    """Refuse bars that play longer than this server renders. Raises RefusalError (422)."""
    if seconds > settings.max_render_seconds:
        most = settings.max_render_seconds
        raise RefusalError(
            422, f"bars would play {seconds:.0f} s; this server renders {most:g} s (max_render_seconds)", field="bars"
        )


class StyleSession:
    """Bars from nothing, a few at a time, run by a worker as a session is."""

    def __init__(self, jam: Jam, total: int, dropped: int) -> None:
        self.jam, self.total, self.dropped = jam, total, dropped
        self.listener: trace.Listener = trace.ignore
        self.cancel_event = threading.Event()
        self.timing, self.gen_count, self.token_count = Timing(), 0, 0

    @property
    def seconds(self) -> float:
        """How long the bars play."""
        return (self.total - self.dropped) * self.settings.bar_quarters * 60 / self.settings.bpm

    @property
    def settings(self) -> JamSettings:
        return self.jam.settings

    def run_takes(self) -> Score:
        """The bars. Raises CancelledError, GenerationError."""
        self.jam.cancel_event = self.cancel_event
        parts: list[list[Any]] = [[] for _ in self.settings.tracks]
        while self.jam.bar < self.total:
            if self.cancel_event.is_set():
                raise CancelledError("stopped between two chunks")
            self.gen_count = self.jam.bar * len(parts)
            for bars, track in zip(parts, self.jam.next_chunk().score.tracks, strict=True):
                bars += track.bars
        tracks = [
            replace(track, bars=bars[self.dropped :]) for track, bars in zip(self.settings.tracks, parts, strict=True)
        ]
        return Score(tracks, RESOLUTION, tempo_of(self.settings.bpm))


def finish_as(own: StyleRequest, told: Mapping[str, Any]) -> Any:
    """Makes the answer, in the worker's thread."""

    def finish(work: Work, score: Any) -> Rendered:
        settings: JamSettings = work.session.settings  # type: ignore[attr-defined]
        file = score_to_bytes(score)
        seconds = sum(bar.ticks(RESOLUTION) for bar in score.tracks[0].bars) * score.tempo / RESOLUTION / 1e6
        sound = {}
        if own.audio:
            wave = normalised(synthesise(file, own.audio_rate, seconds, wrap_tail=False))
            sound = {"audio_base64": in_words(pcm_wav(wave, own.audio_rate))}
        facts = {
            "bpm": settings.bpm,
            "bars": own.bars,
            "beats_per_bar": settings.metre[0],
            "metre": list(settings.metre),
            "seconds": round(seconds, 6),
            "sample_rate": own.audio_rate,
            "instruments": [track.name for track in score.tracks],
        }
        body = {
            "request_id": work.id,
            "model": work.label,
            "seed": settings.config.seed,
            "midi": base64.b64encode(file).decode("ascii"),
            **sound,
            "metadata": facts,
            **told,
        }
        return Rendered(to_json(body))

    return finish
