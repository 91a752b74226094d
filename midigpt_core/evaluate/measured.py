"""A constraint that can be measured: its value, and how far notes meet it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from midigpt_core.constraints.line import line_of
from midigpt_core.evaluate.tasks import Task
from midigpt_core.score import Bar, Score


@dataclass(frozen=True)
class OldAndNew:
    """The bars of a task as they were and as they came out, and those of their track that stay."""

    old: Sequence[Bar]
    new: Sequence[Bar]
    kept: Sequence[Bar]
    resolution: int
    task: Task
    after: Score  # the whole piece as it came out

    @property
    def places(self) -> list[int]:
        """Which bars of the piece they are."""
        track = self.task.cells[0][0]
        return sorted(bar for t, bar in self.task.cells if t == track)

    def line(self, bar: Bar) -> list[tuple[int, int]]:
        return line_of([(note.onset_ticks, note.pitch) for note in bar.notes])


Ask = Callable[[np.random.Generator, Task], Any]  # None: nothing to be asked of this task
Found = Callable[[Any, OldAndNew], float | None]  # how far it is so, 0 to 1; None where the notes cannot tell


@dataclass(frozen=True)
class Measured:
    """One control, what is asked of it, and how that is measured."""

    name: str
    control: str  # of a track; "": what is asked are settings of the whole request, by name
    ask: Ask  # the value for all bars, or a list with one for each
    found: Found
    drums: bool = False  # whether it has a meaning for drums
