"""Which chord each bar of a song sounds, told by its notes, with how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from midigpt_core.music import PITCH_CLASSES
from midigpt_core.score import DRUM, Score, Track

KINDS = {  # what a chord is called -> semitones above its root, and what the rarer ones must do better
    "": ((0, 4, 7), 0.0),
    "m": ((0, 3, 7), 0.0),
    "7": ((0, 4, 7, 10), 0.04),
    "maj7": ((0, 4, 7, 11), 0.05),
    "m7": ((0, 3, 7, 10), 0.05),
    "sus4": ((0, 5, 7), 0.06),
    "dim": ((0, 3, 6), 0.06),
    "m7b5": ((0, 3, 6, 10), 0.08),
}
MISSING = 0.12  # what each tone of a chord that hardly sounds takes away
BASS = 0.15  # what a root in the bass adds
HALVES = 0.2  # how much better two chords must be than one for a bar to have both
Profile = npt.NDArray[np.float64]  # (12,): quarter notes that each pitch class sounds


@dataclass(frozen=True)
class Heard:
    """A chord that is heard in a bar, counted from 0, from a quarter note of it on."""

    bar: int
    quarter: float
    name: str
    confidence: float  # 0 to 1: share of what sounds that is of the chord, by how far it leads the next root


def heard_chords(score: Score, tracks: Sequence[int] | None = None) -> tuple[Heard, ...]:
    """The chords of a song, of these tracks or of all that are melodic; bars in which nothing sounds have none."""
    meant = [t for i, t in enumerate(score.tracks) if t.track_type != DRUM and (tracks is None or i in tracks)]
    return tuple(found for bar in range(score.n_bars) for found in _in_bar(meant, bar, score.resolution))


def _in_bar(tracks: Sequence[Track], bar: int, resolution: int) -> Iterator[Heard]:
    length = max((track.bars[bar].beat_length for track in tracks), default=0.0)
    whole = _best(*_profile(tracks, bar, resolution, 0.0, length))
    if whole is None:
        return
    parts = [_best(*_profile(tracks, bar, resolution, *half)) for half in ((0.0, length / 2), (length / 2, length))]
    first, second = parts
    if first and second and first[0] != second[0] and (first[2] + second[2]) / 2 > whole[2] + HALVES:
        yield Heard(bar, 0.0, *first[:2])
        yield Heard(bar, length / 2, *second[:2])
    else:
        yield Heard(bar, 0.0, *whole[:2])


def _profile(tracks: Sequence[Track], bar: int, resolution: int, start: float, end: float) -> tuple[Profile, int]:
    """How long each pitch class sounds between two quarters of a bar, and the class of the lowest note (-1: none)."""
    profile, lowest = np.zeros(12), 128
    for track in tracks:
        before = 0.0
        for index in (bar - 1, bar):  # notes held over the bar line sound too
            if index < 0:
                continue
            before = track.bars[index].beat_length if index < bar else 0.0
            for note in track.bars[index].notes:
                onset = note.onset_ticks / resolution - before
                sounds = min(onset + note.duration_ticks / resolution, end) - max(onset, start)
                if sounds > 0:
                    profile[note.pitch % 12] += sounds
                    lowest = min(lowest, note.pitch)
    return profile, lowest % 12 if lowest < 128 else -1


def _best(profile: Profile, bass: int) -> tuple[str, float, float] | None:
    """(name, confidence, score) of the chord that fits best."""
    total = profile.sum()
    if total <= 0:
        return None
    shares = profile / total
    scores = {
        (root, kind): float(
            shares[[(root + step) % 12 for step in steps]].sum()
            - MISSING * sum(shares[(root + step) % 12] < 0.04 for step in steps)
            + BASS * (root == bass)
            - dearer
        )
        for root in range(12)
        for kind, (steps, dearer) in KINDS.items()
    }
    (root, kind), score = max(scores.items(), key=lambda item: item[1])
    rival = max(value for (other, _), value in scores.items() if other != root)
    share = float(shares[[(root + step) % 12 for step in KINDS[kind][0]]].sum())
    confidence = share * min(1.0, 0.5 + 2.0 * (score - rival))
    return f"{PITCH_CLASSES[root]}{kind}", round(max(0.0, min(1.0, confidence)), 2), score
