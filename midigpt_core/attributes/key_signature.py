"""Key signature: the major or minor key whose profile fits the notes of the piece best."""

from __future__ import annotations

import re

from midigpt_core.attributes.base import Attribute
from midigpt_core.chords import chord_of
from midigpt_core.music import MAJOR_PROFILE, MINOR_PROFILE, key_name
from midigpt_core.score import DRUM, Score

NO_KEY = 24


def best_key(weights: list[float]) -> int:
    """0-11 major, 12-23 minor from the total weight of each pitch class, shape (12,); 24 where nothing sounds."""
    if not any(weights):
        return NO_KEY
    scores = [0.0] * 24
    for key in range(12):
        for pitch_class, weight in enumerate(weights):
            step = (pitch_class - key) % 12
            scores[key] += MAJOR_PROFILE[step] * weight
            scores[key + 12] += MINOR_PROFILE[step] * weight
    return scores.index(max(scores))


class KeySignature(Attribute):
    """Key of the whole score, every note weighted by its duration. Revision 2 leaves drum tracks out."""

    name = "key_signature"
    title = "Key of the song"
    token_type = "KeySignature"
    ordered = False
    track_type = "melodic"
    size = 25
    whole = True

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        weights = [0.0] * 12
        for part in score.tracks:
            if self.revision > 1 and part.track_type == DRUM:
                continue
            for b in part.bars:
                for note in b.notes:
                    if note.velocity > 0:
                        weights[note.pitch % 12] += note.duration_ticks
        return best_key(weights)

    def labels(self) -> tuple[str, ...]:
        return tuple(key_name(key) for key in range(self.size))

    def value_of(self, word: str) -> int | None:
        """The value of a label whose tonic may be spelled otherwise: C# major is Db major."""
        root, _, mode = word.lower().partition(" ")
        tonic = chord_of(root.capitalize()) if re.fullmatch("[a-h][#b]?", root) else None
        if tonic is None or mode not in ("major", "minor"):
            return super().value_of(word)
        return tonic.root + (12 if mode == "minor" else 0)
