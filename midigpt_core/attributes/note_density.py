"""Note density: how many notes a bar holds, against what is usual for the instrument."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

from midigpt_core.attributes.base import Attribute
from midigpt_core.score import DRUM, Score, Track

DRUM_ROW = 128


@cache
def density_bounds() -> tuple[tuple[int, ...], ...]:
    """Nine upper bounds (notes in a bar) for each of the 128 programs, then for drums: shape (129, 9)."""
    rows = json.loads(files("midigpt_core.attributes").joinpath("density_bounds.json").read_text())
    return tuple(tuple(rows[str(i)]) for i in range(len(rows)))


def density_class(track: Track, notes: int) -> int:
    """The class, 0 to 9, of this many notes in a bar of such a track."""
    row = DRUM_ROW if track.track_type == DRUM else track.instrument
    bounds = density_bounds()
    return sum(notes > bound for bound in bounds[row if 0 <= row < len(bounds) else 0])


class NoteDensityQuantile(Attribute):
    """Notes of a bar, or of the average sounding bar, in ten classes of the instrument's own scale."""

    title = "Note density"
    size = 10

    def __init__(self, level: str = "track", track_type: str = "drum") -> None:
        self.level = level
        self.track_type = track_type
        self.name = "bar_note_density" if level == "bar" else "note_density"
        self.token_type = "BarLevelOnsetDensity" if level == "bar" else "NoteDensity"

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        part = score.tracks[track]
        if self.level == "bar" and bar is not None:
            return density_class(part, len(part.bars[bar].notes)) if bar < len(part.bars) else 0
        counts = [len(b.notes) for b in part.bars if b.notes]
        return density_class(part, round(sum(counts) / max(len(counts), 1)))

    def labels(self) -> tuple[str, ...]:
        return ("0 (sparsest)", *map(str, range(1, 9)), "9 (densest)")

    def value_of(self, word: str) -> int | None:
        """The value of a label, or of a tenth as MIDI-GPT calls it: Q0 to Q9."""
        tenth = word.strip().upper()
        return int(tenth[1]) if re.fullmatch("Q[0-9]", tenth) else super().value_of(word)


class NoteDensity(Attribute):
    """Average number of notes in a bar, counted as it is."""

    name = "note_density"
    title = "Notes in a bar"
    token_type = "NoteDensity"
    track_type = "melodic"
    size = 10

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        bars = score.tracks[track].bars
        return sum(len(b.notes) for b in bars) / len(bars) if bars else 0

    def quantize(self, value: float) -> int:
        return min(int(value), 127)
