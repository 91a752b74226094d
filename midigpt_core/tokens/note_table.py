"""A score as flat arrays, so that windows are cut, measured and encoded without building notes one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NoteTable:
    """T tracks, C cells (the bars of track 0, then those of track 1, ...), N notes; every int array is int32."""

    notes: Ints  # (N, 5): pitch, velocity, onset, duration, delta; onsets in ticks from the bar line
    cell_start: Ints  # (C + 1,): first note of each cell, then N
    cells: Ints  # (C, 3): numerator and denominator of the metre, 1 if `future` else 0
    quarters: Floats  # (C,): length of each bar in quarter notes
    track_start: Ints  # (T + 1,): first cell of each track, then C
    tracks: Ints  # (T, 2): program, 1 if drums else 0
    resolution: int  # ticks per quarter note

    @classmethod
    def from_score(cls, score: Score) -> NoteTable:
        """The arrays of a score; attributes and names stay behind."""
        bars = [bar for track in score.tracks for bar in track.bars]
        notes = [(n.pitch, n.velocity, n.onset_ticks, n.duration_ticks, n.delta) for bar in bars for n in bar.notes]
        return cls(
            notes=np.array(notes, dtype=np.int32).reshape(-1, 5),
            cell_start=_starts([len(bar.notes) for bar in bars]),
            cells=_rows([(bar.ts_numerator, bar.ts_denominator, int(bar.future)) for bar in bars], 3),
            quarters=np.array([bar.beat_length for bar in bars], dtype=np.float64),
            track_start=_starts([len(track.bars) for track in score.tracks]),
            tracks=_rows([(track.instrument, int(track.track_type == DRUM)) for track in score.tracks], 2),
            resolution=score.resolution,
        )

    def to_score(self) -> Score:
        """The score these arrays stand for."""
        tracks = []
        for index, (program, drums) in enumerate(self.tracks.tolist()):
            bars = [self._bar(cell) for cell in range(self.track_start[index], self.track_start[index + 1])]
            tracks.append(Track(bars=bars, instrument=program, track_type=DRUM if drums else MELODIC))
        return Score(tracks=tracks, resolution=self.resolution)

    def _bar(self, cell: int) -> Bar:
        rows = self.notes[self.cell_start[cell] : self.cell_start[cell + 1]].tolist()
        numerator, denominator, future = self.cells[cell].tolist()
        return Bar([Note(*row) for row in rows], numerator, denominator, float(self.quarters[cell]), bool(future))

    @property
    def n_tracks(self) -> int:
        return len(self.tracks)

    @property
    def n_bars(self) -> int:
        """Bars of the longest track."""
        return int(np.diff(self.track_start).max(initial=0))

    def window(self, tracks: Sequence[int], start_bar: int, end_bar: int) -> NoteTable:
        """These tracks, in this order, from `start_bar` up to `end_bar` (excluded); bars a track lacks are left out."""
        ranges = [self._cells_of(track, start_bar, end_bar) for track in tracks]
        cells = np.concatenate([np.arange(0), *(np.arange(first, end) for first, end in ranges)]).astype(np.intp)
        stretches = [self.notes[self.cell_start[first] : self.cell_start[end]] for first, end in ranges]
        return NoteTable(
            notes=np.concatenate([self.notes[:0], *stretches]),
            cell_start=_starts(np.diff(self.cell_start)[cells]),
            cells=self.cells[cells],
            quarters=self.quarters[cells],
            track_start=_starts([end - first for first, end in ranges]),
            tracks=self.tracks[list(tracks)].reshape(-1, 2),
            resolution=self.resolution,
        )

    def _cells_of(self, track: int, start_bar: int, end_bar: int) -> tuple[int, int]:
        first, last = int(self.track_start[track]), int(self.track_start[track + 1])
        return min(first + start_bar, last), min(first + end_bar, last)

    def hidden(self, cells: Sequence[int]) -> NoteTable:
        """A copy in which these cells, and no others, are marked `future`."""
        marked = self.cells.copy()
        marked[:, 2] = 0
        marked[list(cells), 2] = 1
        return replace(self, cells=marked)


@dataclass(frozen=True)
class AttributeValues:
    """Attribute values beside a NoteTable, -1 where none is to be written."""

    tracks: Ints  # (T, 10), columns as encode.TRACK_ATTRIBUTES
    cells: Ints  # (C, 6), columns as encode.BAR_ATTRIBUTES

    @classmethod
    def none(cls, table: NoteTable) -> AttributeValues:
        """No value anywhere: every entry -1."""
        from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES

        return cls(
            np.full((table.n_tracks, len(TRACK_ATTRIBUTES)), -1, dtype=np.int32),
            np.full((len(table.cells), len(BAR_ATTRIBUTES)), -1, dtype=np.int32),
        )


def _starts(lengths: Sequence[int] | Ints) -> Ints:
    starts = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=starts[1:])
    return starts


def _rows(rows: Sequence[tuple[int, ...]], width: int) -> Ints:
    return np.array(rows, dtype=np.int32).reshape(-1, width)
