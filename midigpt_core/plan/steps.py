"""Decide which bars each generation step writes, and the window of bars it sees while doing so.

Windows follow the bars to be written, not a grid that begins at bar 0:

- *Autoregressive* tracks get a step each. A step keeps some bars of the track's own history in its window and
  writes on from there to the window's right edge, or to the end of the run of consecutive bars.
- *Infill* tracks are written several at a time. Their bars are taken in chunks, each in the middle of its window,
  so that the model hears both what comes before and what comes after.

Autoregressive steps come first. Steps are run in order, so a later step hears the bars an earlier one wrote.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from midigpt_core.errors import RequestValidationError

Cell = tuple[int, int]  # (track, bar), both counted from 0

DEFAULT_WINDOW = 8  # bars, for an encoder that names no window lengths


@dataclass(frozen=True)
class PlanOptions:
    """How a request is cut into steps. 0 means "auto" where it says so."""

    window: int = 0  # bars the model sees at once; 0: the longest of `windows` that the piece fills
    windows: tuple[int, ...] = ()  # window lengths the checkpoint was trained on (its num_bars_map)
    bars_per_step: int = 0  # bars written at once, 1 to window; 0: infill a whole window, autoregressive by overlap
    tracks_per_step: int = 0  # infill tracks written at once; 0: all of them
    ar_overlap: float = 0.5  # 0-1: share of the window that is history, where bars_per_step is 0 (autoregressive)
    min_overlap_bars: int = 2  # at least this many bars of history, where there are any (autoregressive)
    autoregressive: frozenset[int] = frozenset()  # tracks written left to right instead of filled in


@dataclass(frozen=True)
class Step:
    """One run of the model: a window of the piece, and the cells it writes there. All counted from 0."""

    start_bar: int  # first bar of the window
    end_bar: int  # one past the last bar of the window, at most the piece's length
    autoregressive: bool
    cells: frozenset[Cell]  # (track, bar) of the piece to write
    window: int = 0  # bars the model is told; more than end_bar - start_bar where the piece is shorter
    pending: frozenset[Cell] = frozenset()  # cells inside the window that a later step writes

    @property
    def n_bars(self) -> int:
        """Bars of the window, padding included."""
        return max(self.window, self.end_bar - self.start_bar)

    @property
    def local_cells(self) -> frozenset[Cell]:
        """The cells to write, with bars counted from the start of the window."""
        return frozenset((track, bar - self.start_bar) for track, bar in self.cells)


def plan_steps(targets: Iterable[Cell], n_bars: int, options: PlanOptions | None = None) -> list[Step]:
    """The steps that write every target cell exactly once, in the order they are to be run.

    `targets` holds (track, bar) pairs and `n_bars` is the piece's length, both counted from 0.
    Raises RequestValidationError for a target outside the piece or options that cannot be met.
    """
    options = options or PlanOptions()
    by_track = _bars_by_track(targets, n_bars)
    window = choose_window(n_bars, options.window, options.windows)
    _check(options, window)
    tracks = sorted(by_track)
    forward = [track for track in tracks if track in options.autoregressive]
    filled = [track for track in tracks if track not in options.autoregressive]
    frame = _Frame(n_bars, window)
    steps = [step for track in forward for step in _continue_track(track, by_track[track], frame, options)]
    group_size = options.tracks_per_step or max(1, len(filled))
    for first in range(0, len(filled), group_size):
        group = {track: by_track[track] for track in filled[first : first + group_size]}
        steps.extend(_fill_tracks(group, frame, options.bars_per_step))
    return with_pending(steps)


def choose_window(n_bars: int, wanted: int = 0, windows: tuple[int, ...] = ()) -> int:
    """The window length in bars: `wanted`, or (0) the longest of `windows` that the piece fills, else the shortest.

    Raises RequestValidationError where `wanted` is not among `windows`.
    """
    if wanted:
        if windows and wanted not in windows:
            known = ", ".join(str(length) for length in sorted(windows))
            raise RequestValidationError(
                f"model_dim: a window of {wanted} bars is not one this checkpoint knows; choose one of {known}",
                field="model_dim",
                value=wanted,
                remedy=f"one of {known}",
            )
        return wanted
    if not windows:
        return min(n_bars, DEFAULT_WINDOW)
    return max((length for length in windows if length <= n_bars), default=min(windows))


def smaller_window(window: int, windows: tuple[int, ...]) -> int | None:
    """The next shorter window length, for a step that does not fit the model however few tracks it keeps."""
    return max((length for length in windows if length < window), default=None)


def history_bars(window: int, options: PlanOptions) -> int:
    """Bars of its own past an autoregressive step keeps in its window."""
    if options.bars_per_step:
        return window - min(options.bars_per_step, window)
    history = max(options.min_overlap_bars, math.ceil(options.ar_overlap * window))
    return min(history, window - 1)


def runs(bars: Iterable[int]) -> list[tuple[int, int]]:
    """The runs of consecutive bars as (first, one past the last), in order."""
    found: list[tuple[int, int]] = []
    for bar in sorted(set(bars)):
        if found and found[-1][1] == bar:
            found[-1] = (found[-1][0], bar + 1)
        else:
            found.append((bar, bar + 1))
    return found


@dataclass(frozen=True)
class _Frame:
    """The piece and the window that slides over it."""

    n_bars: int
    window: int

    def start(self, wanted: int) -> int:
        """`wanted`, moved so that a window beginning there lies inside the piece."""
        return max(0, min(wanted, self.n_bars - self.window))

    def step(self, start: int, cells: frozenset[Cell], autoregressive: bool) -> Step:
        return Step(start, min(start + self.window, self.n_bars), autoregressive, cells, self.window)


def _continue_track(track: int, bars: list[int], frame: _Frame, options: PlanOptions) -> Iterator[Step]:
    """Write one track left to right, each step hearing the bars before it."""
    history = history_bars(frame.window, options)
    enough = min(history, options.min_overlap_bars)
    for first, end in runs(bars):
        position = first
        while position < end:
            flush = frame.start(end - frame.window)  # the window that ends with the run
            start = flush if position - flush >= enough else frame.start(position - history)
            stop = min(end, start + frame.window)
            yield frame.step(start, frozenset((track, bar) for bar in range(position, stop)), True)
            position = stop


def _fill_tracks(group: dict[int, list[int]], frame: _Frame, bars_per_step: int) -> Iterator[Step]:
    """Fill the bars of a group of tracks, chunk after chunk, each in the middle of its window."""
    span = min(bars_per_step or frame.window, frame.window)
    cells_at: dict[int, list[Cell]] = {}
    for track, bars in group.items():
        for bar in bars:
            cells_at.setdefault(bar, []).append((track, bar))
    waiting = sorted(cells_at, reverse=True)
    while waiting:
        first = last = waiting.pop()
        cells = list(cells_at[first])
        while waiting and waiting[-1] < first + span:
            last = waiting.pop()
            cells += cells_at[last]
        start = frame.start((first + last + 1 - frame.window) // 2)
        yield frame.step(start, frozenset(cells), False)


def with_pending(steps: list[Step]) -> list[Step]:
    """Tell each step which cells of its window are still to be written."""
    later: dict[int, set[Cell]] = {}  # bar -> cells of the steps after this one
    told = []
    for step in reversed(steps):
        seen = [cell for bar in range(step.start_bar, step.end_bar) for cell in later.get(bar, ())]
        told.append(replace(step, pending=frozenset(seen)) if seen else step)
        for cell in step.cells:
            later.setdefault(cell[1], set()).add(cell)
    return told[::-1]


def _bars_by_track(targets: Iterable[Cell], n_bars: int) -> dict[int, list[int]]:
    by_track: dict[int, set[int]] = {}
    for track, bar in targets:
        if track < 0 or not 0 <= bar < n_bars:
            raise RequestValidationError(
                f"bars: bar {bar} of track {track} is outside the piece, which has bars 0 to {n_bars - 1}",
                field="bars",
                value=bar,
                remedy=f"0 to {n_bars - 1}",
            )
        by_track.setdefault(track, set()).add(bar)
    return {track: sorted(bars) for track, bars in by_track.items()}


def _check(options: PlanOptions, window: int) -> None:
    """Refuse options outside their range, naming the first."""
    ranges = (
        ("model_dim", window, 1, None),
        ("bars_per_step", options.bars_per_step, 0, options.window or None),
        ("tracks_per_step", options.tracks_per_step, 0, None),
        ("ar_overlap", options.ar_overlap, 0, 1),
        ("min_overlap_bars", options.min_overlap_bars, 0, None),
    )
    for name, value, low, high in ranges:
        if value < low or (high is not None and value > high):
            allowed = f"{low} to {high}" if high is not None else f"{low} or more"
            raise RequestValidationError(
                f"{name}: {value} is out of range; give {allowed}", field=name, value=value, remedy=allowed
            )
