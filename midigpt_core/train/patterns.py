"""Which bars of a window are to be written: the patterns users ask for, one small function each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Cell = tuple[int, int]  # (track, bar), both in the window
Sounding = NDArray[np.bool_]  # [track, bar]: whether the cell has notes
Pattern = Callable[[np.random.Generator, Sounding], set[Cell]]

EMPTY_KEPT = 0.2  # share of silent cells that stay targets, where a pattern picks cells one by one


def one_bar(rng: np.random.Generator, sounding: Sounding) -> set[Cell]:
    """A single bar with notes."""
    cells = np.argwhere(sounding)
    track, bar = cells[rng.integers(len(cells))]
    return {(int(track), int(bar))}


def bars_of_a_track(rng: np.random.Generator, sounding: Sounding) -> set[Cell]:
    """Two to four bars in a row of one track."""
    ((track, bar),) = one_bar(rng, sounding)
    return {(track, b) for b in _run(rng, bar, int(rng.integers(2, 5)), sounding.shape[1])}


def bars_here_and_there(rng: np.random.Generator, sounding: Sounding) -> set[Cell]:
    """Two to four bars of one track, anywhere."""
    ((track, first),) = one_bar(rng, sounding)
    count = min(int(rng.integers(2, 5)), sounding.shape[1])
    return {(track, first)} | {(track, int(b)) for b in rng.permutation(sounding.shape[1])[: count - 1]}


def whole_track(rng: np.random.Generator, sounding: Sounding) -> set[Cell]:
    """Every bar of one track that sounds somewhere."""
    ((track, _),) = one_bar(rng, sounding)
    return {(track, b) for b in range(sounding.shape[1])}


def some_tracks(rng: np.random.Generator, sounding: Sounding) -> set[Cell]:
    """A run of bars, half the window at most, of two or three tracks."""
    tracks = rng.permutation(sounding.shape[0])[: int(rng.integers(2, 4))]
    ((_, bar),) = one_bar(rng, sounding)
    bars = _run(rng, bar, int(rng.integers(1, sounding.shape[1] // 2 + 1)), sounding.shape[1])
    return _sounding_or_few(rng, sounding, {(int(t), b) for t in tracks for b in bars})


def all_tracks(rng: np.random.Generator, sounding: Sounding) -> set[Cell]:
    """One to four bars in a row of every track."""
    ((_, bar),) = one_bar(rng, sounding)
    bars = _run(rng, bar, int(rng.integers(1, 5)), sounding.shape[1])
    return {(t, b) for t in range(sounding.shape[0]) for b in bars}


def scattered(rng: np.random.Generator, sounding: Sounding) -> set[Cell]:
    """A tenth to a half of all cells, each by chance."""
    picked = np.argwhere(rng.random(sounding.shape) < rng.uniform(0.1, 0.5))
    cells = _sounding_or_few(rng, sounding, {(int(t), int(b)) for t, b in picked})
    return cells or one_bar(rng, sounding)


def last_bars(rng: np.random.Generator, sounding: Sounding) -> set[Cell]:
    """The window's last bars, of one track or of all."""
    n_tracks, n_bars = sounding.shape
    count = int(rng.integers(1, n_bars // 2 + 1))
    ((track, _),) = one_bar(rng, sounding)
    tracks = range(n_tracks) if rng.random() < 0.4 else [track]
    return {(t, b) for t in tracks for b in range(n_bars - count, n_bars)}


# Name in a configuration -> how the bars are chosen, and the share of windows that do so unless told otherwise.
PATTERNS: dict[str, tuple[Pattern, float]] = {
    "one_bar": (one_bar, 0.08),
    "bars_of_a_track": (bars_of_a_track, 0.2),
    "bars_here_and_there": (bars_here_and_there, 0.08),
    "whole_track": (whole_track, 0.14),
    "some_tracks": (some_tracks, 0.1),
    "all_tracks": (all_tracks, 0.1),
    "scattered": (scattered, 0.12),
    "last_bars": (last_bars, 0.06),
}
CONTINUE, CONTINUE_SHARE = "continue", 0.12  # not an infill: the window is written left to right, one track last


def _run(rng: np.random.Generator, bar: int, count: int, n_bars: int) -> list[int]:
    """`count` bars in a row that hold `bar`, inside the window."""
    count = min(count, n_bars)
    low, high = max(0, bar - count + 1), min(bar, n_bars - count)
    start = int(rng.integers(low, high + 1))
    return list(range(start, start + count))


def _sounding_or_few(rng: np.random.Generator, sounding: Sounding, cells: set[Cell]) -> set[Cell]:
    """The cells that have notes, and a few of those that have none."""
    kept = {cell for cell in sorted(cells) if sounding[cell] or rng.random() < EMPTY_KEPT}
    return kept or one_bar(rng, sounding)
