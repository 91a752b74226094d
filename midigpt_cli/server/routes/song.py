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
    "description": "The .mid file",
    "content": {MIDI: {"schema": {"type": "string", "format": "binary"}}},
}
_FRESH = {"Cache-Control": "no-store"}  # the next server at this address may have another song


class ChordAnswer(BaseModel):
    """A chord, estimated from the notes, and where it begins."""

    bar: int = Field(description="bar, from 1")
    beat: float = Field(description="beat of the bar in quarter notes, from 1")
    chord: str = Field(description="its name", examples=["Am7"])
    confidence: float = Field(description="0 to 1; chords below 0.5 are uncertain")


class SongAnswer(BaseModel):
    """The facts that `midigpt info --json` prints; tracks and bars count from 1."""

    bars: int = Field(description="number of bars")
    seconds: float = Field(description="duration in seconds")
    metres: list[dict[str, Any]] = Field(description="time signatures, each with the bar it begins in")
    tempi: list[dict[str, Any]] = Field(description="tempi, each with the bar it begins in")
    keys: list[dict[str, Any]] = Field(description="keys named in the file, each with the bar it begins in")
    key_by_notes: str | None = Field(description="key estimated from the notes of all melodic tracks")
    chords: list[ChordAnswer] = Field(description="chords estimated from the notes")
    tracks: list[dict[str, Any]] = Field(description="the tracks: name, instrument, range, number of notes, ...")


@router.post(
    "/song",
    summary="Facts about a song",
    responses={**json_answer(SongAnswer), **ERRORS},
    openapi_extra={"requestBody": _BODY},
)
async def song(request: Request) -> Response:
    """Return what `midigpt info --json` prints: tracks, time signatures, tempi, keys, sections and estimated chords.

    Send a .mid file as the body, or as `file` in a form.
    """
    state = state_of(request)
    state.queue.check_room(client_of(request))
    file = await song_of(request)
    return json_response(await state.queue.rendered(lambda: _told(file, state.settings)))


@router.get(
    "/song",
    summary="The song that the studio was started with",
    responses={200: _FILE, 204: {"description": "No song was given"}, **ERRORS},
    response_class=Response,
)
async def opened(request: Request) -> Response:
    """The song given to `midigpt studio SONG`, byte for byte, with its name in `Content-Disposition`."""
    song = state_of(request).opened
    if song is None:
        return Response(status_code=204, headers=_FRESH)
    return Response(song.file, media_type=MIDI, headers={**named(song.name), **_FRESH})


def _told(file: bytes, settings: ServerSettings) -> bytes:
    score = Score.from_midi(file, limits=read_limits(settings))
    check_song(score, 1, settings)
    return to_json(song_json(score, "song.mid"))
