"""Requests on their way: who is let in, which run, and how all are stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from midigpt_cli.server.http_errors import RefusalError, busy
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.work import STOPPED_EARLY, STOPPING, Outcome, Work
from midigpt_core.errors import CancelledError

T = TypeVar("T")
log = logging.getLogger("midigpt.server")


class WorkQueue:
    """Admits work up to a limit, runs it on worker threads, and knows everything in flight by its id."""

    def __init__(self, settings: ServerSettings, observe: Callable[[Work], None]) -> None:
        self.settings = settings
        self.in_flight: dict[str, Work] = {}
        self.closing = False
        self.last_activity = time.monotonic()
        self._observe = observe
        self._per_client: Counter[str] = Counter()
        self._workers: dict[str, ThreadPoolExecutor] = {}
        self._readers = ThreadPoolExecutor(2, "midigpt-read")
        self._renderer = ThreadPoolExecutor(1, "midigpt-render")

    @property
    def running(self) -> int:
        """Requests a worker has begun."""
        return sum(work.started is not None for work in self.in_flight.values())

    def touch(self) -> None:
        """Note that somebody uses the server."""
        self.last_activity = time.monotonic()

    async def in_thread(self, task: Callable[[], T]) -> T:
        """Run something short but heavy away from the event loop, at most two at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, task)

    async def rendered(self, task: Callable[[], T]) -> T:
        """Play or draw a song: one at a time, so that nobody waits for it who only wants to be read."""
        return await asyncio.get_running_loop().run_in_executor(self._renderer, task)

    def check_room(self, client: str) -> None:
        """Refuse now what could not be admitted anyway, before any work. Raises RefusalError."""
        limits = self.settings
        if self.closing:
            raise busy("the server is stopping; try again when it is back", retry_after=10)
        if len(self.in_flight) >= limits.max_queue:
            raise busy(
                f"the server is busy: {len(self.in_flight)} requests are admitted (max_queue); try again shortly"
            )
        if limits.max_per_client and self._per_client[client] >= limits.max_per_client:
            raise busy(
                f"{client} has {self._per_client[client]} requests in flight (max_per_client); wait for one", 429
            )

    def admit(self, work: Work) -> asyncio.Future[Outcome]:
        """Queue the work; the future gives its outcome. Raises RefusalError. Call from the event loop."""
        self.check_room(work.client)
        if work.id in self.in_flight:
            raise RefusalError(409, f"request_id {work.id!r} is in flight already; use another, or leave it out")
        self.in_flight[work.id] = work
        self._per_client[work.client] += 1
        work.session.listener = work.follow
        work.session.cancel_event = work.stop
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Outcome] = loop.create_future()

        def done(run: Future[Outcome]) -> None:
            loop.call_soon_threadsafe(self._leave, work, run, answered)

        self._pool(work).submit(self._run, work).add_done_callback(done)
        return answered

    def _pool(self, work: Work) -> ThreadPoolExecutor:
        """A thread per lane of a model, which share its calls; one thread for work that shares nothing."""
        if work.label not in self._workers:
            count = self.settings.max_lanes if work.model else 1
            self._workers[work.label] = ThreadPoolExecutor(count, f"midigpt-{work.label}")
        return self._workers[work.label]

    def _run(self, work: Work) -> Outcome:
        work.started = time.monotonic()
        if work.stop.is_set():
            work.ended = work.started
            return Outcome("cancelled", work.interrupted(work), CancelledError(STOPPED_EARLY), work.stop.reason)
        if self.settings.max_generation_seconds:
            work.stop.deadline = work.started + self.settings.max_generation_seconds
        try:
            result = work.session.run_takes()
        except CancelledError as error:
            return Outcome("cancelled", work.interrupted(work), error, work.stop.reason)
        finally:
            work.ended = time.monotonic()
        return Outcome("completed", work.finish(work, result))

    def _leave(self, work: Work, run: Future[Outcome], answered: asyncio.Future[Outcome]) -> None:
        """Back in the event loop: give the seat free, whatever happened."""
        error = run.exception()
        work.outcome = run.result() if error is None else Outcome("failed", error=error)
        del self.in_flight[work.id]
        self._per_client -= Counter([work.client])
        self.touch()
        self._observe(work)
        log.info("generation %s", work.outcome.status, extra={"request_id": work.id, **_facts(work)})
        if not answered.done():
            answered.set_result(work.outcome)

    def cancel(self, work_id: str, reason: str = "cancelled by the caller") -> bool:
        """Ask a piece of work to stop; False when none of this id is in flight."""
        work = self.in_flight.get(work_id)
        if work is not None:
            work.stop.because(reason)
        return work is not None

    async def close(self, seconds: float) -> None:
        """Admit nothing more, give what runs this long to finish, then stop it and wait until it has."""
        self.closing = True
        until = time.monotonic() + seconds
        while self.in_flight and time.monotonic() < until:
            await asyncio.sleep(0.05)
        for work_id in list(self.in_flight):
            self.cancel(work_id, STOPPING)
        while self.in_flight:
            await asyncio.sleep(0.02)
        for pool in [*self._workers.values(), self._readers, self._renderer]:
            pool.shutdown(wait=False)


def _facts(work: Work) -> dict[str, Any]:
    return {
        "kind": work.kind,
        "model": work.label,
        "queue_s": round(work.queue_seconds, 3),
        "run_s": round(work.run_seconds, 3),
        "bars": work.progress.bars_done,
        "tokens": work.session.token_count,
        "stopped_because": work.stop.reason,
    }
