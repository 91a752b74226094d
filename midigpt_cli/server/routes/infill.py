"""POST /infill: a .mid file in, the same file with its new bars out."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from midigpt_cli.parse.prompt_request import prompt_answer
from midigpt_cli.server import responses
from midigpt_cli.server.body import Form, check_id, read_form
from midigpt_cli.server.event_stream import until_answered
from midigpt_cli.server.form import FormRequest, read_fields, schema
from midigpt_cli.server.http_errors import busy, request_id
from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_cli.server.response_models import ERRORS
from midigpt_cli.server.routes.generate import FIXED_BY_SONG, client_of, json_response, reply
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.song_limits import check_lanes, check_song, read_limits
from midigpt_cli.server.state import state_of
from midigpt_cli.server.work import STOPPING, Rendered, Work
from midigpt_core.engine import SamplingSession
from midigpt_core.errors import GenerationError
from midigpt_core.generation.run import Result
from midigpt_core.generation.take import Take
from midigpt_core.midi_file import score_to_bytes

router = APIRouter(tags=["midi"])
MIDI = "audio/midi"
LONGEST_HEADER = 5000  # bytes of a report, which proxies take; what was understood of a long prompt stays out of it
FORM = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema()}}}}
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The .mid file, or with num_candidates above 1 a .zip of takes and report.json",
        "content": {MIDI: {}, "application/zip": {}, "application/json": {}},
    }
}


@router.post("/infill", summary="Write bars of a .mid file", responses={**FILE, **ERRORS}, openapi_extra=FORM)
async def infill(request: Request) -> Response:
    """Rewrite bars of a .mid file. Everything else stays as it is, event for event.

    Bars and tracks count from 1, as on the command line: `bars=4-8`, `track=drums`. The other fields are
    the options of `midigpt infill`. The header X-Midigpt-Report has the seed, bars, attempts and timing as JSON.
    """
    state = state_of(request)
    state.queue.check_room(client_of(request))
    form = await read_form(request)
    form_request = read_fields(form.fields)
    entry = state.models.get(form_request.own.get("model"))
    request.state.request_id = check_id(form_request.own.get("request_id")) or request_id(request)
    session = await state.queue.in_thread(lambda: prepare(entry, form, form_request, state.settings))
    if session.request.config.plan_only:
        head = {"request_id": request_id(request), "model": entry.id}
        return json_response(await state.queue.in_thread(lambda: responses.planned(session, head)))
    finish = finish_as(form.name, prompt_answer(form_request.music.prompt, own=FIXED_BY_SONG))
    work = Work(request_id(request), "infill", entry, session, client_of(request), finish, lambda _: None)
    outcome = await until_answered(request, work, state.queue.admit(work))
    if outcome.status == "cancelled" and outcome.reason != STOPPING:
        status = 503 if outcome.reason == "time limit" else 409
        raise busy(f"stopped before the file was finished: {outcome.reason}", status)
    return reply(outcome)


def prepare(entry: ModelEntry, form: Form, form_request: FormRequest, settings: ServerSettings) -> SamplingSession:
    """A checked session for a .mid file. Raises RefusalError, MidiFileError, RequestValidationError."""
    score = form_request.score_of(form.data, read_limits(settings))
    check_song(score, form_request.takes, settings)
    generation = form_request.request_for(score, entry.engine.tokenizer.attributes)
    check_song(score, generation.config.num_candidates, settings)
    check_lanes(generation, settings)
    return entry.engine.session(score, generation)


def finish_as(name: str, more: Mapping[str, Any]) -> Callable[[Work, Result], Rendered]:
    """Makes the file, named after the song's own."""
    stem = PurePath(name.replace("\\", "/")).stem or "song"

    def finish(work: Work, result: Result) -> Rendered:
        report = {**report_of(work, result), **more}
        good = [take for take in result.takes if take.accepted]
        if not good:
            raise GenerationError(responses.rejected_sentence(work, result.takes))
        text = json.dumps(report, separators=(",", ":"))
        if len(text) > LONGEST_HEADER:
            text = json.dumps({key: value for key, value in report.items() if key not in more}, separators=(",", ":"))
        headers = {"X-Midigpt-Seed": str(result.seed), "X-Midigpt-Report": text}
        if len(result.takes) == 1:
            return Rendered(score_to_bytes(good[0].score), MIDI, {**headers, **named(f"{stem}.infill.mid")})
        headers["X-Midigpt-Report"] = json.dumps({"seed": result.seed, "report": "in report.json"})
        return Rendered(
            _zipped(stem, result.takes, report), "application/zip", {**headers, **named(f"{stem}.infill.zip")}
        )

    return finish


def report_of(work: Work, result: Result) -> dict[str, Any]:
    """What was done, without the music."""
    full = responses.completed_or_rejected(work, result)
    for place in (full, *full.get("candidates", ())):
        place.pop("score", None)
    return full


def named(name: str) -> dict[str, str]:
    """The header that gives a download its name."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}


def _zipped(stem: str, takes: tuple[Take, ...], report: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, take in enumerate(takes, 1):
            if take.accepted:
                archive.writestr(f"{stem}.infill.{number:02d}.mid", score_to_bytes(take.score))
        archive.writestr("report.json", json.dumps(report, indent=2))
    return file.getvalue()
