"""Expressiveness: the median metric depth of a track's onsets, from strict grid (0) to free timing (12)."""

from __future__ import annotations

import statistics

from midigpt_core.attributes.base import Attribute
from midigpt_core.score import Score

LEVELS = 6
FREE = 2 * LEVELS
RAW_KEY = "_nomml_raw"


def metric_depth(onset: int, quarter: float) -> int:
    """Twice the number of halvings of a quarter note (or, plus one, of a triplet half) until the onset lies on it."""
    for level in range(LEVELS):
        if onset % (quarter / 2**level) == 0:
            return 2 * level
    for level in range(LEVELS):
        if onset % (quarter * 2 / (2**level * 3)) == 0:
            return 2 * level + 1
    return FREE


def median_depth(score: Score, track: int) -> int:
    """Median metric depth of the track's onsets, at the score's own resolution; 12 for a silent track."""
    depths = [
        metric_depth(note.onset_ticks, score.resolution) for bar in score.tracks[track].bars for note in bar.notes
    ]
    return int(statistics.median(depths)) if depths else FREE


class Nomml(Attribute):
    """Median metric depth; taken from `attributes["_nomml_raw"]` where it was measured before the grid blurred it."""

    name = "nomml"
    title = "Freedom of timing"
    token_type = "TrackLevelNomml"
    ordered = False
    size = 13

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        raw = score.tracks[track].attributes.get(RAW_KEY)
        return median_depth(score, track) if raw is None else raw

    def quantize(self, value: float) -> int:
        return max(0, min(FREE, round(value)))
