"""POST /jobs and what follows: requests that are answered at once and fetched later."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from midigpt_cli.parse.prompt_request import prompt_answer
from midigpt_cli.server import responses
from midigpt_cli.server.body import Form, GenerateBody, is_json, parse_json, read_body, read_form
from midigpt_cli.server.event_stream import EventStream
from midigpt_cli.server.form import read_fields, schema, text_rows
from midigpt_cli.server.http_errors import RefusalError
from midigpt_cli.server.jobs_in_memory import Job, Once
from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_cli.server.request_models import REF
from midigpt_cli.server.response_models import ERRORS, JobAnswer, json_answer
from midigpt_cli.server.routes import generate, infill
from midigpt_cli.server.routes.generate import client_of, json_response
from midigpt_cli.server.shared_descriptions import MODEL, TEXT_PROMPT
from midigpt_cli.server.state import ServerState, state_of
from midigpt_cli.server.webhooks import check_url
from midigpt_cli.server.work import Rendered, Work
from midigpt_core.engine import SamplingSession
from midigpt_core.errors import GenerationError
from midigpt_core.fields import setting
from midigpt_core.generation.run import Result
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score

router = APIRouter(tags=["jobs"])
FileName = Annotated[str, Path(description="name of the file")]
JobId = Annotated[str, Path(description="id of the job, from POST /jobs")]

_FORM_SCHEMA = schema()
_FORM_SCHEMA["properties"] |= text_rows({"webhook_url": ("Webhook", "This address is called when the job has ended.")})
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": REF.format(model="JobBody")}},
            "multipart/form-data": {"schema": _FORM_SCHEMA},
        },
    }
}
_JOB = json_answer(JobAnswer)
EVENTS: dict[str, Any] = {"description": "Events with JSON data", "content": {"text/event-stream": {}}}


@dataclass(frozen=True)
class JobBody:
    """A job: score and request, or a .mid file and the options of /infill."""

    kind: str | None = setting(
        None, "what the job does (default: generate with a score, infill with midi)", choices=("generate", "infill")
    )
    score: dict[str, Any] | None = setting(None, "the song as score JSON, for a job of kind generate", model=Score)
    request: dict[str, Any] | None = setting(None, "what to write, for a job of kind generate", model=GenerationRequest)
    midi: str | None = setting(None, "the song as a base64 .mid file, for a job of kind infill")
    options: dict[str, Any] = setting({}, "fields of /infill, for a job of kind infill; bars and tracks count from 1")
    model: str | None = setting(None, MODEL)
    prompt: str | None = setting(None, TEXT_PROMPT)
    webhook_url: str | None = setting(None, "address that gets the finished job in a signed POST")


@dataclass(frozen=True)
class JobRequest:
    """What a job is to do, read but not yet checked against the model."""

    kind: str  # generate, infill
    model: str | None
    webhook_url: str | None
    envelope: GenerateBody | None = None
    form: Form | None = None

    @property
    def digest(self) -> str:
        """Tells one order from another. What a caller or a file is called does not change what is ordered."""
        form = self.form
        if form is not None:
            fields = {name: texts for name, texts in sorted(form.fields.items()) if name != "request_id"}
            form = Form("", form.data, fields)
        return hashlib.sha256(repr(replace(self, form=form)).encode()).hexdigest()

    @property
    def prompt_told(self) -> dict[str, Any]:
        """What the job's summary says of its prompt."""
        if self.envelope is not None:
            return generate.prompt_told(self.envelope)
        words = self.form.fields.get("prompt") if self.form else None
        return prompt_answer(words[-1] if words else None, own=generate.FIXED_BY_SONG)

    def prepare(self, entry: ModelEntry, state: ServerState) -> SamplingSession:
        """A checked session. Raises RefusalError, ScoreError, MidiFileError, RequestValidationError."""
        if self.envelope is not None:
            return generate.prepare(entry, self.envelope, state.settings)
        assert self.form is not None
        form_request = read_fields(self.form.fields, extra=("webhook_url",))
        return infill.prepare(entry, self.form, form_request, state.settings)


@router.post(
    "/jobs",
    status_code=202,
    summary="Submit a job",
    responses={**json_answer(JobAnswer, 202), **ERRORS},
    openapi_extra=_BODY,
)
async def submit(request: Request) -> Response:
    """Start a job and return its id at once. Poll GET /jobs/{id}, follow its events, or give a webhook_url.

    As JSON: `score` and `request` as in /generate, or `midi` (base64) and `options` as in /infill. As a form: the
    fields of /infill. Requests with the same Idempotency-Key get the same job.
    """
    state = state_of(request)
    caller, job_request = client_of(request), await _read_job(request)
    once = Once(caller, request.headers.get("idempotency-key"), job_request.digest)
    job = state.jobs.made_before(once) or await _prepared(state, job_request, caller, once)
    return Response(job.json(), 202, {"Location": job.urls["get"]}, "application/json")


@router.get("/jobs/{job_id}", summary="State of a job", responses={**_JOB, **ERRORS})
async def look(job_id: JobId, request: Request) -> Response:
    """Its progress in bars, the takes finished so far, and how it ended."""
    state = state_of(request)
    job = state.jobs.get(job_id)
    return json_response(await state.queue.in_thread(job.json))


@router.get("/jobs/{job_id}/events", summary="Follow a job", responses={200: EVENTS, **ERRORS})
async def follow(job_id: JobId, request: Request) -> Response:
    """Server-sent events: notes bar by bar, finished takes, and finally `ended` with the whole job.

    Closing the stream does not stop the job. After an interruption, GET /jobs/{job_id} has what was missed.
    """
    job = state_of(request).jobs.get(job_id)
    if job.answered is None and job.ended is None:
        raise RefusalError(409, f"job {job.id} is under way on another replica; ask GET /jobs/{job.id} how it goes")
    if job.answered is None or job.answered.done():
        return Response(_last_frame(job), media_type=EventStream.media_type)
    return EventStream(job.work, lambda *_: _last_frame(job), stops=False).until(job.answered)


def _last_frame(job: Job) -> bytes:
    return b'data: {"type":"ended","job":' + job.json() + b"}\n\n"


@router.delete("/jobs/{job_id}", summary="Stop or delete a job", responses={**_JOB, **ERRORS})
async def stop(job_id: JobId, request: Request) -> Response:
    """Stop a running job, or delete a finished one."""
    state = state_of(request)
    job = state.jobs.get(job_id)
    if job.ended is None:
        state.jobs.stop(job)
    else:
        state.jobs.forget(job_id)
    return json_response(job.json())


@router.get("/jobs/{job_id}/takes/{take}.mid", summary="One take as a .mid file", responses={**infill.FILE, **ERRORS})
async def take_file(
    job_id: JobId, take: Annotated[int, Path(description="number of the take, from 0")], request: Request
) -> Response:
    """A finished take of a job; takes count from 0."""
    job = state_of(request).jobs.get(job_id)
    if take not in job.takes:
        raise RefusalError(404, f"job {job.id} has no finished take {take}; it has {sorted(job.takes) or 'none yet'}")
    headers = infill.named(f"{job.id}.{take}.mid")
    return Response(job.takes[take].midi, media_type=infill.MIDI, headers=headers)


async def _prepared(state: ServerState, job_request: JobRequest, caller: str, once: Once) -> Job:
    """Check the order away from the event loop, then start it, unless the same one was started meanwhile."""
    if job_request.webhook_url is not None:
        await state.queue.in_thread(lambda: check_url(job_request.webhook_url, state.settings))
    state.queue.check_room(caller)
    entry = state.models.get(job_request.model)
    session = await state.queue.in_thread(lambda: job_request.prepare(entry, state))
    if session.request.config.plan_only:
        raise RefusalError(
            422, "config.plan_only makes no job; ask /generate or /infill for plans", field="config.plan_only"
        )
    return state.jobs.made_before(once) or _start(state, job_request, entry, session, once)


def _start(state: ServerState, job_request: JobRequest, entry: ModelEntry, session: SamplingSession, once: Once) -> Job:
    state.jobs.make_room()
    job = Job.new(job_request.kind, entry.id, job_request.webhook_url, state.settings.root_path)
    finish = finish_of(job, job_request.prompt_told)
    job.work = Work(job.id, job_request.kind, entry, session, once.caller, finish, lambda _: None)
    job.work.listeners.append(job.follow)
    job.answered = state.queue.admit(job.work)
    kept = state.jobs.add(job, once)
    job.answered.add_done_callback(lambda done: state.jobs.ended(job, done.result()))
    return kept


def finish_of(job: Job, more: Mapping[str, Any]) -> Any:
    """Makes the job's takes and summary, in the worker's thread."""

    def finish(work: Work, result: Result) -> Rendered:
        for number, take in enumerate(result.takes):
            job.keep(number, take, len(result.steps))
        if not any(take.accepted for take in result.takes):
            raise GenerationError(responses.rejected_sentence(work, result.takes))
        return Rendered(responses.to_json({**infill.report_of(work, result), **more}))

    return finish


async def _read_job(request: Request) -> JobRequest:
    if not is_json(request.headers.get("content-type", "")):
        form = await read_form(request)
        fields = {name: texts for name, texts in form.fields.items() if name != "webhook_url"}
        url = form.fields.get("webhook_url", [None])[-1]
        return JobRequest("infill", fields.get("model", [None])[-1], url, form=replace(form, fields=fields))
    body = read_body(JobBody, parse_json(await request.body()))
    kind = body.kind or ("infill" if body.midi is not None else "generate")
    for key in ("score", "request") if kind == "generate" else ("midi",):
        if getattr(body, key) is None:
            raise RefusalError(422, f"{key} is missing; a job of kind {kind} needs it", field=key)
    if body.score is not None and body.request is not None and kind == "generate":
        envelope = GenerateBody(body.score, body.request, prompt=body.prompt)
        return JobRequest(kind, body.model, body.webhook_url, envelope)
    return JobRequest(kind, body.model, body.webhook_url, form=_form_of(body))


def _form_of(body: JobBody) -> Form:
    try:
        file = base64.b64decode(body.midi or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusalError(400, f"midi is not base64 ({error})", field="midi") from error
    if body.prompt is not None and "prompt" in body.options:
        raise RefusalError(422, "prompt stands in options, too; give one of them", field="prompt")
    options = {**body.options, **({} if body.prompt is None else {"prompt": body.prompt})}
    fields = {name: _texts(value) for name, value in options.items()}
    return Form("song.mid", file, fields)  # no name of its own: the same order is the same job


def _texts(value: Any) -> list[str]:
    """An option of JSON as a form would have sent it."""
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)] or [""]
    if isinstance(value, dict):
        return [responses.to_json(value).decode()]
    return [str(value).lower() if isinstance(value, bool) else str(value)]
