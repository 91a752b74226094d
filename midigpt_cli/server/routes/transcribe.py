"""POST /audio_to_midi: audio in, a job at once, a .mid file with bars when it has ended."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any, get_type_hints

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from midigpt_cli.options.transcribe_options import TranscribeOptions
from midigpt_cli.server import responses
from midigpt_cli.server.body import FileField, Form, read_form
from midigpt_cli.server.form import in_form_words, read_texts, rows_of, text_rows
from midigpt_cli.server.http_errors import RefusalError
from midigpt_cli.server.jobs_in_memory import Job, Once, TakeFile
from midigpt_cli.server.outbound import BadTargetError, addresses, open_connection, parse, path_of
from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_cli.server.routes.generate import client_of
from midigpt_cli.server.routes.infill import named
from midigpt_cli.server.routes.jobs import FileName, JobId
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.state import ServerState, state_of
from midigpt_cli.server.webhooks import check_url
from midigpt_cli.server.work import Outcome, Rendered, Work
from midigpt_core import trace
from midigpt_core.audio.audio_files import FORMATS
from midigpt_core.audio.pitch_model import model_file
from midigpt_core.audio.preload import is_loaded, load_ahead
from midigpt_core.audio.synthesis import render_audio
from midigpt_core.audio.transcribe import TranscribeSettings, Transcription, transcribe
from midigpt_core.errors import AudioError, AudioFileError, CancelledError, RequestValidationError
from midigpt_core.generation.run import Timing

router = APIRouter(tags=["audio"])
MODEL = "basic-pitch"
AUDIO = FileField(("audio_file",), "wav, mp3, flac or ogg", required=False)
NOTES, SOUND = "notes.csv", "sonified.wav"
MEDIA = {".csv": "text/csv; charset=utf-8", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".mid": "audio/midi"}
_PIECE = 1 << 16
_OWN = {  # field of the form -> label, meaning
    "audio_url": ("Address", "The audio's address, instead of audio_file, on servers that fetch (--audio-urls)."),
    "sonify_midi": ("Render the result", "Also render the result as a .wav file."),
    "save_note_events": ("Notes as a table", "Also write the notes as a CSV table."),
    "webhook_url": ("Webhook", "This address is called when the job has ended."),
}
_FLAGS = ("sonify_midi", "save_note_events")
ELSEWHERE = "/api/public/v1/audio_to_midi"  # MusicGPT's path, where both are on unless they are said to be off
RENAMED = {"midi_tempo": "bpm", "multiple_pitch_bends": "pitch_bends"}  # basic-pitch's name -> ours


def _schema() -> dict[str, Any]:
    rows: dict[str, Any] = {
        "audio_file": {"type": "string", "format": "binary", "title": "Audio", "description": "wav, mp3, flac or ogg"},
        **text_rows(_OWN),
        **rows_of(TranscribeOptions),
    }
    for name in _FLAGS:
        rows[name]["type"] = "boolean"
    return {"title": "AudioForm", "type": "object", "properties": rows, "additionalProperties": False}


class AudioAnswer(BaseModel):
    """The job that was started."""

    success: bool = Field(description="always true")
    task_id: str = Field(description="id of the job, for GET /jobs/{job_id}")
    message: str = Field(description="the same in a sentence")
    urls: dict[str, str] = Field(description="paths to follow, fetch or cancel it")


@dataclass(frozen=True)
class TranscribeRequest:
    """What a form asks for, read and checked."""

    audio: Form | None
    url: str | None
    settings: TranscribeSettings
    sonify: bool
    table: bool
    webhook_url: str | None


@router.post("/api/public/v1/audio_to_midi", include_in_schema=False)
@router.post(
    "/audio_to_midi",
    summary="Turn audio into MIDI",
    responses={**json_answer(AudioAnswer), **ERRORS},
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _schema()}}}},
)
async def audio_to_midi(request: Request) -> Response:
    """Start a transcription and return the id of its job at once; GET /jobs/{task_id} has its progress and its files.

    The fields are the options of `midigpt transcribe`. Requests with the same Idempotency-Key get the same job.
    """
    state, caller = state_of(request), client_of(request)
    state.queue.check_room(caller)
    form = await read_form(request, AUDIO)
    if request.url.path.endswith(ELSEWHERE):
        form = replace(form, fields={**{name: ["true"] for name in _FLAGS}, **form.fields})
    transcription = await state.queue.in_thread(lambda: _read(form, state.settings))
    content = hashlib.sha256(form.data + repr(sorted(form.fields.items())).encode()).hexdigest()
    once = Once(caller, request.headers.get("idempotency-key"), content)
    job = state.jobs.made_before(once)
    if job is None:
        state.jobs.make_room()
        new = Job.new("transcribe", MODEL, transcription.webhook_url)
        session = TranscribeSession(transcription, state.settings)
        new.work = Work(new.id, new.kind, None, session, caller, _finish_of(new, transcription), lambda _: None)
        session.tell = lambda share, stage: _note(new.work, share, stage)
        answered = state.queue.admit(new.work)
        answered.add_done_callback(partial(_ended, state, new))
        job = state.jobs.add(new, once)
    answer = AudioAnswer(success=True, task_id=job.id, message="the audio is waiting to be transcribed", urls=job.urls)
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Location": job.urls["get"]})


@router.get(
    "/jobs/{job_id}/files/{name}",
    summary="A file of a job",
    responses={200: {"description": "The file", "content": {kind: {} for kind in MEDIA.values()}}, **ERRORS},
)
async def job_file(job_id: JobId, name: FileName, request: Request) -> Response:
    """The note table or the rendered audio of a finished transcription, or a variation of a loop."""
    job = state_of(request).jobs.get(job_id)
    if name not in job.files:
        raise RefusalError(404, f"job {job.id} has no file {name[:80]!r}; it has {sorted(job.files) or 'none yet'}")
    return Response(job.files[name], media_type=MEDIA[PurePath(name).suffix], headers=named(f"{job.id}.{name}"))


# ---- reading the form ----


def _read(form: Form, settings: ServerSettings) -> TranscribeRequest:
    """Raises RefusalError, RequestValidationError, AudioError."""
    kinds = {**get_type_hints(TranscribeOptions), **{name: bool if name in _FLAGS else str for name in _OWN}}
    values = read_texts({RENAMED.get(name, name): texts for name, texts in form.fields.items()}, kinds)
    own = {name: values.pop(name, None) for name in _OWN}
    url = own["audio_url"] or None
    if (url is None) == (not form.data):
        raise RefusalError(422, "give the audio as audio_file, or its address as audio_url", field="audio_file")
    if url is not None:
        check_audio_url(url, settings)
    webhook = check_url(own["webhook_url"], settings) if own["webhook_url"] else None
    try:
        options = TranscribeOptions(**values).settings()
    except RequestValidationError as error:
        raise in_form_words(error) from error
    _check_engine()
    sonify, table = bool(own["sonify_midi"]), bool(own["save_note_events"])
    return TranscribeRequest(form if form.data else None, url, options, sonify, table, webhook)


def _check_engine() -> None:
    try:
        model_file()
    except AudioError as error:
        raise RefusalError(503, f"this server cannot transcribe: {error}", error="NotInstalled") from error


def check_audio_url(url: str, settings: ServerSettings) -> None:
    """Raises RefusalError (422) for an address that may not be fetched from."""
    if settings.audio_urls == "off":
        raise RefusalError(
            422, "audio_url: this server fetches nothing (--audio-urls public); send audio_file", field="audio_url"
        )
    try:
        addresses(parse(url), settings.audio_urls == "any")
    except BadTargetError as error:
        raise RefusalError(422, f"audio_url {url[:200]!r} {error}", field="audio_url") from error


# ---- running it ----


class TranscribeSession:
    """Audio on its way to notes, run by a worker as a session is."""

    def __init__(self, transcription: TranscribeRequest, limits: ServerSettings) -> None:
        self.transcription, self.limits = transcription, limits
        self.listener: trace.Listener = trace.ignore
        self.cancel_event = threading.Event()
        self.timing, self.gen_count, self.token_count = Timing(), 0, 0
        self.tell: Callable[[float, str], None] = lambda share, stage: None  # the share that is done, 0 to 1, and what

    def run_takes(self) -> tuple[Transcription, bytes]:
        """The transcription, and the rendered result (empty unless requested). Raises AudioError, CancelledError."""
        with tempfile.TemporaryDirectory(prefix="midigpt-") as folder:
            audio = Path(folder, f"audio{self._ending()}")
            audio.write_bytes(self.transcription.audio.data if self.transcription.audio else self._fetched())
            if not is_loaded():
                self.tell(0.0, "loading the listening model")
                load_ahead()
            self._follow(0.0)
            try:
                heard = transcribe(audio, self.transcription.settings, self._follow)
            except AudioFileError as error:
                raise AudioFileError(str(error).replace(str(audio), "the audio")) from None
            if not self.transcription.sonify:
                return heard, b""
            sound = Path(folder, SOUND)
            render_audio(heard.midi, sound)
            return heard, sound.read_bytes()

    def _ending(self) -> str:
        name = self.transcription.audio.name if self.transcription.audio else parse(self.transcription.url or "").path
        ending = PurePath(name).suffix.lower()
        return ending if ending in FORMATS else ""

    def _follow(self, share: float) -> None:
        self.tell(share, "listening")
        if self.cancel_event.is_set():
            raise CancelledError("stopped while listening")

    def _fetched(self) -> bytes:
        """The audio at the address. Raises AudioFileError."""
        url = self.transcription.url or ""
        try:
            return fetch(url, self.limits)
        except (OSError, http.client.HTTPException, BadTargetError) as error:
            raise AudioFileError(f"audio_url {url[:200]!r} cannot be fetched: {error}") from None


def fetch(url: str, limits: ServerSettings) -> bytes:
    """What lies at an address, within the server's limits on bodies; redirects are not followed.

    Raises AudioFileError, BadTargetError, OSError, http.client.HTTPException.
    """
    parts, until = parse(url), time.monotonic() + limits.body_seconds
    connection = open_connection(parts, limits.audio_urls == "any", limits.body_seconds)
    try:
        connection.request("GET", path_of(parts), headers={"User-Agent": "midigpt"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise AudioFileError(f"audio_url {url[:200]!r} answers with status {answer.status}, not 200")
        body = bytearray()
        while piece := answer.read1(_PIECE):
            body += piece
            if len(body) > limits.max_body_bytes:
                raise AudioFileError(f"audio_url {url[:200]!r} is larger than {limits.max_body_mb:g} MB (max_body_mb)")
            if time.monotonic() > until:
                raise AudioFileError(f"audio_url {url[:200]!r} takes longer than {limits.body_seconds:g} s")
        return bytes(body)
    finally:
        connection.close()


def _ended(state: ServerState, job: Job, done: asyncio.Future[Outcome]) -> None:
    state.jobs.ended(job, done.result())


def _note(work: Work, share: float, stage: str) -> None:
    work.progress.step, work.progress.steps, work.progress.stage = round(100 * share), 100, stage


def _finish_of(job: Job, transcription: TranscribeRequest) -> Any:
    """Puts the files into the job and sums it up, in the worker's thread."""

    def finish(work: Work, result: tuple[Transcription, bytes]) -> Rendered:
        heard, sound = result
        if transcription.table:
            job.files[NOTES] = heard.notes_csv().encode()
        if transcription.sonify:
            job.files[SOUND] = sound
        files = {name: f"/jobs/{job.id}/files/{name}" for name in job.files}
        facts = {"take": 0, "midi": f"/jobs/{job.id}/takes/0.mid", "files": files}
        job.takes[0] = TakeFile.of(responses.to_json(facts), heard.midi)
        return Rendered(responses.to_json(_summary(heard)))

    return finish


def _summary(heard: Transcription) -> Mapping[str, Any]:
    return {
        "seconds": round(heard.seconds, 3),
        "notes": len(heard.notes),
        "bpm": round(heard.pulse.bpm, 3),
        "bpm_trust": heard.pulse.trust,
        "bars": heard.bars,
        "offset_seconds": round(heard.offset, 4),
    }
