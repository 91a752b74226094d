"""The jobs of one server: kept while they run and for a while after, announced by webhook when they end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from midigpt_cli.server import responses
from midigpt_cli.server.http_errors import RefusalError, busy, describe, log_fault
from midigpt_cli.server.prometheus import Counter
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.webhooks import Message, Postman
from midigpt_cli.server.work import Outcome, Work, snapshot
from midigpt_core import trace
from midigpt_core.generation.take import Take
from midigpt_core.midi_file import score_to_bytes

SWEEP_SECONDS = 10.0


@dataclass(frozen=True)
class Once:
    """Caller and content: an Idempotency-Key makes a job once, however often it is sent."""

    caller: str
    key: str | None
    content: str  # digest of the order


@dataclass(frozen=True)
class TakeFile:
    """One finished take: its JSON, and its .mid file."""

    packed: bytes  # the JSON, compressed: scores repeat themselves
    packed_midi: bytes

    @classmethod
    def of(cls, json: bytes, midi: bytes) -> TakeFile:
        """Pack them."""
        return cls(zlib.compress(json, 1), zlib.compress(midi, 1))

    @property
    def json(self) -> bytes:
        return zlib.decompress(self.packed)

    @property
    def midi(self) -> bytes:
        return zlib.decompress(self.packed_midi)

    @property
    def size(self) -> int:
        """Bytes it takes while it is kept."""
        return len(self.packed) + len(self.packed_midi)


@dataclass
class Job:
    """One job. Takes are added in the worker's thread, the rest changes in the event loop."""

    id: str
    kind: str
    model: str
    webhook_url: str | None = None
    root: str = ""  # before every path, as a proxy has it
    created: float = field(default_factory=time.time)
    ended: float | None = None
    takes: dict[int, TakeFile] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)  # further results, by name
    outcome: Outcome | None = None
    expires: float | None = None
    answered: asyncio.Future[Outcome] | None = None  # once it is admitted
    work: Work = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def new(cls, kind: str, model: str, webhook_url: str | None, root: str = "") -> Job:
        """A job with an id of its own."""
        return cls(f"job_{uuid.uuid4().hex}", kind, model, webhook_url, root)

    @property
    def urls(self) -> dict[str, str]:
        """Where to look, and where to stop it (DELETE)."""
        return dict.fromkeys(("get", "cancel"), f"{self.root}/jobs/{self.id}")

    @property
    def status(self) -> str:
        """queued, running, succeeded, failed or cancelled."""
        if self.outcome is not None:
            return {"completed": "succeeded"}.get(self.outcome.status, self.outcome.status)
        return "queued" if self.work.started is None else "running"

    def follow(self, event: trace.Event) -> None:
        """Keep a take as soon as it is finished."""
        if isinstance(event, trace.TakeReady):
            self.keep(event.take, self.work.writing.ready(event.take), self.work.progress.steps)

    def keep(self, number: int, take: Take, steps: int) -> None:
        """Render a take, once."""
        if number in self.takes:
            return
        facts = {
            "take": number,
            "midi": f"{self.root}/jobs/{self.id}/takes/{number}.mid",
            **responses.candidate(steps, take),
        }
        if self.kind == "infill":
            facts.pop("score")
        made = TakeFile.of(responses.to_json(facts), score_to_bytes(take.score))
        with self._lock:
            self.takes[number] = made

    @property
    def size(self) -> int:
        """Bytes its results take."""
        summary = len(self.outcome.body.data) if self.outcome and self.outcome.body else 0
        return summary + sum(take.size for take in self.takes.values()) + sum(map(len, self.files.values()))

    def end(self, outcome: Outcome, expires_after: float) -> None:
        """Note how it ended, and let go of the music it was made from: what callers may ask for is in its takes."""
        self.outcome, self.ended = outcome, time.time()
        self.expires = self.ended + expires_after
        self.work.release()

    def json(self) -> bytes:
        """The job as callers and webhooks see it."""
        with self._lock:
            results = [self.takes[number].json for number in sorted(self.takes)]
        head = responses.to_json(self._facts())[:-1]
        summary = self.outcome.body.data if self.outcome and self.outcome.body else b"null"
        return head + b',"results":[' + b",".join(results) + b'],"summary":' + summary + b"}"

    def _facts(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "model": self.model,
            "status": self.status,
            "created_at": moment(self.created),
            "ended_at": moment(self.ended),
            "expires_at": moment(self.expires),
            "progress": snapshot(self.work),
            "error": self.failure(),
            "urls": self.urls,
        }

    def failure(self) -> dict[str, Any] | None:
        """Why it did not succeed; None while it runs and where it did."""
        if self.outcome is None or self.outcome.status == "completed":
            return None
        if self.outcome.status == "cancelled":
            return {"detail": self.outcome.reason, "error": "Cancelled", "status": None}
        assert self.outcome.error is not None
        status, body, _ = describe(self.outcome.error)
        return {**body, "status": status}


def moment(seconds: float | None) -> str | None:
    """Seconds since 1970 as callers see them."""
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


class JobStore:
    """All jobs by id, oldest first; ended ones are forgotten in time, or to make room."""

    def __init__(self, settings: ServerSettings, webhooks: Counter) -> None:
        self.settings = settings
        self.postman = Postman(settings, webhooks)
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._keys: dict[tuple[str, str], tuple[str, Job]] = {}

    def make_room(self) -> None:
        """Let the oldest ended job go where there are too many. Raises RefusalError (429)."""
        self.sweep()
        if len(self._jobs) >= self.settings.max_jobs:
            oldest = next((old.id for old in self._jobs.values() if old.ended is not None), None)
            if oldest is None:
                raise busy(f"{len(self._jobs)} jobs are under way (max_jobs); wait for one to end", 429)
            self.forget(oldest)

    def add(self, job: Job, once: Once) -> Job:
        """Keep a new job; the one that goes by the same Idempotency-Key, where another replica was faster."""
        self._jobs[job.id] = job
        if once.key:
            self._keys[once.caller, once.key] = (once.content, job)
        return job

    def get(self, job_id: str) -> Job:
        """The job of this id. Raises RefusalError (404)."""
        self.sweep()
        if job_id not in self._jobs:
            raise RefusalError(404, f"no job {job_id[:80]!r}; it has expired, was deleted, or never was")
        return self._jobs[job_id]

    def forget(self, job_id: str) -> None:
        """Drop a job and its takes."""
        self._jobs.pop(job_id, None)
        self._keys = {key: row for key, row in self._keys.items() if row[1].id != job_id}

    def made_before(self, once: Once) -> Job | None:
        """The job this caller made under the same Idempotency-Key. Raises RefusalError (409) for other content."""
        self.sweep()
        found = self._keys.get((once.caller, once.key)) if once.key else None
        if found is None:
            return None
        self.check_content(once, found[0])
        return found[1]

    def check_content(self, once: Once, content: str) -> None:
        """Raises RefusalError (409) where an Idempotency-Key comes with another order."""
        if content != once.content:
            raise RefusalError(
                409, f"Idempotency-Key {str(once.key)[:80]!r} was used for another request; choose a new one"
            )

    def stop(self, job: Job) -> None:
        """Have a job that is under way stopped."""
        job.work.stop.because("cancelled by the caller")

    @property
    def reachable(self) -> bool:
        """Whether jobs can be kept."""
        return True

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Note how a job ended, and tell its webhook."""
        job.end(outcome, self.settings.job_seconds)
        self._make_space(job)
        if outcome.status == "failed" and outcome.error is not None:
            log_fault(outcome.error, job.id)
        if job.webhook_url:
            self.postman.send(Message.of(job.id, job.webhook_url, job.json()))

    def _make_space(self, newest: Job) -> None:
        """Let the oldest ended jobs go where the results of all take too much."""
        most, held = self.settings.max_jobs_mb * 1e6, sum(job.size for job in self._jobs.values())
        for job in [old for old in self._jobs.values() if old.ended is not None and old is not newest]:
            if held <= most:
                return
            held -= job.size
            self.forget(job.id)

    def sweep(self) -> None:
        """Forget what has expired."""
        now = time.time()
        for job_id in [job.id for job in self._jobs.values() if job.expires is not None and job.expires < now]:
            self.forget(job_id)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep now and then; at the end, let webhooks under way arrive."""
        broom = asyncio.create_task(self._sweep_often())
        try:
            yield
        finally:
            broom.cancel()
            await self.postman.close(min(5.0, self.settings.stop_seconds))

    async def _sweep_often(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()
