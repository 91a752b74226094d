"""POST /loop: variations of a few bars that loop without a seam."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from midigpt_cli.parse.jam_messages import song_in
from midigpt_cli.parse.prompt_request import prompt_answer
from midigpt_cli.server.body import check_id, read_message, settings_in_place
from midigpt_cli.server.event_stream import until_answered
from midigpt_cli.server.http_errors import RefusalError, busy, request_id
from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_cli.server.loop_session import LoopSession, worded
from midigpt_cli.server.musicgen_looper import is_flat, looped
from midigpt_cli.server.request_models import ScoreModel, body_of
from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.routes.generate import client_of, reply
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.shared_descriptions import (
    BASE64_SONG,
    CONSENSUS,
    LOGPROB,
    MODEL,
    REJECTED,
    REQUEST_ID,
    SEED,
    TEXT_PROMPT,
    UNDERSTOOD,
    UNUSED,
)
from midigpt_cli.server.song_limits import check_lanes, check_song, read_limits
from midigpt_cli.server.state import state_of
from midigpt_cli.server.work import STOPPING, Rendered, Work
from midigpt_core.fields import Door, check, read, refused, same, setting
from midigpt_core.loop import Variation, check_loop
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.request import InferenceConfig, LoopRequest, TrackPrompt
from midigpt_core.score import Score

router = APIRouter(tags=["generation"])
FORMATS = ("score", "midi")
_FORM_ONLY = Door(ranges=False)  # ranges are looked at with the song at hand


@dataclass(frozen=True)
class LoopBody:
    """A song and which of its bars to loop; tracks and bars count from 0."""

    score: dict[str, Any] | None = setting(None, "the song", model=Score)
    midi: str | None = setting(None, BASE64_SONG)
    first: int = setting(0, "first bar of the loop, from 0", 0)
    end: int | None = setting(None, "bar after the last one of the loop (default: the end of the song)", 1)
    tracks: list[int] | None = setting(None, "tracks to write, from 0 (default: all)")
    variations: int = same(LoopRequest, "variations")
    seam: str = same(LoopRequest, "seam")
    bpm: float | None = same(LoopRequest, "bpm")
    prompts: list[TrackPrompt] = setting(
        [], "attributes and controls by track; bars in them count from the start of the loop"
    )
    prompt: str | None = setting(None, f"{TEXT_PROMPT}; the song sets tempo and time signature")
    config: InferenceConfig = field(default_factory=InferenceConfig, metadata={"help": "settings of the request"})
    format: str = setting("score", "format of the variations: score JSON, or base64 .mid files", choices=FORMATS)
    model: str | None = setting(None, MODEL)
    request_id: str | None = setting(None, REQUEST_ID)


class VariationAnswer(BaseModel):
    """One variation of the loop."""

    number: int = Field(description="number of the variation, from 1")
    seed: int = Field(description=SEED)
    consensus: float = Field(description=CONSENSUS)
    logprob: float = Field(description=LOGPROB)
    seam: float = Field(description="mean log-probability per token of the first bar, played after the last")
    accepted: bool = Field(description="the variation passed its checks")
    rejected: list[str] = Field(description=REJECTED)
    score: ScoreModel | None = Field(None, description="the variation as score JSON, with format score")
    midi: str | None = Field(None, description="the variation as a base64 .mid file, with format midi")


class LoopAnswer(BaseModel):
    """Variations of the loop, all of the same length."""

    request_id: str = Field(description="id of the request")
    model: str = Field(description="id of the model")
    bars: int = Field(description="length in bars")
    ticks: int = Field(description="length in ticks")
    resolution: int = Field(description="ticks per quarter note")
    variations: list[VariationAnswer] = Field(description="the variations")
    understood: dict[str, Any] | None = Field(None, description=UNDERSTOOD)


class LooperAnswer(BaseModel):
    """The files of the variations, as `variation_01` and so on: the response to a LooperBody."""

    model_config = ConfigDict(extra="allow")

    variation_01: str = Field(description="path of its file")
    job: str = Field(description="id of the job that keeps the files, for GET /jobs/{id}")
    bars: int = Field(description="length in bars")
    bpm: float = Field(description="tempo in quarter notes per minute")
    seed: int = Field(description="seed of the first variation")
    understood: dict[str, Any] = Field(description=UNDERSTOOD)
    unused: list[str] = Field(description=UNUSED)


@router.post(
    "/loop",
    summary="Write variations that loop",
    responses={**json_answer(LoopAnswer | LooperAnswer), **ERRORS},
    openapi_extra=body_of("LoopBody"),
)
async def loops(request: Request) -> Response:
    """Write variations of a few bars, all of the same length to the tick. Any of them may follow any other.

    For a loop from nothing, send a score of empty bars, or a `prompt` and other fields of LooperBody; the response
    to those gives the paths of the files.
    """
    state, data = state_of(request), await read_message(request)
    if is_flat(data):
        return reply(await looped(request, data))
    settings_in_place(data)
    body = read(LoopBody, data, "", _FORM_ONLY)
    entry = state.models.get(body.model)
    request.state.request_id = check_id(body.request_id) or request_id(request)
    state.queue.check_room(client_of(request))
    session = await state.queue.in_thread(lambda: prepare(entry, body, state.settings))
    finish = finish_as(body.format, prompt_answer(body.prompt, own=("bpm", "metre", "bars")))
    work = Work(request_id(request), "loop", entry, session, client_of(request), finish, lambda _: None)
    outcome = await until_answered(request, work, state.queue.admit(work))
    if outcome.status == "cancelled" and outcome.reason != STOPPING:
        raise busy(f"stopped before the loops were finished: {outcome.reason}", 409)
    return reply(outcome)


def prepare(entry: ModelEntry, body: LoopBody, settings: ServerSettings) -> LoopSession:
    """A checked session. Raises RefusalError, ScoreError, MidiFileError, RequestValidationError."""
    song = song_in(body.score, body.midi, read_limits(settings))
    if song is None:
        raise RefusalError(422, "score is missing; give score (JSON) or midi (base64)", field="score")
    check(replace(body, score=None), "")
    if body.config.num_candidates != 1:
        raise refused(
            "config.num_candidates", body.config.num_candidates, "is not used for loops", "use variations instead"
        )
    loop_request = LoopRequest(
        first=body.first,
        end=song.n_bars if body.end is None else body.end,
        tracks=tuple(range(len(song.tracks)) if body.tracks is None else body.tracks),
        variations=body.variations,
        seam=body.seam,
        bpm=body.bpm,
        config=body.config,
        prompts={prompt.id: replace(prompt, bars=[], autoregressive=False) for prompt in body.prompts},
    )
    check_song(song, loop_request.variations, settings)
    check_loop(loop_request, song)
    session = LoopSession(entry.engine, song, worded(loop_request, body.prompt, song, entry.engine))
    check_lanes(session.request, settings)
    return session


def finish_as(kind: str, more: Mapping[str, Any]) -> Any:
    """Makes the answer, in the worker's thread."""

    def finish(work: Work, result: Any) -> Rendered:
        first = result[0].score
        body = {
            "request_id": work.id,
            "model": work.label,
            "bars": first.n_bars,
            "ticks": sum(bar.ticks(first.resolution) for bar in first.tracks[0].bars),
            "resolution": first.resolution,
            "variations": [_told(variation, kind) for variation in result],
            **more,
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
        "consensus": variation.consensus,
        "logprob": variation.logprob,
        "seam": variation.seam,
        "accepted": variation.accepted,
        "rejected": list(variation.rejected),
        kind: music,
    }
