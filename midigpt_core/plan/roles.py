"""Tell what part a track plays, and how much it tells about another: bass, harmony, lead, kit, cymbals, percussion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from midigpt_core.score import DRUM, Track

SILENT, OTHER = "silent", "other"
_DRUM_SET = frozenset(range(35, 41))  # bass drums, side stick, snares, clap
_CYMBALS = frozenset((42, 44, 46, 49, 51, 52, 53, 55, 57, 59))
_BASS_PROGRAMS = range(32, 40)
_BASS_PITCH = 48.0  # mean pitch below which a line of single notes is a bass
_CHORDS = 1.8  # notes per onset from which a track is harmony

# How much a part (column) helps to guess a target (row), 0 to 1: a judgement, kept in one place.
_PARTS = ("bass", "harmony", "lead", "kit", "cymbals", "percussion", OTHER, SILENT)
_RELEVANCE = {
    "bass": (0.7, 0.8, 0.5, 0.9, 0.4, 0.4, 0.3, 0.0),
    "harmony": (0.9, 0.8, 0.7, 0.5, 0.3, 0.3, 0.3, 0.0),
    "lead": (0.8, 0.9, 0.7, 0.5, 0.3, 0.3, 0.3, 0.0),
    "kit": (0.8, 0.4, 0.3, 0.9, 0.8, 0.7, 0.3, 0.0),
    "cymbals": (0.6, 0.3, 0.3, 1.0, 0.8, 0.7, 0.3, 0.0),
    "percussion": (0.6, 0.3, 0.3, 0.9, 0.7, 0.8, 0.3, 0.0),
}
_SAME_FAMILY = 0.1  # more, where both instruments are of one General MIDI family


def role(track: Track, first: int, end: int) -> str:
    """The part a track plays in its bars from `first` to before `end`."""
    pitches, onsets = track.played(first, end)
    if not pitches:
        return SILENT
    if track.track_type == DRUM:
        return _drum_role(pitches)
    single = len(pitches) / onsets < _CHORDS
    low = sum(pitches) / len(pitches) < _BASS_PITCH
    if single and (low or track.instrument in _BASS_PROGRAMS):
        return "bass"
    return "lead" if single else "harmony"


def relevance(target: Track, target_role: str, track: Track, track_role: str) -> float:
    """How much `track` tells about what `target` plays, from 0."""
    row = _RELEVANCE.get(target_role, _RELEVANCE["kit" if target.track_type == DRUM else "lead"])
    family = target.track_type == track.track_type != DRUM and target.instrument // 8 == track.instrument // 8
    sounds = track_role != SILENT
    return row[_PARTS.index(track_role)] + (_SAME_FAMILY if family and sounds else 0.0)


def _drum_role(pitches: Sequence[int]) -> str:
    count = Counter("kit" if p in _DRUM_SET else "cymbals" if p in _CYMBALS else "percussion" for p in pitches)
    if count["kit"] * 4 > len(pitches):
        return "kit"
    return "cymbals" if count["cymbals"] * 2 > len(pitches) else "percussion"
