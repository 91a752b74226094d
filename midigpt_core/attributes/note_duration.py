"""Note durations: how short the short notes and how long the long notes are, from 32nd to whole note."""

from __future__ import annotations

import math

from midigpt_core.attributes.base import Attribute, bars_in_scope, quantile, share_of
from midigpt_core.score import DRUM, Score

DURATION_NAMES = ("32nd", "16th", "8th", "quarter", "half", "whole")


def duration_level(quarters: float) -> int:
    """0 for a 32nd note or less, one more for each doubling, 5 for a whole note or more."""
    return int(max(0.0, min(5.0, math.log2(max(quarters, 1e-6)) + 3.0)))


class NoteDurationQuantile(Attribute):
    """The 15 % ("min") or 85 % ("max") quantile of the duration levels; drum hits count as quarters."""

    size = 6

    def __init__(self, mode: str, level: str = "track", track_type: str = "melodic") -> None:
        self.mode = mode
        self.level = level
        self.track_type = track_type
        self.title = "Shortest notes" if mode == "min" else "Longest notes"
        self.name = f"bar_{mode}_note_duration" if level == "bar" else f"{mode}_note_duration"
        self.token_type = ("Min" if mode == "min" else "Max") + "NoteDuration" + ("Bar" if level == "bar" else "")

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        part = score.tracks[track]
        quarter = max(score.resolution, 1)
        levels = [
            duration_level(1.0 if part.track_type == DRUM else note.duration_ticks / quarter)
            for b in bars_in_scope(self, part, bar)
            for note in b.notes
        ]
        return quantile(levels, share_of(self.mode))

    def labels(self) -> tuple[str, ...]:
        return DURATION_NAMES
