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
_SILENT = 12  # the place after the pitch classes, where nothing ever sounds: fills chords of three tones up
_CHORDS = [(root, kind) for root in range(12) for kind in KINDS]
_TONES = np.array(
    [[(root + step) % 12 for step in KINDS[kind][0]] + [_SILENT] * (4 - len(KINDS[kind][0])) for root, kind in _CHORDS]
)
_ROOTS = np.array([root for root, _ in _CHORDS])
_DEARER = np.array([KINDS[kind][1] for _, kind in _CHORDS])
Numbers = npt.NDArray[np.float64]
Sounding = tuple[npt.NDArray[np.int64], Numbers, Numbers]  # of each note the pitch, onset and end in quarters of a bar


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
    notes = _sounding(tracks, bar, resolution)
    whole = _best(*_profile(notes, 0.0, length))
    if whole is None:
        return
    first, second = (_best(*_profile(notes, *half)) for half in ((0.0, length / 2), (length / 2, length)))
    if first and second and first[0] != second[0] and (first[2] + second[2]) / 2 > whole[2] + HALVES:
        yield Heard(bar, 0.0, *first[:2])
        yield Heard(bar, length / 2, *second[:2])
    else:
        yield Heard(bar, 0.0, *whole[:2])


def _sounding(tracks: Sequence[Track], bar: int, resolution: int) -> Sounding:
    """The notes of a bar, and those of the bar before: notes held over the bar line sound too."""
    rows = [
        (note.pitch, onset, onset + note.duration_ticks / resolution)
        for track in tracks
        for index in (bar - 1, bar)
        if index >= 0
        for before in [track.bars[index].beat_length if index < bar else 0.0]
        for note in track.bars[index].notes
        for onset in [note.onset_ticks / resolution - before]
    ]
    pitches, onsets, ends = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(pitches, np.int64), np.array(onsets, np.float64), np.array(ends, np.float64)


def _profile(notes: Sounding, start: float, end: float) -> tuple[Numbers, int]:
    """How long each pitch class sounds between two quarters of a bar, and the class of the lowest note (-1: none)."""
    pitches, onsets, ends = notes
    sounds = np.minimum(ends, end) - np.maximum(onsets, start)
    there = sounds > 0
    profile: Numbers = np.bincount(pitches[there] % 12, sounds[there], 12).astype(np.float64)
    return profile, int(pitches[there].min()) % 12 if there.any() else -1


def _best(profile: Numbers, bass: int) -> tuple[str, float, float] | None:
    """(name, confidence, score) of the chord that fits best."""
    total = profile.sum()
    if total <= 0:
        return None
    shares = np.append(profile / total, 0.0)
    lacking = (shares[_TONES] < 0.04) & (_TONES != _SILENT)
    fits = shares[_TONES].sum(axis=1)
    scores = fits - MISSING * lacking.sum(axis=1) + BASS * (bass == _ROOTS) - _DEARER
    best = int(scores.argmax())
    root, kind = _CHORDS[best]
    rival = scores[root != _ROOTS].max()
    confidence = float(fits[best] * min(1.0, 0.5 + 2.0 * (scores[best] - rival)))
    return f"{PITCH_CLASSES[root]}{kind}", round(max(0.0, min(1.0, confidence)), 2), float(scores[best])
