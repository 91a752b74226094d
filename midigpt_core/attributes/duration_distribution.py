"""Duration distribution: the most common duration level of a track."""

from __future__ import annotations

from collections import Counter

from midigpt_core.attributes.base import Attribute
from midigpt_core.attributes.note_duration import DURATION_NAMES, duration_level
from midigpt_core.score import Score

QUARTER = DURATION_NAMES.index("quarter")


class NoteDurationDistribution(Attribute):
    """The duration level most notes have, the first met among equals; quarter for a silent track."""

    name = "note_duration_dist"
    title = "Most common note length"
    token_type = "NoteDurationDist"
    ordered = False
    size = 6

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        ticks = [note.duration_ticks for b in score.tracks[track].bars for note in b.notes if note.duration_ticks > 0]
        if not ticks:
            return QUARTER
        return Counter(duration_level(t / score.resolution) for t in ticks).most_common(1)[0][0]

    def labels(self) -> tuple[str, ...]:
        return DURATION_NAMES
