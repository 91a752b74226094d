"""One admitted request on its way: what it has written so far, what it came to, and how it is stopped."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_core import trace
from midigpt_core.engine import SamplingSession
from midigpt_core.errors import CancelledError
from midigpt_core.generation.run import Result, Timing

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


def snapshot(work: Work) -> dict[str, Any]:
    """The progress as it is now, as a plain dict."""
    return {**dataclasses.asdict(work.progress), "model_forward_s": work.session.timing.model_forward_s}
