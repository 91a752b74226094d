"""Where the bars of a file begin and the last one ends.

A time signature starts a new bar at its own tick, cutting the bar it falls in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from midigpt_core.errors import SongTooLargeError

if TYPE_CHECKING:
    from midigpt_core.midi_file.outline import Outline

MAX_BARS = 50_000  # of one file; a day of music

Signature = tuple[int, int, int]  # tick, numerator, denominator


@dataclass(frozen=True)
class BarSpan:
    """One bar of the file: its ticks and its metre. A cut bar keeps the numbers of its time signature."""

    start: int
    stop: int
    numerator: int
    denominator: int


def usable(signatures: list[Signature], division: int) -> list[Signature]:
    """The signatures in order of time, without those no bar can be counted by; 4/4 stands where none does."""
    good = sorted(s for s in signatures if s[1] > 0 and division * 4 * s[1] >= s[2])
    if not good or good[0][0] > 0:
        good.insert(0, (0, 4, 4))
    return good


def spans(signatures: list[Signature], division: int, end: int, least: int = 1, most: int = MAX_BARS) -> list[BarSpan]:
    """The bars that begin before tick `end`, at least `least` of them and always one; the last has its full length.

    Bar lines that fall between ticks are rounded one by one, so rounding never adds up. Raises
    SongTooLargeError where there would be more than `most` bars, all metres together.
    """
    metres = usable(signatures, division)
    _check_number(metres, division, end, most)
    starts: dict[int, tuple[int, int]] = {}
    for index, (tick, numerator, denominator) in enumerate(metres):
        length = division * 4 * numerator / denominator
        last = index + 1 == len(metres)
        stop = end if last else metres[index + 1][0]
        position = float(tick)
        while position < stop - 1e-6 or (last and len(starts) < max(least, 1)):
            starts[round(position)] = (numerator, denominator)
            position += length
    lines = sorted(starts)
    numerator, denominator = starts[lines[-1]]
    full = lines[-1] + max(round(division * 4 * numerator / denominator), 1)
    lines.append(min([full] + [metre[0] for metre in metres if metre[0] > lines[-1]]))
    return [BarSpan(a, b, *starts[a]) for a, b in pairwise(lines)]


def bars_end(tracks: Sequence[Outline], metres: list[Signature], division: int) -> int:
    """The tick the bars of the file must reach: its last event, and beyond a note that begins only there.

    An end-of-track mark makes no bar: programs write it a tick or a beat behind the last note. One that stands on a
    bar line is a length that somebody chose.
    """
    heard = max(track.last_event for track in tracks)
    heard += any(track.last_onset == heard for track in tracks)
    marks = [track.end_tick for track in tracks if track.end_tick > heard]
    return max([heard, *(mark for mark in set(marks) if on_bar_line(mark, metres, division))])


def on_bar_line(tick: int, signatures: list[Signature], division: int) -> bool:
    """Whether a bar begins or ends at this tick."""
    start, numerator, denominator = [metre for metre in usable(signatures, division) if metre[0] <= tick][-1]
    length = division * 4 * numerator / denominator
    return round(start + round((tick - start) / length) * length) == tick


def _check_number(metres: list[Signature], division: int, end: int, most: int) -> None:
    """Count the bars before any of them is made."""
    stops = [tick for tick, _, _ in metres[1:]] + [end]
    bars = sum(
        ceil(max(stop - tick, 0) * denominator / (division * 4 * numerator) - 1e-6)
        for (tick, numerator, denominator), stop in zip(metres, stops, strict=True)
    )
    if bars > most:
        raise SongTooLargeError("bars", most, bars)


def bar_of(lines: list[int], tick: int) -> int:
    """Index of the bar that holds this tick, given the ticks at which the bars begin."""
    return bisect_right(lines, tick) - 1
