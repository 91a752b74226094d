"""POST /loop: variations of a few bars that loop without a seam."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from midigpt_cli.parse.jam import check_keys, song_in
from midigpt_cli.server.body import check_id, read_json
from midigpt_cli.server.errors import RefusalError, busy, request_id
from midigpt_cli.server.events import until_answered
from midigpt_cli.server.limits import check_lanes, check_song, read_limits
from midigpt_cli.server.models import ModelEntry
from midigpt_cli.server.queue import STOPPING, Rendered, Work
from midigpt_cli.server.request_models import ConfigModel, PromptModel, ScoreModel, body_of
from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.routes.generate import client_of, reply
from midigpt_cli.server.settings import ServerSettings
from midigpt_cli.server.state import state_of
from midigpt_core import trace
from midigpt_core.engine import InferenceEngine, SamplingSession
from midigpt_core.errors import CancelledError
from midigpt_core.generation.validate import check_request
from midigpt_core.loop import LoopRequest, Variation, check_loop, loop
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.midi_file.excerpt import excerpt
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt, refused
from midigpt_core.score import Score

router = APIRouter(tags=["generation"])
FORMATS = ("score", "midi")


class LoopBody(BaseModel):
    """A song and which of its bars to loop; tracks and bars count from 0."""

    model_config = ConfigDict(extra="forbid")

    score: ScoreModel | None = None  # type: ignore[valid-type]
    midi: str | None = Field(None, description="the song as a base64 .mid file, instead of score")
    first: int = Field(0, ge=0, description="first bar of the loop")
    end: int | None = Field(None, ge=1, description="one past its last bar; the song's end if left out")
    tracks: list[int] | None = Field(None, description="tracks to write; all if left out")
    variations: int = Field(4, ge=1, le=20)
    seam: Literal["cut", "wrap"] = Field("cut", description="notes over the seam end there, or sound on at the start")
    bpm: float | None = Field(None, ge=40, le=300, description="quarter notes per minute; the song's if left out")
    prompts: list[PromptModel] = Field(  # type: ignore[valid-type]
        default_factory=list, description="attributes and controls by track; their bars are those of the loop"
    )
    config: ConfigModel = Field(default_factory=dict)  # type: ignore[valid-type]
    format: Literal["score", "midi"] = Field("score", description="of the variations: JSON, or base64 .mid files")
    model: str | None = None
    request_id: str | None = None


class VariationAnswer(BaseModel):
    """One loop."""

    number: int
    seed: int
    logprob: float
    seam: float = Field(description="mean log-probability per token of the first bar after the last")
    accepted: bool
    rejected: list[str]
    score: ScoreModel | None = None  # type: ignore[valid-type]
    midi: str | None = None


class LoopAnswer(BaseModel):
    """Variations, all equally long."""

    request_id: str
    model: str
    bars: int
    ticks: int
    resolution: int
    variations: list[VariationAnswer]


@router.post(
    "/loop",
    summary="Write variations that loop",
    responses={**json_answer(LoopAnswer), **ERRORS},
    openapi_extra=body_of("LoopBody"),
)
async def loops(request: Request) -> Response:
    """Variations of some bars of a song, equal in length to the tick, any of which may follow any other.

    To loop from nothing, send a score of empty bars.
    """
    state, data = state_of(request), await read_json(request)
    check_keys(data, LoopBody.model_fields)
    entry = state.models.get(_word(data, "model"))
    request.state.request_id = check_id(_word(data, "request_id")) or request_id(request)
    state.queue.check_room(client_of(request))
    session = await state.queue.in_thread(lambda: prepare(entry, data, state.settings))
    finish = finish_as(data.get("format", "score"))
    work = Work(request_id(request), "loop", entry, session, client_of(request), finish, lambda _: None)
    outcome = await until_answered(request, work, state.queue.admit(work))
    if outcome.status == "cancelled" and outcome.reason != STOPPING:
        raise busy(f"stopped before the loops were finished: {outcome.reason}", 409)
    return reply(outcome)


class LoopSession(SamplingSession):
    """All variations of a loop, run as one session."""

    def __init__(self, engine: InferenceEngine, song: Score, loop_request: LoopRequest) -> None:
        """Raises RequestValidationError where the loop's bars cannot be written so."""
        self.song, self.loop_request, self.tokens = song, loop_request, 0
        bars = list(range(loop_request.end - loop_request.first))
        prompts = [
            replace(loop_request.prompts.get(t, TrackPrompt(t)), bars=bars if t in loop_request.tracks else [])
            for t in range(len(song.tracks))
        ]
        part = excerpt(song, loop_request.first, loop_request.end)
        request = GenerationRequest(prompts, loop_request.config)
        check_request(request, part, engine.tokenizer.config, engine.tokenizer.attributes)
        config = replace(loop_request.config, num_candidates=loop_request.variations)
        super().__init__(engine, part, replace(request, config=config))

    @property
    def gen_count(self) -> int:
        return self.tokens

    def run_takes(self) -> Any:
        """The variations."""

        def follow(event: trace.Event) -> None:
            if isinstance(event, trace.StepDone):
                self.tokens += event.tokens
            self.listener(event)

        found: list[Variation] = []
        for variation in loop(self.engine, self.song, self.loop_request, follow, self.cancel_event.is_set):
            found.append(variation)
            if self.cancel_event.is_set() and len(found) < self.loop_request.variations:
                raise CancelledError("stopped between two variations")
        return found


def prepare(entry: ModelEntry, data: Mapping[str, Any], settings: ServerSettings) -> LoopSession:
    """A checked session. Raises RefusalError, ScoreError, MidiFileError, RequestValidationError."""
    song = song_in(data, read_limits(settings))
    if song is None:
        raise RefusalError(422, "score is missing; give score (JSON) or midi (base64)", field="score")
    if data.get("format", "score") not in FORMATS:
        raise refused("format", data["format"], "is not known", f"use {' or '.join(FORMATS)}")
    loop_request = _loop_request(data, song)
    check_song(song, loop_request.variations, settings)
    check_loop(loop_request, song)
    session = LoopSession(entry.engine, song, loop_request)
    check_lanes(session.request, settings)
    return session


def _loop_request(data: Mapping[str, Any], song: Score) -> LoopRequest:
    first, end = _whole(data, "first", 0), _whole(data, "end", song.n_bars)
    tracks = data.get("tracks")
    if tracks is None:
        tracks = list(range(len(song.tracks)))
    if not isinstance(tracks, list) or not all(type(t) is int for t in tracks):
        raise refused("tracks", tracks, "is not a list of whole numbers", "count tracks from 0")
    items = data.get("prompts", [])
    if not isinstance(items, list):
        raise refused("prompts", items, "is not a list", "give an object with id per track")
    prompts = [TrackPrompt.from_dict(item, f"prompts[{i}]") for i, item in enumerate(items)]
    bpm = data.get("bpm")
    if bpm is not None and (isinstance(bpm, bool) or not isinstance(bpm, (int, float))):
        raise refused("bpm", bpm, "is not a number", "use 40 to 300")
    seam = data.get("seam", "cut")
    config = InferenceConfig.from_dict(data.get("config", {}))
    if config.num_candidates != 1:
        raise refused("config.num_candidates", config.num_candidates, "is for takes", "say variations instead")
    loop_request = LoopRequest(first, end, tuple(tracks), _whole(data, "variations", 4), str(seam), bpm, config)
    return replace(
        loop_request, prompts={prompt.id: replace(prompt, bars=[], autoregressive=False) for prompt in prompts}
    )


def _whole(data: Mapping[str, Any], key: str, default: int) -> int:
    value = data.get(key)
    if value is not None and type(value) is not int:
        raise refused(key, value, "is not a whole number", "correct it")
    return default if value is None else value


def _word(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise RefusalError(422, f"{key} is not a string; correct it", field=key)
    return value


def finish_as(kind: str) -> Any:
    """Makes the answer, in the worker's thread."""

    def finish(work: Work, result: Any) -> Rendered:
        first = result[0].score
        body = {
            "request_id": work.id,
            "model": work.model.id,
            "bars": first.n_bars,
            "ticks": sum(round(bar.beat_length * first.resolution) for bar in first.tracks[0].bars),
            "resolution": first.resolution,
            "variations": [_told(variation, kind) for variation in result],
        }
        return Rendered(to_json(body))

    return finish


def _told(variation: Variation, kind: str) -> dict[str, Any]:
    music: Any = variation.score.to_dict()
    if kind == "midi":
        music = base64.b64encode(score_to_bytes(variation.score)).decode("ascii")
    return {
        "number": variation.number,
        "seed": variation.seed,
        "logprob": variation.logprob,
        "seam": variation.seam,
        "accepted": variation.accepted,
        "rejected": list(variation.rejected),
        kind: music,
    }
