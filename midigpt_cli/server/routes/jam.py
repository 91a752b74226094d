"""POST /jam/start, update, reseed, consume, stop and GET /jam/next, status: a jam over plain HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from midigpt_cli.parse.jam_messages import CHANGING, FIXED, check_keys
from midigpt_cli.parse.jam_prompt import understood_in
from midigpt_cli.parse.magenta import translated
from midigpt_cli.server.body import read_message
from midigpt_cli.server.chunk_audio import in_words
from midigpt_cli.server.http_errors import RefusalError
from midigpt_cli.server.jam_models import (
    ChangedAnswer,
    ChunkAnswer,
    ConsumedAnswer,
    StartedAnswer,
    StatusAnswer,
    StoppedAnswer,
)
from midigpt_cli.server.open_jams import Room
from midigpt_cli.server.request_models import body_of
from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_cli.server.routes.generate import client_of
from midigpt_cli.server.state import ServerState, state_of

router = APIRouter(tags=["jam"])
SessionId = Annotated[str, Query(description="id of the jam, from POST /jam/start")]


async def _asked(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """A body in our fields, and what its answer says of the fields that are not used."""
    data, unused = translated(await read_message(request))
    return data, {"unused": list(unused)} if unused else {}


async def _named(request: Request, *keys: str) -> tuple[ServerState, Room, dict[str, Any], dict[str, Any]]:
    """The state, the jam a body names, the rest of the body, and what its answer says of it."""
    state = state_of(request)
    data, told = await _asked(request)
    check_keys(data, ("session_id", *keys))
    session_id = data.pop("session_id", None)
    if not isinstance(session_id, str):
        raise RefusalError(422, "session_id is missing; give the one POST /jam/start answered with", field="session_id")
    return state, state.jams.get(session_id), data, told


def opening(state: ServerState, data: Mapping[str, Any], client: str, expires: float = 0.0) -> Room:
    """Open a jam as a start message asks. Raises RefusalError, MidiGptError."""
    model = data.get("model")
    if model is not None and not isinstance(model, str):
        raise RefusalError(422, "model is not a string; name an id of GET /models", field="model")
    return state.jams.open(data, state.models.get(model), client, expires)


@router.post(
    "/jam/start",
    summary="Start a jam",
    responses={**json_answer(StartedAnswer), **ERRORS},
    openapi_extra=body_of("JamStart"),
)
async def start(request: Request) -> dict[str, Any]:
    """Start from nothing or from the last bars of a song. GET /jam/next returns the chunks."""
    state = state_of(request)
    data, told = await _asked(request)
    state.jams.check_room()
    check_keys(data, (*CHANGING, *FIXED))
    room = await state.queue.in_thread(lambda: opening(state, data, client_of(request)))
    return {**room.started(), **words_of(data), **told}


def words_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """What was understood of a message's words, as its answer says it."""
    understood = understood_in(data)
    return {"understood": understood.to_dict()} if understood else {}


@router.get("/jam/next", summary="Take the next chunk", responses={**json_answer(ChunkAnswer), **ERRORS})
async def next_chunk(
    request: Request,
    session_id: SessionId,
    index: int | None = Query(
        None, ge=0, description="number of the chunk to return; it may be one that was taken before"
    ),
    midi: bool | None = Query(None, description="include the chunk as a base64 .mid file"),
) -> dict[str, Any]:
    """Return chunks in order, each once; wait up to 30 seconds for the next (then 408). Safe to repeat with `index`."""
    jams = state_of(request).jams
    room = jams.get(session_id)
    given = None if index is None else room.session.again(index)
    if given is None and index is not None and index != room.session.next_index:
        raise RefusalError(
            409, f"chunk {index} is not at hand; the next one is {room.session.next_index}", field="index"
        )
    given = given or await jams.next(room)
    if given is None:
        raise RefusalError(404, f"no jam {session_id[:80]!r} is playing any more; start one", field="session_id")
    room.session.touch()
    facts, wav = await state_of(request).queue.in_thread(lambda: room.told(given, midi))
    if not wav:
        return facts
    sound = {"audio_base64": in_words(wav), "metadata": facts["metadata"]}
    return {**facts, "audio_base64": sound["audio_base64"], "chunk": {"index": given.chunk.index, **sound}}


@router.get("/jam/status", summary="State of a jam", responses={**json_answer(StatusAnswer), **ERRORS})
async def status(request: Request, session_id: SessionId) -> dict[str, Any]:
    """Its settings, the chunks that are ready, late chunks and latencies."""
    return state_of(request).jams.get(session_id).status()


@router.post(
    "/jam/update",
    summary="Change what a jam plays",
    responses={**json_answer(ChangedAnswer), **ERRORS},
    openapi_extra=body_of("JamUpdate"),
)
async def update(request: Request) -> dict[str, Any]:
    """Change the tempo, constraints, sampling and other settings; `chunk` is the first chunk they apply to."""
    state, room, data, told = await _named(request, *CHANGING, *FIXED)
    changed = await state.queue.in_thread(lambda: state.jams.update(room, data))
    return {**changed, **words_of(data), **told}


@router.post(
    "/jam/reseed",
    summary="Continue from other bars",
    responses={**json_answer(ChangedAnswer), **ERRORS},
    openapi_extra=body_of("JamReseed"),
)
async def reseed(request: Request) -> dict[str, Any]:
    """Send the last bars as they were actually played; `chunk` is the first chunk that continues from them."""
    state, room, data, _ = await _named(request, "score", "midi")
    return await state.queue.in_thread(lambda: state.jams.reseed(room, data))


@router.post(
    "/jam/consume",
    summary="Acknowledge what was played",
    responses={**json_answer(ConsumedAnswer), **ERRORS},
    openapi_extra=body_of("JamConsume"),
)
async def consume(request: Request) -> dict[str, Any]:
    """Let the server delete chunks up to `index`. After the first such call, `ahead` counts from the last consumed."""
    state, room, data, _ = await _named(request, "index")
    return state.jams.consume(room, data.get("index"))


@router.post(
    "/jam/stop",
    summary="End a jam",
    responses={**json_answer(StatusAnswer), **ERRORS},
    openapi_extra=body_of("JamStop"),
)
async def stop(request: Request) -> dict[str, Any]:
    """End the jam at once and return its final state."""
    state, room, _, _ = await _named(request)
    return state.jams.close(room)


@router.post("/jam/stop_all", summary="End all jams of a caller", responses={**json_answer(StoppedAnswer), **ERRORS})
async def stop_all(request: Request) -> dict[str, Any]:
    """End every jam that was started from this machine. 403 on servers that other machines may call."""
    state = state_of(request)
    settings = state.settings
    if settings.api_key or settings.allow_host or not settings.local:
        raise RefusalError(403, "callers of this server may end their own jams only: POST /jam/stop with session_id")
    return {"stopped": state.jams.close_all("stopped", client_of(request))}
