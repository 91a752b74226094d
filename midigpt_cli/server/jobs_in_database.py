"""Jobs that outlive the process: under way in memory, from beginning to expiry in an archive that replicas share."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import threading
import time
import uuid
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from midigpt_cli.server.http_errors import RefusalError, busy, log_fault
from midigpt_cli.server.job_tables import UNDER_WAY, Archive, Ending
from midigpt_cli.server.jobs_in_memory import Job, JobStore, Once, TakeFile, moment
from midigpt_cli.server.prometheus import Counter
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.webhooks import Message
from midigpt_cli.server.work import Ended, Outcome, Progress, Work, nothing
from midigpt_core.errors import MidiGptError
from midigpt_core.generation.run import Timing

BEATS = 5  # signs of life within the time after which a replica counts as gone
INTERRUPTED = {"detail": "the server that wrote it was stopped half-way; send it again", "error": "Interrupted"}
OUT_OF_REACH = "the job store cannot be reached; try again shortly"

log = logging.getLogger("midigpt.jobs")


class _Names(Mapping[Any, Any]):
    """Files of a job by name, fetched one by one; `of` makes what callers get of the bytes."""

    def __init__(self, archive: Archive, job_id: str, names: Mapping[Any, str], of: Any) -> None:
        self._archive, self._job_id, self._names, self._of = archive, job_id, names, of

    def __getitem__(self, key: Any) -> Any:
        return self._of(self._archive.file(self._job_id, self._names[key]))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass
class KeptJob(Job):
    """A job as the archive knows it: ended, or under way on another replica."""

    document: dict[str, Any] = field(default_factory=dict)  # its JSON
    text: bytes = b""

    @classmethod
    def of(cls, row: Row[Any], archive: Archive) -> KeptJob:
        """Read one row."""
        text = zlib.decompress(row.body)
        document = json.loads(text)
        if row.status == UNDER_WAY:
            document["status"] = UNDER_WAY
            text = json.dumps(document).encode()
        job = cls(
            row.id, row.kind, row.model, row.webhook_url, row.root, row.created, row.ended, document=document, text=text
        )
        job.expires = row.expires
        names = archive.files(row.id) if row.ended is not None else []
        takes = {int(name[6:]): name for name in names if name.startswith("takes/")}
        job.takes = _Names(archive, row.id, takes, lambda data: TakeFile(b"", data))  # type: ignore[assignment]
        rest = {name: name for name in names if not name.startswith("takes/")}
        job.files = _Names(archive, row.id, rest, bytes)  # type: ignore[assignment]
        job.work = Work(row.id, row.kind, None, Ended(0, 0, Timing()), "", nothing, nothing)
        job.work.started = job.work.admitted
        known = {spot.name for spot in fields(Progress)}
        job.work.progress = Progress(**{key: value for key, value in document["progress"].items() if key in known})
        return job

    @property
    def status(self) -> str:
        return str(self.document["status"])

    def json(self) -> bytes:
        return self.text

    def failure(self) -> dict[str, Any] | None:
        error: dict[str, Any] | None = self.document["error"]
        return error


class ArchivedJobs(JobStore):
    """All jobs by id, those of other replicas and of earlier lives too."""

    def __init__(self, settings: ServerSettings, webhooks: Counter, archive: Archive) -> None:
        super().__init__(settings, webhooks)
        self.archive = archive
        self.replica = uuid.uuid4().hex
        self._over = threading.Event()

    # ---- one job ----

    def make_room(self) -> None:
        with _reached():
            self.archive.expire()
            count, _ = self.archive.held()
            if count < self.settings.max_jobs:
                return
            ended = self.archive.ended()
            if not ended:
                raise busy(f"{count} jobs are under way (max_jobs); wait for one to end", 429)
            self.archive.forget(*(job_id for job_id, _ in ended[: count - self.settings.max_jobs + 1]))

    def add(self, job: Job, once: Once) -> Job:
        row = {
            "id": job.id,
            "replica": self.replica,
            "once": _digest(once),
            "content": once.content,
            **{name: getattr(job, name) for name in ("kind", "model", "root", "created", "webhook_url")},
        }
        try:
            with _reached():
                begun = self.archive.begin(row, job.json())
        except RefusalError:
            job.work.stop.because(OUT_OF_REACH)
            raise
        if begun:
            self._jobs[job.id] = job
            return job
        job.work.stop.because("the same Idempotency-Key has begun it elsewhere")
        return self.made_before(once) or job

    def get(self, job_id: str) -> Job:
        if job_id in self._jobs:
            return self._jobs[job_id]
        with _reached():
            row = self.archive.job(job_id)
            return super().get(job_id) if row is None else KeptJob.of(row, self.archive)

    def forget(self, job_id: str) -> None:
        super().forget(job_id)
        with _reached():
            self.archive.forget(job_id)

    def made_before(self, once: Once) -> Job | None:
        digest = _digest(once)
        if digest is None:
            return None
        with _reached():
            row = self.archive.job_of(digest)
            if row is None:
                return None
            self.check_content(once, row.content)
            return self._jobs.get(row.id) or KeptJob.of(row, self.archive)

    def stop(self, job: Job) -> None:
        if job.id in self._jobs:
            super().stop(job)
            return
        with _reached():
            self.archive.ask_to_stop(job.id)

    def ended(self, job: Job, outcome: Outcome) -> None:
        if job.id not in self._jobs:
            return  # it was never begun here
        job.end(outcome, self.settings.job_seconds)
        if outcome.status == "failed" and outcome.error is not None:
            log_fault(outcome.error, job.id)
        files = {f"takes/{number}": take.packed_midi for number, take in job.takes.items()} | job.files
        assert job.ended is not None
        assert job.expires is not None
        ending = Ending(job.status, job.ended, job.expires, job.json(), files)
        try:
            if self.archive.finish(job.id, ending):
                self._announce(job.id, job.webhook_url, ending.body)
            self._jobs.pop(job.id)
            self._make_space(job)
        except SQLAlchemyError as error:  # it stays here as long as this process does
            log.error("job not archived: %s", error, extra={"job": job.id})
            self._announce(job.id, job.webhook_url, ending.body)

    def _announce(self, job_id: str, url: str | None, body: bytes) -> None:
        if url:
            self.postman.send(Message.of(job_id, url, body), partial(self._settle, job_id))

    def _settle(self, job_id: str, came_to: str) -> None:
        """In a thread of the postman: what came of a webhook."""
        try:
            self.archive.settle(job_id, came_to)
        except SQLAlchemyError as error:
            log.error("webhook not noted: %s", error, extra={"job": job_id})

    def _make_space(self, newest: Job) -> None:
        most, (_, held) = self.settings.max_jobs_mb * 1e6, self.archive.held()
        if held <= most:
            return
        for job_id, size in self.archive.ended():
            if held <= most:
                return
            if job_id != newest.id:  # others may have begun later and ended before
                self.archive.forget(job_id)
                held -= size

    # ---- replicas ----

    @property
    def reachable(self) -> bool:
        try:
            self.archive.held()
        except SQLAlchemyError:
            return False
        return True

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Give signs of life, and take over what replicas that are gone have left."""
        loop = asyncio.get_running_loop()
        keeper = threading.Thread(target=self._keep, args=(loop,), name="midigpt-jobs", daemon=True)
        keeper.start()
        try:
            async with super().running():
                yield
        finally:
            self._over.set()
            await loop.run_in_executor(None, keeper.join)
            with contextlib.suppress(SQLAlchemyError):
                self.archive.leave(self.replica)
            self.archive.engine.dispose()

    def _keep(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own, so that a busy event loop is not taken for a dead one."""
        wait = self.settings.job_lease / BEATS
        while True:
            try:
                self._round(loop)
            except SQLAlchemyError as error:
                log.error("job store: %s", error)
            if self._over.wait(wait):
                return

    def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        to_stop = self.archive.beat(self.replica, time.time() - self.settings.job_lease)
        for job in [self._jobs[job_id] for job_id in to_stop if job_id in self._jobs]:
            job.work.stop.because("cancelled by the caller")
        self.archive.expire()
        for row in self.archive.orphans():
            self.archive.interrupt(row.id, self._interrupted(row))
        if self.settings.webhook_secret:
            for row in self.archive.claim_owed(self.replica):
                loop.call_soon_threadsafe(self._announce, row.id, row.webhook_url, zlib.decompress(row.body))

    def _interrupted(self, row: Row[Any]) -> Ending:
        now = time.time()
        expires = now + self.settings.job_seconds
        document = json.loads(zlib.decompress(row.body))
        document |= {"status": "failed", "ended_at": moment(now), "expires_at": moment(expires)}
        document["error"] = {**INTERRUPTED, "status": 503}
        return Ending("failed", now, expires, json.dumps(document).encode(), {})


def _digest(once: Once) -> str | None:
    return hashlib.sha256(f"{once.caller}\0{once.key}".encode()).hexdigest() if once.key else None


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """Raise RefusalError (503) where the archive cannot be reached."""
    try:
        yield
    except SQLAlchemyError as error:
        log.error("job store: %s", error)
        raise busy(OUT_OF_REACH) from error


def archived_jobs(settings: ServerSettings, webhooks: Counter, place: str) -> ArchivedJobs:
    """The jobs kept at this place. Raises MidiGptError where it cannot be opened."""
    try:
        return ArchivedJobs(settings, webhooks, Archive(place))
    except (SQLAlchemyError, OSError) as error:
        where, why = place.rpartition("@")[2], getattr(error, "orig", None) or error  # no password
        raise MidiGptError(
            f"the job store {where} cannot be opened ({why}); correct --job-store, or use --job-store memory"
        ) from error
