"""Pitch class set: how many different pitch classes a bar or a track uses."""

from __future__ import annotations

from midigpt_core.attributes.base import Attribute, bars_in_scope
from midigpt_core.score import Score


class PitchClassSet(Attribute):
    """Number of pitch classes, 0 to 12.

    The encoder looks for the bar values under "bar_PitchClassSet_<bar>"; revision 1 files them under the token's long
    name, so that no prompt shows them: prompts of the published checkpoints have always been so. Revision 2 files
    them where the encoder looks.
    """

    title = "Different note names"
    size = 13

    def __init__(self, level: str = "bar", track_type: str = "melodic") -> None:
        self.level = level
        self.track_type = track_type
        self.name = "pitch_class_set" if level == "bar" else "pitch_class_set_track"
        self.token_type = "BarLevelPitchClassSet" if level == "bar" else "PitchClassSetTrack"

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        bars = bars_in_scope(self, score.tracks[track], bar)
        return len({note.pitch % 12 for b in bars for note in b.notes})

    def key(self, bar: int | None = None) -> str:
        if self.revision > 1 and self.level == "bar":
            return f"bar_PitchClassSet_{bar}"
        return super().key(bar)

    def labels(self) -> tuple[str, ...]:
        return tuple(str(i) for i in range(13))
