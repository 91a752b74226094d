"""The bars of a part of a file, and the notes of one of them, while nobody has asked for them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from midigpt_core.midi_file.bars import BarSpan
from midigpt_core.midi_file.outline import NoteColumns
from midigpt_core.score import Bar, Note


@dataclass(frozen=True, slots=True)
class Stretch:
    """The notes of a bar."""

    part: NoteColumns
    range: range  # of notes
    start: int  # the tick at which the bar begins

    def __len__(self) -> int:
        return len(self.range)

    def __deepcopy__(self, memo: object) -> Stretch:
        return self  # never changed

    @property
    def pitches(self) -> bytes:
        """The pitches of the notes."""
        return self.part.pitches[self.range.start : self.range.stop]

    def made(self) -> list[Note]:
        """The notes, as a bar has them."""
        part, start = self.part, self.start
        there = slice(self.range.start, self.range.stop)
        rows = zip(part.onsets[there], part.ends[there], part.pitches[there], part.velocities[there], strict=True)
        return [Note(pitch, velocity, onset - start, end - onset) for onset, end, pitch, velocity in rows]


class BarLines:
    """The bars of a file, which all its parts share.

    A bar cut short by a time signature keeps that signature's numbers; its `beat_length` is what is left of it.
    """

    def __init__(self, spans: Sequence[BarSpan], division: int) -> None:
        self.starts = [span.start for span in spans]
        self.stops = [*self.starts[1:], inf]
        self.kinds = [(span.numerator, span.denominator, (span.stop - span.start) / division) for span in spans]


@dataclass(frozen=True, slots=True)
class FilePart:
    """The bars of a track."""

    notes: NoteColumns
    lines: BarLines

    def __len__(self) -> int:
        return len(self.lines.starts)

    def __deepcopy__(self, memo: object) -> FilePart:
        return self  # never changed

    def made(self) -> list[Bar]:
        """All bars."""
        return self.bars(0, len(self))

    def bars(self, first: int, end: int) -> list[Bar]:
        """Bars `first` to before `end`."""
        notes, lines, bars = self.notes, self.lines, []
        at = self.notes_in(first, first).start
        for bar in range(first, min(end, len(self))):
            stop = bisect_left(notes.onsets, lines.stops[bar], at)
            kind = lines.kinds[bar]
            stretch = Stretch(notes, range(at, stop), lines.starts[bar])
            bars.append(Bar.of_file(stretch, *kind) if stop > at else Bar([], *kind))
            at = stop
        return bars

    def notes_in(self, first: int, end: int) -> range:
        """The notes that begin in bars `first` to before `end`."""
        onsets, starts, stops = self.notes.onsets, self.lines.starts, self.lines.stops
        start = bisect_left(onsets, starts[first]) if first < len(starts) else len(onsets)
        stop = bisect_left(onsets, stops[end - 1] if end <= len(stops) else inf, start) if end > first else start
        return range(start, stop)

    @property
    def heard_bars(self) -> int:
        """Bars up to the last one in which a note begins."""
        return bisect_right(self.lines.starts, self.notes.onsets[-1]) if len(self.notes) else 0
