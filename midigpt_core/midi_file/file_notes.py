"""The notes of all tracks of a file side by side, as long as nobody has asked for its bars."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from midigpt_core.midi_file.lazy_bars import BarLines
from midigpt_core.score import Score

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FileNotes:
    """N notes of T tracks: those of the first track, then those of the next, each in order of their onsets."""

    tracks: Ints  # (N,): number of the track
    bars: Ints  # (N,): bar in which the note begins
    onsets: Ints  # (N,): ticks from the file's beginning
    ends: Ints  # (N,)
    pitches: Ints  # (N,)
    velocities: Ints  # (N,)
    n_tracks: int
    lines: BarLines

    @classmethod
    def of(cls, score: Score) -> FileNotes | None:
        """The notes of a score; None where some of them are no longer as the file has them, or there are none."""
        parts = [part for part in (track.part for track in score.tracks) if part is not None]
        if not parts or len(parts) < len(score.tracks) or any(part.lines is not parts[0].lines for part in parts):
            return None
        columns = [part.notes for part in parts]
        counts = list(map(len, columns))
        if not any(counts):
            return None
        onsets = np.frombuffer(b"".join(found.onsets for found in columns), dtype=np.int64)
        return cls(
            tracks=np.repeat(np.arange(len(parts)), counts),
            bars=np.searchsorted(np.array(parts[0].lines.starts), onsets, "right") - 1,
            onsets=onsets,
            ends=np.frombuffer(b"".join(found.ends for found in columns), dtype=np.int64),
            pitches=np.frombuffer(b"".join(found.pitches for found in columns), dtype=np.uint8).astype(np.int64),
            velocities=np.frombuffer(b"".join(found.velocities for found in columns), dtype=np.uint8).astype(np.int64),
            n_tracks=len(parts),
            lines=parts[0].lines,
        )

    @property
    def starts(self) -> Ints:
        """Where each bar begins, in ticks."""
        return np.array(self.lines.starts, dtype=np.int64)

    def sounding(self) -> list[tuple[int, ...]]:
        """Per track the bars in which a note begins or is still held."""
        width = len(self.lines.starts) + 1
        rows = self.tracks * width
        last = np.maximum(self.bars, np.searchsorted(self.starts, self.ends, "left") - 1)
        begun = np.bincount(rows + self.bars, minlength=self.n_tracks * width)
        ended = np.bincount(rows + last + 1, minlength=self.n_tracks * width)
        tracks, bars = np.nonzero(np.cumsum(begun - ended).reshape(self.n_tracks, width) > 0)
        bounds, found = np.searchsorted(tracks, np.arange(self.n_tracks + 1)).tolist(), bars.tolist()
        return [tuple(found[first:end]) for first, end in pairwise(bounds)]
