"""Draw the bars that changed as a piano roll of characters: new notes bright, those they replace dim."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from midigpt_cli.parse.selectors import describe_bars, describe_track
from midigpt_core.plan.steps import runs
from midigpt_core.score import Note, Score, Track

if TYPE_CHECKING:
    from rich.text import Text

Cell = tuple[int, int]

MAX_TRACKS = 4
MAX_ROWS = 8  # lines of text per track; each shows two rows of pitches
CELLS_PER_QUARTER = 4
_OLD, _NEW, _BOTH = 1, 2, 3
_COLOURS = {_OLD: "bright_black", _NEW: "bright_green", _BOTH: "cyan"}

_GLYPHS = {_OLD: "░", _NEW: "█", _BOTH: "▓"}


@dataclass
class _Roll:
    """A grid of marks: rows of pitch buckets from the top, columns of time."""

    width: int
    low: int
    per_row: int  # pitches one row stands for
    rows: int
    marks: dict[tuple[int, int], int] = field(default_factory=dict)  # (row, column) -> old, new or both

    def add(self, pitch: int, begin: float, end: float, mark: int) -> None:
        row = self.rows - 1 - (pitch - self.low) // self.per_row
        first = min(max(int(begin), 0), self.width - 1)
        for column in range(first, max(first + 1, min(round(end), self.width))):
            self.marks[row, column] = self.marks.get((row, column), 0) | mark


def picture(before: Score, after: Score, cells: Collection[Cell], width: int, colours: bool = True) -> Text:
    """The written bars of the first tracks, no wider than the terminal; longer stretches end in an ellipsis.

    Without colours, replaced, new and kept notes are told apart by their characters, at half the height.
    """
    from rich.text import Text

    drawn = Text()
    tracks = sorted({track for track, _ in cells})
    for number in tracks[:MAX_TRACKS]:
        bars = sorted(bar for track, bar in cells if track == number)
        first, end = runs(bars)[0]
        drawn.append(f"{describe_track(number, after)}, bars {describe_bars(range(first, end))}\n", style="bold")
        page = _Page(width - 1, _coloured if colours else _plain, 2 if colours else 1)
        _draw(drawn, before, after, number, range(first, end), page)
    left = len(tracks) - MAX_TRACKS
    if left > 0:
        drawn.append(f"and {left} more tracks\n")
    for words, mark in (("replaced ", _OLD), ("new ", _NEW), ("both\n", _BOTH)):
        drawn.append(f"{'█' if colours else _GLYPHS[mark]} ", style=_COLOURS[mark] if colours else "").append(words)
    return drawn


@dataclass(frozen=True)
class _Page:
    """How a roll becomes characters."""

    width: int
    character: Callable[[Sequence[int]], tuple[str, str]]  # marks above each other -> the character and its style
    rows: int  # rows of pitches that one character holds


def _draw(drawn: Text, before: Score, after: Score, number: int, bars: range, page: _Page) -> None:
    track = after.tracks[number]
    shown: list[int] = []
    lines: list[int] = []
    used = 0
    for bar in bars:  # whole bars that fit
        length = max(1, round(track.bars[bar].beat_length * CELLS_PER_QUARTER))
        if shown and used + length + 1 > page.width:
            break
        shown.append(bar)
        used += length + 1
        lines.append(used - 1)
    roll = _roll(before, after, number, shown, used, MAX_ROWS * page.rows)
    for top in range(0, roll.rows, page.rows):
        for column in range(min(used, page.width)):
            if column in lines:
                drawn.append("│", style="bright_black")
            else:
                drawn.append(*page.character([roll.marks.get((top + row, column), 0) for row in range(page.rows)]))
        drawn.append("\n" if len(shown) == len(bars) else " …\n")


def _roll(before: Score, after: Score, number: int, bars: list[int], width: int, rows: int) -> _Roll:
    pitches = [n.pitch for s in (before, after) for b in bars for n in _bar_notes(s.tracks, number, b)] or [60]
    low, high = min(pitches), max(pitches)
    per_row = max(1, -(-(high - low + 1) // rows))
    roll = _Roll(width, low, per_row, (high - low) // per_row + 1)
    for score, mark in ((before, _OLD), (after, _NEW)):
        scale, start = CELLS_PER_QUARTER / score.resolution, 0
        for bar in bars:
            for note in _bar_notes(score.tracks, number, bar):
                begin = start + note.onset_ticks * scale
                roll.add(note.pitch, begin, begin + note.duration_ticks * scale, mark)
            start += max(1, round(after.tracks[number].bars[bar].beat_length * CELLS_PER_QUARTER)) + 1
    return roll


def _bar_notes(tracks: list[Track], number: int, bar: int) -> list[Note]:
    if number >= len(tracks) or bar >= len(tracks[number].bars):
        return []
    return tracks[number].bars[bar].notes


def _coloured(marks: Sequence[int]) -> tuple[str, str]:
    """A half block for two rows of one column, and its colours."""
    upper, lower = marks
    if upper and lower:
        if upper == lower:
            return "█", _COLOURS[upper]
        return "▀", f"{_COLOURS[upper]} on {_COLOURS[lower]}"
    if upper:
        return "▀", _COLOURS[upper]
    return ("▄", _COLOURS[lower]) if lower else (" ", "")


def _plain(marks: Sequence[int]) -> tuple[str, str]:
    """A character for one row of one column."""
    return _GLYPHS.get(marks[0], " "), ""
