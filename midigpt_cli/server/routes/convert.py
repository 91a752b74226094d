"""POST /score: a .mid file to score JSON, and score JSON to a .mid file."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from midigpt_cli.server.body import is_json, parse_json, read_form, read_score
from midigpt_cli.server.form import text_rows
from midigpt_cli.server.http_errors import RefusalError, request_id
from midigpt_cli.server.request_models import REF, ScoreModel
from midigpt_cli.server.response_models import ERRORS
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.routes.generate import json_response
from midigpt_cli.server.routes.infill import MIDI, named
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.song_limits import check_song, read_limits
from midigpt_cli.server.state import state_of
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.score import Score

router = APIRouter(tags=["midi"])
MIDI_KINDS = (MIDI, "audio/x-midi", "audio/mid", "application/x-midi", "application/octet-stream")
FILE: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": text_rows({"file": ("Song", "The .mid file.")}),
}
FILE["properties"]["file"]["format"] = "binary"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": FILE},
            MIDI: {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"$ref": REF.format(model="Score")}},
        },
    }
}


@router.post(
    "/score",
    summary="Turn a .mid file into score JSON, or back",
    responses={
        200: {"model": ScoreModel, "description": "Score JSON, or the .mid file", "content": {MIDI: {}}},
        **ERRORS,
    },
    openapi_extra=_BODY,
)
async def score(request: Request) -> Response:
    """Send a .mid file, as the body or as `file` in a form, to get its score; send score JSON to get a .mid file.

    JSON holds notes, metres, one tempo and instruments only; to keep everything else of a file, use /infill.
    """
    state = state_of(request)
    content_type = request.headers.get("content-type", "")
    kind = content_type.split(";")[0].strip().lower()
    if is_json(content_type):
        data = parse_json(await request.body())
        made = await state.queue.in_thread(lambda: _to_midi(data, state.settings))
        return Response(made, media_type=MIDI, headers=named(f"{request_id(request)}.mid"))
    if kind not in (*MIDI_KINDS, "multipart/form-data"):
        raise RefusalError(
            415, f"Content-Type {content_type!r} is neither MIDI nor JSON; send {MIDI} or application/json"
        )
    file = await song_of(request)
    return json_response(await state.queue.in_thread(lambda: _to_json(file, state.settings)))


async def song_of(request: Request) -> bytes:
    """The .mid file that a body is, or that a form holds as `file`. Raises RefusalError."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    return await request.body() if kind in MIDI_KINDS else (await read_form(request)).data


def _to_midi(data: object, settings: ServerSettings) -> bytes:
    score = read_score(data, read_limits(settings))
    check_song(score, 1, settings)
    return score_to_bytes(score)


def _to_json(file: bytes, settings: ServerSettings) -> bytes:
    score = Score.from_midi(file, limits=read_limits(settings))
    check_song(score, 1, settings)
    return to_json(score.to_dict())
