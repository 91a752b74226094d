"""How well each pitch fits what sounds in the other tracks; the compiled twin is in cython_ext/harmony.pyx.

The score of a pitch is a linear function of the intervals between its class and the classes that sound. Its
coefficients were fitted by maximum likelihood on held-out real songs, given the network with style prior and echo:
`benchmarks/fit_harmony.py` fits them anew and says what they are worth.
"""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_core.compiled import compiled
from midigpt_core.harmony.band import PITCHES, Roll

FAST_HARMONY: Any = compiled("harmony")

WEIGHTS = {  # what each feature of a pitch adds to its log-probability
    "unison": -0.09,  # its class sounds
    "semitone": -0.71,  # its class does not sound, but one a semitone from it does, up or down; and so on
    "whole tone": -0.79,
    "minor third": 0.24,
    "major third": 0.31,
    "fourth": -0.57,
    "tritone": 0.26,
    "semitone on the beat": -0.63,  # beside "semitone", where the note begins on a beat
    "semitone soon": -0.53,  # share of the coming quarter note in which a semitone sounds and its class does not
    "same pitch": 0.7,  # it sounds itself
}
Values = npt.NDArray[np.float64]
Logprobs = npt.NDArray[np.float32]  # (vocabulary,)


class PitchScores:
    """The score of every pitch for a note that begins at one place."""

    def __init__(self, sounding: Roll, on_beat: bool, weights: Values) -> None:
        """sounding: what the other tracks play for a quarter note from there, or less at the end of the window, at
        least a tick; weights: those of WEIGHTS, in order, times the strength."""
        classes = np.logical_or.reduce([sounding[:, low : low + 12] > 0 for low in range(0, 120, 12)])
        classes[:, :8] |= sounding[:, 120:] > 0
        now = classes[0]
        features = np.zeros((len(weights), 12))
        features[0] = now
        for interval in range(1, 7):
            features[interval] = (np.roll(now, interval) | np.roll(now, -interval)) & ~now
        features[7] = features[1] * on_beat
        share = classes.mean(axis=0)
        features[8] = np.maximum(np.roll(share, 1), np.roll(share, -1)) * (1 - share)
        self._scores = (weights @ features)[np.arange(PITCHES) % 12] + weights[9] * (sounding[0] > 0)

    @property
    def values(self) -> Values:
        """(128,)"""
        scores: Values = self._scores
        return scores


class PitchBias:
    """A bias of one lane's, for pitches that fit."""

    def __init__(self, first: int, size: int) -> None:
        """first: the token of pitch 0; size: of the vocabulary."""
        self._first = first
        self._bias = np.zeros(size, dtype=np.float32)

    def of(self, logprobs: Logprobs, scores: PitchScores) -> Logprobs | None:
        """The scores of the pitches that may be written, moved so that all together stay as likely; None where none
        may. Valid until the next call.

        logprobs: the model's log-probabilities.
        """
        first, values = self._first, scores.values
        there = [pitch for pitch in range(PITCHES) if logprobs[first + pitch] > -np.inf]
        before = after = 0.0
        for pitch in there:
            likely = exp(float(logprobs[first + pitch]))
            before += likely
            after += likely * exp(float(values[pitch]))
        shift = log(before / after) if after > 0.0 else 0.0
        self._bias[first : first + PITCHES] = 0
        for pitch in there:
            self._bias[first + pitch] = float(values[pitch]) + shift
        return self._bias if there else None


def pitch_scores(sounding: Roll, on_beat: bool, weights: Values) -> PitchScores:
    """Scores, compiled where that was built. See `PitchScores`."""
    if FAST_HARMONY is None:
        return PitchScores(sounding, on_beat, weights)
    found: PitchScores = FAST_HARMONY.PitchScores(sounding, on_beat, weights)
    return found


def pitch_bias(first: int, size: int) -> PitchBias:
    """A bias, compiled where that was built. See `PitchBias`."""
    if FAST_HARMONY is None:
        return PitchBias(first, size)
    found: PitchBias = FAST_HARMONY.PitchBias(first, size)
    return found
