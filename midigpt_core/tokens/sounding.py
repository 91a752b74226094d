"""Count the notes that sound at each tick of a window on one track, so that a limit on them can be kept."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


class Sounding:
    """What sounds on one track. Ticks are those of the grid, from the start of the window."""

    def __init__(self, track: int, limit: int, ticks: int, kept: Iterable[tuple[int, int, int]] = ()) -> None:
        """kept: the notes that stay, (start, end, pitch)."""
        self.track = track
        self.limit = limit
        self._count = np.zeros(ticks, dtype=np.int16)
        self._kept = tuple(kept)
        for start, end, _ in self._kept:
            self._count[max(0, start) : max(0, end)] += 1

    def room(self, start: int, stop: int, length: int = 1) -> NDArray[np.bool_]:
        """For each tick from `start` to `stop`, whether a note of `length` ticks may begin there."""
        around = self._count[start : stop - 1 + length]
        if length > 1:
            around = sliding_window_view(around, length).max(axis=1)
        return around < self.limit

    def longest(self, start: int) -> int | None:
        """The longest a note beginning at `start` may be, in ticks; None: as long as it likes."""
        full = np.flatnonzero(self._count[start:] >= self.limit)
        return int(full[0]) if len(full) else None

    def held(self, tick: int) -> list[int]:
        """Pitches of the notes that stay and sound at a tick.

        Struck again, such a pitch would sound until the held note ends: a file has one end for both.
        """
        return [pitch for start, end, pitch in self._kept if start <= tick < end]

    def add(self, start: int, length: int) -> None:
        """A note begins at `start`."""
        self._count[start : start + length] += 1

    def copy(self) -> Sounding:
        """An independent count in the same state."""
        twin = object.__new__(Sounding)
        twin.track, twin.limit, twin._kept, twin._count = self.track, self.limit, self._kept, self._count.copy()
        return twin
