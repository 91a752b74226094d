"""POST /generate: a score and a request in, the score with its new bars out, at once or as a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Path, Request, Response

from midigpt_cli.parse.prompt_request import joined, prompt_answer
from midigpt_cli.parse.where_to_write import placed
from midigpt_cli.server import responses
from midigpt_cli.server.body import FORMS, GenerateBody, check_id, read_body, read_json, read_request, read_score
from midigpt_cli.server.event_stream import EventStream, until_answered
from midigpt_cli.server.http_errors import RefusalError, busy, request_id
from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_cli.server.request_models import body_of
from midigpt_cli.server.response_models import ERRORS, GenerateAnswer, json_answer
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.song_limits import check_lanes, check_song, read_limits
from midigpt_cli.server.state import state_of
from midigpt_cli.server.work import STOPPING, Outcome, Rendered, Work
from midigpt_core.engine import SamplingSession
from midigpt_core.generation.run import Result

router = APIRouter(tags=["generation"])
FIXED_BY_SONG = ("bpm", "metre", "bars")


@router.post(
    "/generate",
    summary="Write bars of a score",
    responses={**json_answer(GenerateAnswer), **ERRORS},
    openapi_extra=body_of("GenerateBody"),
)
async def generate(request: Request) -> Response:
    """Write the bars the request asks for and answer with the score, in ticks of its own resolution.

    With `config.num_candidates` above 1 the answer holds `candidates`; with `config.plan_only` it holds the `plan` and
    nothing is written; with `stream` it is a `text/event-stream`. Tracks and bars count from 0.
    """
    state = state_of(request)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() in FORMS:
        raise RefusalError(
            415,
            "/generate fills in a score and takes JSON; a form with a .mid file goes to POST /infill, styles to "
            "POST /generate_style, sound to POST /audio_to_midi",
        )
    envelope = read_body(GenerateBody, await read_json(request))
    entry = state.models.get(envelope.model)
    request.state.request_id = envelope.request_id or check_id(request_id(request))
    state.queue.check_room(client_of(request))
    session = await state.queue.in_thread(lambda: prepare(entry, envelope, state.settings))
    if session.request.config.plan_only:
        head = {"request_id": request_id(request), "model": entry.id}
        return json_response(await state.queue.in_thread(lambda: responses.planned(session, head)))
    more = prompt_told(envelope)
    work = Work(request_id(request), "generate", entry, session, client_of(request), finish_with(more), interrupted)
    if envelope.stream:
        return EventStream(work).until(state.queue.admit(work))
    return reply(await until_answered(request, work, state.queue.admit(work)))


@router.post("/generate/{request_id}/cancel", summary="Stop a generation", responses={**json_answer(None), **ERRORS})
async def cancel(request: Request, request_id: str = Path(description="id of the request")) -> dict[str, str]:
    """Stop a generation in flight; its own response carries what was written so far, with status cancelled."""
    queue = state_of(request).queue
    if not queue.cancel(request_id):
        raise RefusalError(404, f"no request {request_id[:80]!r} is in flight; it has ended, or never was")
    return {"request_id": request_id, "status": "cancelling"}


def prepare(entry: ModelEntry, envelope: GenerateBody, settings: ServerSettings) -> SamplingSession:
    """A checked session for a JSON request. Raises RefusalError, ScoreError, RequestValidationError."""
    score = read_score(envelope.score, read_limits(settings))
    generation = read_request(placed(envelope.request, score))
    check_song(score, generation.config.num_candidates, settings)
    check_lanes(generation, settings)
    generation = joined(generation, envelope.prompt, score, entry.engine.tokenizer.attributes)
    return entry.engine.session(score, generation)


def prompt_told(envelope: GenerateBody) -> dict[str, Any]:
    """What the answer says of the prompt in a body."""
    request = read_request(placed(envelope.request, None)) if envelope.prompt is not None else None
    return prompt_answer(envelope.prompt, request, FIXED_BY_SONG)


def finish_with(more: Mapping[str, Any]) -> Callable[[Work, Result], Rendered]:
    """Makes the answer's body, in the worker's thread."""

    def finish(work: Work, result: Result) -> Rendered:
        return Rendered(responses.to_json({**responses.completed(work, result), **more}))

    return finish


def interrupted(work: Work) -> Rendered:
    """The body for a run that was stopped."""
    return Rendered(responses.to_json(responses.cancelled(work)))


def reply(outcome: Outcome) -> Response:
    """The response for an outcome. Raises what the run raised, and refuses what a stopping server left half-done."""
    if outcome.body is None and outcome.error is not None:
        raise outcome.error
    if outcome.reason == STOPPING or outcome.body is None:
        raise busy("the server is stopping; try again when it is back", retry_after=10)
    return Response(outcome.body.data, media_type=outcome.body.media_type, headers=dict(outcome.body.headers))


def json_response(body: bytes) -> Response:
    """A ready-made JSON body as a response."""
    return Response(body, media_type="application/json")


def client_of(request: Request) -> str:
    """The caller's address."""
    return request.client.host if request.client else "unknown"
