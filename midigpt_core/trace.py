"""What happens while a request runs, as events: the one channel for progress and diagnostics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StepStarted:
    """A planned step begins, for every take at once."""

    step: int  # from 0
    steps: int  # how many in all
    window: tuple[int, int]  # first bar, bar after the last
    targets: tuple[tuple[int, int], ...]  # (track, bar) to be written
    prompt_tokens: int  # of the longest take


@dataclass(frozen=True)
class BarReady:
    """One bar of one take is complete (an attempt may still be rejected)."""

    take: int
    track: int
    bar: int
    notes: tuple[tuple[int, int, int, int], ...]  # (pitch, velocity, onset ticks, duration ticks), score resolution
    tokens: int  # tokens written so far in this attempt


@dataclass(frozen=True)
class AttemptRejected:
    """An attempt failed its checks."""

    take: int
    step: int
    attempt: int  # from 1
    reason: str


@dataclass(frozen=True)
class TakeReady:
    """A take passed the checks of its last step; others of the request may still be retried."""

    take: int


@dataclass(frozen=True)
class StepDone:
    """All takes of a step are judged and pasted."""

    step: int
    steps: int
    tokens: int  # tokens written in this step, all takes and attempts


@dataclass(frozen=True)
class ConstraintRelaxed:
    """A caller's preference left no legal token and was set aside for one token."""

    take: int
    position: int  # tokens written before it
    preference: str


@dataclass(frozen=True)
class ContextDropped:
    """Tracks left out of the model's context because a step would not have fitted."""

    tracks: tuple[int, ...]


Event = StepStarted | BarReady | AttemptRejected | TakeReady | StepDone | ConstraintRelaxed | ContextDropped
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener of callers who do not listen."""
