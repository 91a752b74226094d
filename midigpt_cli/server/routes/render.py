"""POST /render: a .mid file in, sound or a picture of it out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from fastapi import APIRouter, Request, Response

from midigpt_cli.output.rendering import PICTURES, SOUNDS, RenderOptions, make
from midigpt_cli.parse.selectors import BARS_HELP, select_cells
from midigpt_cli.parse.where_to_write import select_whole_bars
from midigpt_cli.server.body import read_form
from midigpt_cli.server.form import in_form_words, read_texts
from midigpt_cli.server.http_errors import RefusalError
from midigpt_cli.server.response_models import ERRORS
from midigpt_cli.server.routes.generate import client_of
from midigpt_cli.server.routes.infill import named
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.song_limits import check_song, read_limits
from midigpt_cli.server.state import state_of
from midigpt_core.errors import RequestValidationError
from midigpt_core.fields import nearest
from midigpt_core.midi_file.song_facts import song_facts
from midigpt_core.score import Score

router = APIRouter(tags=["midi"])
FORMATS = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
}
assert {f".{kind}" for kind in FORMATS} == {*SOUNDS, *PICTURES}
_FIELDS = {  # field of the form -> meaning
    "format": f"{', '.join(FORMATS)} (default: wav)",
    "bars": f"Only these bars. {BARS_HELP}",
    "highlight": "Highlight bars in a picture, such as drums:5-8 (repeatable).",
}
_KINDS: Mapping[str, Any] = {"format": str, "bars": str, "highlight": list[str]}
_ROWS = {name: {"type": "string", "description": meaning} for name, meaning in _FIELDS.items()}
_FORM = {
    "title": "RenderForm",
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "title": "Song", "description": "The .mid file."},
        **_ROWS,
    },
    "additionalProperties": False,
}


@router.post(
    "/render",
    summary="Render a .mid file as sound or a picture",
    responses={200: {"description": "The file", "content": {kind: {} for kind in FORMATS.values()}}, **ERRORS},
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}},
)
async def render(request: Request) -> Response:
    """The song as `midigpt render` plays or draws it: `format=wav` or `format=png`, `bars` of it, with `highlight`."""
    state = state_of(request)
    state.queue.check_room(client_of(request))
    form = await read_form(request)
    values = read_texts(form.fields, _KINDS)
    kind = _format(values.get("format", "wav"))
    stem = PurePath(form.name.replace("\\", "/")).stem or "song"
    made = await state.queue.rendered(lambda: _make(form.data, f"{stem}.{kind}", values, state.settings))
    return Response(made, media_type=FORMATS[kind], headers=named(f"{stem}.{kind}"))


def _format(text: str) -> str:
    kind = text.lower().removeprefix(".")
    if kind not in FORMATS:
        raise RefusalError(422, f"format = {kind[:80]!r} cannot be made; {nearest(kind, FORMATS)}", field="format")
    return kind


def _make(data: bytes, name: str, values: Mapping[str, Any], settings: ServerSettings) -> bytes:
    score = Score.from_midi(data, limits=read_limits(settings))
    check_song(score, 1, settings)
    if PurePath(name).suffix in SOUNDS:
        _check_length(score, settings)
    try:
        how = _how(values, score, name)
    except RequestValidationError as error:
        raise in_form_words(error) from error
    with tempfile.TemporaryDirectory(prefix="midigpt-render-") as folder:
        made = Path(folder) / f"made{PurePath(name).suffix}"
        make(score, made, how)
        return made.read_bytes()


def _check_length(score: Score, settings: ServerSettings) -> None:
    seconds, most = song_facts(score).seconds, settings.max_render_seconds
    if seconds > most:
        raise RefusalError(
            413,
            f"the song lasts {seconds:.0f} s; this server plays {most:g} s into a file (max_render_seconds)",
            field="file",
        )


def _how(values: Mapping[str, Any], score: Score, name: str) -> RenderOptions:
    bars = None
    if "bars" in values:
        chosen = select_whole_bars(values["bars"], score)
        bars = range(chosen[0], chosen[-1] + 1)
    lit = select_cells(values.get("highlight", ()), score)
    return RenderOptions(lit=lit, bars=bars, heard=bars, title=PurePath(name).stem)
