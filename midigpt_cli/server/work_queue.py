"""Requests on their way: who is let in, what runs, what it came to, and how it is stopped."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from midigpt_cli.server.http_errors import RefusalError, busy
from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_core import trace
from midigpt_core.engine import SamplingSession
from midigpt_core.errors import CancelledError
from midigpt_core.generation.run import Result, Timing

T = TypeVar("T")
log = logging.getLogger("midigpt.server")
STOPPING = "the server is stopping"
STOPPED_EARLY = "stopped by the caller before it began; nothing was written"


class Stop(threading.Event):
    """Set when a run must end, by someone or by its deadline; `reason` says why."""

    reason = ""
    deadline = float("inf")  # time.monotonic()

    def because(self, reason: str) -> None:
        """Stop the run, unless it is already being stopped for another reason."""
        self.reason = self.reason or reason
        self.set()

    def is_set(self) -> bool:
        if not super().is_set() and time.monotonic() > self.deadline:
            self.because("time limit")
        return super().is_set()


@dataclass
class Progress:
    """How far a run has come; counts grow as bars are finished."""

    bars_planned: int = 0
    bars_done: int = 0
    step: int = 0
    steps: int = 0
    attempt: int = 1
    generated_tokens: int = 0
    context_tokens: int = 0  # of the step at hand
    step_generated_tokens: int = 0  # of the step at hand, all takes
    peak_context_tokens: int = 0
    max_context_tokens: int = 0
    stage: str = ""  # what is being done, where it has a name


@dataclass(frozen=True)
class Rendered:
    """An answer's body, ready to be sent."""

    data: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a run came to: `body` when it has one, else why not."""

    status: str  # completed, cancelled, failed
    body: Rendered | None = None
    error: BaseException | None = None
    reason: str = ""  # why it was cancelled


class Session(Protocol):
    """What a worker runs: bars being written, or audio being listened to."""

    listener: trace.Listener
    cancel_event: threading.Event

    @property
    def gen_count(self) -> int: ...

    @property
    def token_count(self) -> int: ...

    @property
    def timing(self) -> Timing: ...

    def run_takes(self) -> Any:
        """Do all of it. Raises CancelledError where `cancel_event` is set meanwhile."""


class Ended:
    """What is left of a session that has run: its numbers."""

    def __init__(self, gen_count: int, token_count: int, timing: Timing) -> None:
        self.gen_count, self.token_count, self.timing = gen_count, token_count, timing
        self.listener: trace.Listener = trace.ignore
        self.cancel_event = threading.Event()

    def run_takes(self) -> Any:
        raise CancelledError(STOPPED_EARLY)


def nothing(*_: Any) -> Any:
    """Nothing is made of what has ended."""


@dataclass
class Work:
    """One admitted request."""

    id: str
    kind: str
    model: ModelEntry | None  # None: no model of ours writes anything
    session: Session
    client: str
    finish: Callable[[Work, Result], Rendered]  # makes the answer's body, in the worker's thread
    interrupted: Callable[[Work], Rendered | None]  # the same when stopped half-way
    stop: Stop = field(default_factory=Stop)
    listeners: list[trace.Listener] = field(default_factory=list)  # called in worker threads
    progress: Progress = field(default_factory=Progress)
    admitted: float = field(default_factory=time.monotonic)
    started: float | None = None
    ended: float | None = None
    outcome: Outcome | None = None
    _seen: set[tuple[int, int, int, int]] = field(default_factory=set)
    _counts: dict[int, int] = field(default_factory=dict)  # per take: tokens of the attempt at hand

    def __post_init__(self) -> None:
        if self.model is not None and isinstance(self.session, SamplingSession):
            takes = self.session.request.config.num_candidates
            self.progress.bars_planned = self.session.plan.bars * takes
            self.progress.max_context_tokens = self.model.engine.model.n_positions

    @property
    def writing(self) -> SamplingSession:
        """Its session, where a model of ours writes."""
        assert isinstance(self.session, SamplingSession)
        return self.session

    @property
    def label(self) -> str:
        """The model's id, or the kind of work where there is no model."""
        return self.model.id if self.model else self.kind

    @property
    def queue_seconds(self) -> float:
        """Time spent waiting for a worker."""
        return (self.started or time.monotonic()) - self.admitted

    @property
    def run_seconds(self) -> float:
        """Time spent running."""
        return 0.0 if self.started is None else (self.ended or time.monotonic()) - self.started

    def release(self) -> None:
        """Once it has ended: keep the numbers, let the session and all it holds go."""
        self.session = Ended(self.session.gen_count, self.session.token_count, self.session.timing)
        self.listeners, self.finish, self.interrupted = [], nothing, nothing

    def follow(self, event: trace.Event) -> None:
        """Keep the progress up to date and pass the event on."""
        self._count(event)
        for listener in self.listeners:
            listener(event)

    def _count(self, event: trace.Event) -> None:
        now = self.progress
        match event:
            case trace.StepStarted():
                now.step, now.steps, now.attempt = event.step + 1, event.steps, 1
                now.context_tokens, now.step_generated_tokens = event.prompt_tokens, 0
                self._counts.clear()
            case trace.BarReady():
                self._seen.add((now.step, event.take, event.track, event.bar))
                now.bars_done = len(self._seen)
                self._counts[event.take] = max(event.tokens, self._counts.get(event.take, 0))
                grown = sum(self._counts.values())
                now.generated_tokens += max(0, grown - now.step_generated_tokens)
                now.step_generated_tokens = max(now.step_generated_tokens, grown)
                now.peak_context_tokens = max(now.peak_context_tokens, now.context_tokens + event.tokens)
            case trace.AttemptRejected():
                now.attempt = event.attempt + 1
            case trace.StepDone():
                now.generated_tokens += max(0, event.tokens - now.step_generated_tokens)


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


def snapshot(work: Work) -> dict[str, Any]:
    """The progress as it is now, as a plain dict."""
    return {**dataclasses.asdict(work.progress), "model_forward_s": work.session.timing.model_forward_s}
