"""Choose between tempi: what the notes say, what the beat tracker heard, and how sure one can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

GIVEN, SURE, LIKELY, UNSURE = "given", "sure", "likely", "unsure"  # how far a tempo is to be trusted

_SLOWEST, _FASTEST, _STEP = 50.0, 220.0, 0.002  # beats per minute that are tried, and the steps between (as a share)
_ALIKE = 0.09  # octaves; tempi this close are one, as the beat tracker counts in steps of 0.07
_FEWEST = 8  # notes that say something of a tempo
_MOST = 800  # notes looked at
_TOGETHER = 0.04  # seconds within which notes are one onset

_EVENLY, _ALL, _FASTEST_EVEN = 0.15, 0.95, 160.0  # plain beats: how even, how many of them, how fast

# Fitted on 127 songs, right in 83 and twice or half as fast in 28: how much each level of the pulse tells, the
# tempo and the onsets per beat that music tends to have, and (in octaves) how far it strays from them.
_TWO_BEATS, _HALVES, _QUARTERS = 0.3, 0.8, 0.4
_USUAL_BPM, _USUAL_ONSETS, _STRAYS = 105.0, 3.0, 0.8


@dataclass(frozen=True)
class Tempo:
    """Beats per minute as people tap them, and how far they are to be trusted."""

    bpm: float
    trust: str
    by_notes: bool  # found in the notes' own onsets, and so exact


def choose_tempo(heard: float | None, times: Floats, weights: Floats, thirds: bool) -> Tempo | None:
    """The tempo of notes that begin at `times` (seconds), given what a beat tracker `heard`; None if neither says.

    Both agreeing is sure. Where one is twice the other, the more usual one is likely. `thirds`: beats fall into three.
    """
    own = _of_notes(times[:_MOST], weights[:_MOST], thirds) if len(times) >= _FEWEST else None
    if own is None:
        return None if heard is None else Tempo(heard, UNSURE, False)
    if heard is None:
        return Tempo(own, LIKELY, True)
    octaves = round(np.log2(heard / own))
    if abs(np.log2(heard / own) - octaves) > _ALIKE:
        return Tempo(own, UNSURE, True)
    candidates = (own, own * 2.0**octaves)
    return Tempo(min(candidates, key=_unusual), LIKELY if octaves else SURE, True)


def _unusual(bpm: float) -> float:
    return abs(float(np.log2(bpm / _USUAL_BPM)))


def _of_notes(times: Floats, weights: Floats, thirds: bool) -> float | None:
    """The tempo at whose beats and their parts the onsets fall most neatly, weighed by what is usual."""
    length = float(times.max() - times.min())
    if length <= 0:
        return None
    bpms = np.exp(np.arange(np.log(_SLOWEST), np.log(_FASTEST), _STEP))
    half, quarter = (1 / 3, 1 / 6) if thirds else (1 / 2, 1 / 4)
    score = np.zeros(len(bpms))
    for part, trust in ((2.0, _TWO_BEATS), (1.0, 1.0), (half, _HALVES), (quarter, _QUARTERS)):
        turns = np.exp(2j * np.pi * times[None, :] * bpms[:, None] / (60 * part))
        score += trust * np.abs((turns * weights).sum(axis=1))
    onsets = 60 / bpms * len(np.unique(np.round(times / _TOGETHER))) / length  # per beat
    strays = np.log2(bpms / _USUAL_BPM) ** 2 + np.log2(onsets / _USUAL_ONSETS) ** 2
    best = float(bpms[int(np.argmax(score * np.exp(-strays / (2 * _STRAYS**2))))])
    even = _even_rate(times)
    return 2 * best if even and abs(even / best - 2) < _ALIKE else best


def _even_rate(times: Floats) -> float | None:
    """Onsets per minute where they all follow one another at one distance, slowly enough to be beats."""
    times = np.sort(times)
    steps = np.diff(times[np.r_[True, np.diff(times) > _TOGETHER]])
    usual = float(np.median(steps)) if len(steps) else 0.0
    if not usual or (np.abs(steps / usual - 1) < _EVENLY).mean() < _ALL:
        return None
    return 60 / usual if 60 / usual <= _FASTEST_EVEN else None
