# cython: language_level=3, boundscheck=False, wraparound=False
"""How well each pitch fits what sounds in the other tracks; the reference is midigpt_core/harmony/pitches.py."""

import numpy as np

from libc.math cimport INFINITY, exp, log

cdef enum:
    PITCHES = 128
    CLASSES = 12
    FEATURES = 10


cdef class PitchScores:
    """The score of every pitch for a note that begins at one place."""

    cdef double[PITCHES] score
    cdef double[PITCHES] factor

    def __init__(self, const short[:, :] sounding not None, bint on_beat, const double[::1] weights not None):
        """See the reference."""
        cdef int tick, pitch, kind, ticks = sounding.shape[0]
        cdef double[CLASSES] share
        cdef double[CLASSES] of_class
        cdef int[CLASSES] now
        cdef int[CLASSES] here
        if ticks < 1 or sounding.shape[1] != PITCHES or weights.shape[0] != FEATURES:
            raise ValueError("expects at least one tick of 128 pitches, and ten weights")
        for kind in range(CLASSES):
            share[kind] = 0.0
        for tick in range(ticks):
            for kind in range(CLASSES):
                here[kind] = 0
            for pitch in range(PITCHES):
                if sounding[tick, pitch] > 0:
                    here[pitch % CLASSES] = 1
            for kind in range(CLASSES):
                share[kind] += here[kind]
                if tick == 0:
                    now[kind] = here[kind]
        for kind in range(CLASSES):
            share[kind] /= ticks
        for kind in range(CLASSES):
            of_class[kind] = class_score(kind, now, share, on_beat, weights)
        for pitch in range(PITCHES):
            self.score[pitch] = of_class[pitch % CLASSES] + (weights[9] if sounding[0, pitch] > 0 else 0.0)
            self.factor[pitch] = exp(self.score[pitch])

    @property
    def values(self):
        """(128,)"""
        return np.array([self.score[pitch] for pitch in range(PITCHES)])


cdef double class_score(int kind, int* now, double* share, bint on_beat, const double[::1] weights):
    """The score of a pitch class, by what sounds now and for which share of the time."""
    cdef int interval, above = (kind + 1) % CLASSES, below = (kind + CLASSES - 1) % CLASSES
    cdef double score = weights[0] if now[kind] else 0.0
    if not now[kind]:
        for interval in range(1, 7):
            if now[(kind + interval) % CLASSES] or now[(kind + CLASSES - interval) % CLASSES]:
                score += weights[interval]
                if interval == 1 and on_beat:
                    score += weights[7]
    return score + weights[8] * (1 - share[kind]) * max(share[above], share[below])


cdef class PitchBias:
    """A bias of one lane's, for pitches that fit."""

    cdef object found
    cdef float[::1] bias
    cdef int first

    def __init__(self, int first, int size):
        """See the reference."""
        if first < 0 or first + PITCHES > size:
            raise ValueError("the pitches lie outside the vocabulary")
        self.first = first
        self.bias = self.found = np.zeros(size, np.float32)

    def of(self, const float[::1] logprobs not None, PitchScores scores not None):
        """See the reference."""
        cdef int pitch, first = self.first
        cdef double before = 0.0, after = 0.0, shift, likely
        cdef bint there = False
        if logprobs.shape[0] != self.bias.shape[0]:
            raise ValueError(f"{logprobs.shape[0]} log-probabilities for a vocabulary of {self.bias.shape[0]}")
        for pitch in range(PITCHES):
            if logprobs[first + pitch] > -INFINITY:
                there = True
                likely = exp(<double>logprobs[first + pitch])
                before += likely
                after += likely * scores.factor[pitch]
        if not there:
            return None
        shift = log(before / after) if after > 0.0 else 0.0
        for pitch in range(PITCHES):
            self.bias[first + pitch] = (
                <float>(scores.score[pitch] + shift) if logprobs[first + pitch] > -INFINITY else 0.0
            )
        return self.found
