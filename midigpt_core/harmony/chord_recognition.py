"""Which chord each bar of a song sounds, told by its notes, with how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from midigpt_core.attributes.key_signature import best_key
from midigpt_core.midi_file.file_notes import FileNotes
from midigpt_core.music import spelled_in
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
Profile = npt.NDArray[np.float64]  # (12,): quarter notes that each pitch class sounds


@dataclass(frozen=True)
class Heard:
    """A chord that is heard in a bar, counted from 0, from a quarter note of it on."""

    bar: int
    quarter: float
    name: str
    confidence: float  # 0 to 1: share of what sounds that is of the chord, by how far it leads the next root


class _Fit(NamedTuple):
    """A chord, and how well it fits what sounds."""

    root: int  # pitch class
    kind: str  # one of KINDS
    confidence: float
    score: float


@dataclass(frozen=True)
class AroundBar:
    """The notes of a bar and of the one before it, whose notes may be held over the bar line."""

    length: float  # of the bar; all times are in quarter notes
    onsets: Profile  # (N,), from the bar line; negative in the bar before
    lengths: Profile  # (N,)
    pitches: npt.NDArray[np.int64]  # (N,)


def heard_chords(score: Score, tracks: Sequence[int] | None = None) -> tuple[Heard, ...]:
    """The chords of a song, of these tracks or of all that are melodic; bars in which nothing sounds have none.

    They are spelled as in the key that all these notes suggest: G#m in E major, Abm in Eb minor.
    """
    wanted = None if tracks is None else set(tracks)
    meant = [i for i, t in enumerate(score.tracks) if t.track_type != DRUM and (wanted is None or i in wanted)]
    file = FileNotes.of(score)
    by_bar = _of_bars([score.tracks[i] for i in meant], score) if file is None else _of_file(file, meant, score)
    total, fits = np.zeros(12), []
    for bar, played in enumerate(by_bar):
        profile, bass = _profile(played, 0.0, played.length)
        total += profile
        fits += [(bar, quarter, fit) for quarter, fit in _in_bar(played, _best(profile, bass))]
    names = spelled_in(best_key(total.tolist()))
    return tuple(Heard(bar, quarter, names[fit.root] + fit.kind, fit.confidence) for bar, quarter, fit in fits)


def _in_bar(played: AroundBar, whole: _Fit | None) -> Iterator[tuple[float, _Fit]]:
    """(quarter note it begins on, chord): the one that fits the whole bar, or two that fit its halves far better."""
    if whole is None:
        return
    half = played.length / 2
    first, second = (_best(*_profile(played, *part)) for part in ((0.0, half), (half, played.length)))
    if first and second and first[:2] != second[:2] and (first.score + second.score) / 2 > whole.score + HALVES:
        yield 0.0, first
        yield half, second
    else:
        yield 0.0, whole


def _of_bars(tracks: Sequence[Track], score: Score) -> Iterator[AroundBar]:
    """What is played in each bar."""
    for bar in range(score.n_bars):
        rows = [
            (note.onset_ticks / score.resolution - before, note.duration_ticks / score.resolution, note.pitch)
            for track in tracks
            for index, before in ((bar - 1, track.bars[bar - 1].beat_length), (bar, 0.0))
            if index >= 0
            for note in track.bars[index].notes
        ]
        onsets, lengths, pitches = zip(*rows, strict=True) if rows else ((), (), ())
        length = max((track.bars[bar].beat_length for track in tracks), default=0.0)
        yield AroundBar(length, np.array(onsets), np.array(lengths), np.array(pitches, dtype=np.int64))


def _of_file(file: FileNotes, tracks: Sequence[int], score: Score) -> Iterator[AroundBar]:
    """The same of a score whose bars nobody has asked for yet."""
    melodic = np.zeros(file.n_tracks, dtype=bool)
    melodic[list(tracks)] = True
    meant = np.flatnonzero(melodic[file.tracks])
    quarters = [kind[2] for kind in file.lines.kinds]
    onsets = (file.onsets - file.starts[file.bars]) / score.resolution
    lengths = (file.ends - file.onsets) / score.resolution
    in_order = meant[np.argsort(file.bars[meant], kind="stable")]
    first = np.searchsorted(file.bars[in_order], np.arange(len(quarters) + 1))
    for bar, length in enumerate(quarters):
        there = np.sort(in_order[first[max(bar - 1, 0)] : first[bar + 1]])
        before = np.where(file.bars[there] < bar, quarters[bar - 1], 0.0)
        yield AroundBar(length, onsets[there] - before, lengths[there], file.pitches[there])


def _profile(played: AroundBar, start: float, end: float) -> tuple[Profile, int]:
    """How long each pitch class sounds between two quarters of a bar, and the class of the lowest note (-1: none)."""
    sounds = np.minimum(played.onsets + played.lengths, end) - np.maximum(played.onsets, start)
    heard = sounds > 0
    pitches = played.pitches[heard]
    profile = np.bincount(pitches % 12, weights=sounds[heard], minlength=12).astype(np.float64)
    return profile, int(pitches.min()) % 12 if len(pitches) else -1


def _best(profile: Profile, bass: int) -> _Fit | None:
    """The chord that fits best; None where nothing sounds."""
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
    return _Fit(root, kind, round(max(0.0, min(1.0, confidence)), 2), float(scores[best]))
