"""POST /song: what is in a song, with the key and the chords that its notes tell. GET /song: the song to open first."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from midigpt_cli.output.song_json import song_json
from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.routes.convert import FILE, song_of
from midigpt_cli.server.routes.generate import client_of, json_response
from midigpt_cli.server.routes.infill import MIDI, named
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.song_limits import check_song, read_limits
from midigpt_cli.server.state import state_of
from midigpt_core.score import Score

router = APIRouter(tags=["midi"])
_BODY = {
    "required": True,
    "content": {"multipart/form-data": {"schema": FILE}, MIDI: {"schema": {"type": "string", "format": "binary"}}},
}

_FILE: dict[str, Any] = {
    "description": "the .mid file",
    "content": {MIDI: {"schema": {"type": "string", "format": "binary"}}},
}
_FRESH = {"Cache-Control": "no-store"}  # the next server at this address may have another song


class ChordAnswer(BaseModel):
    """A chord that is heard from a beat on."""

    bar: int = Field(description="from 1")
    beat: float = Field(description="quarter notes into the bar, from 1")
    chord: str = Field(examples=["Am7"])
    confidence: float = Field(description="0 to 1; below 0.5 the chord is a guess")


class SongAnswer(BaseModel):
    """What `midigpt info --json` tells; tracks and bars count from 1."""

    bars: int
    seconds: float
    metres: list[dict[str, Any]] = Field(description="each with the bar it begins in, as the tempi and keys")
    tempi: list[dict[str, Any]]
    keys: list[dict[str, Any]] = Field(description="those that the file names")
    key_by_notes: str | None = Field(description="the key that the notes of all melodic tracks suggest")
    chords: list[ChordAnswer]
    tracks: list[dict[str, Any]]


@router.post(
    "/song",
    summary="What is in a song",
    responses={**json_answer(SongAnswer), **ERRORS},
    openapi_extra={"requestBody": _BODY},
)
async def song(request: Request) -> Response:
    """The answer of `midigpt info --json`: tracks, metres, tempi, keys, sections, and the chord heard in each bar.

    Send a .mid file as a form's `file`, or as it is.
    """
    state = state_of(request)
    state.queue.check_room(client_of(request))
    file = await song_of(request)
    return json_response(await state.queue.rendered(lambda: _told(file, state.settings)))


@router.get(
    "/song",
    summary="The song that the studio was started with",
    responses={200: _FILE, 204: {"description": "it was started without one"}, **ERRORS},
    response_class=Response,
)
async def opened(request: Request) -> Response:
    """The file that `midigpt studio SONG` was told to open, byte for byte; `Content-Disposition` has its name."""
    song = state_of(request).opened
    if song is None:
        return Response(status_code=204, headers=_FRESH)
    return Response(song.file, media_type=MIDI, headers={**named(song.name), **_FRESH})


def _told(file: bytes, settings: ServerSettings) -> bytes:
    score = Score.from_midi(file, limits=read_limits(settings))
    check_song(score, 1, settings)
    return to_json(song_json(score, "song.mid"))
