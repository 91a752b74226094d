"""Pitch range: semitones from the lowest to the highest note of a track."""

from __future__ import annotations

from midigpt_core.attributes.base import Attribute
from midigpt_core.score import Score


class PitchRange(Attribute):
    """Highest pitch less lowest pitch, 0 for a silent track."""

    name = "pitch_range"
    title = "Range in semitones"
    token_type = "TrackLevelPitchRangeMax"
    track_type = "melodic"
    size = 128

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        pitches = [note.pitch for b in score.tracks[track].bars for note in b.notes]
        return max(pitches) - min(pitches) if pitches else 0
