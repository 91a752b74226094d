# cython: language_level=3, boundscheck=False, wraparound=False
"""How well each pitch fits what sounds in the other tracks; the reference is midigpt_core/harmony/pitches.py."""

import numpy as np

from libc.math cimport INFINITY, exp, log

cdef enum:
    PITCHES = 128
    CLASSES = 12


def pitch_scores(const short[:, :] sounding not None, bint on_beat, const double[::1] weights not None):
    """See the reference."""
    cdef int tick, pitch, kind, interval, ticks = sounding.shape[0]
    cdef double share[CLASSES]
    cdef double score[CLASSES]
    cdef int now[CLASSES]
    cdef int here[CLASSES]
    if ticks < 1 or sounding.shape[1] != PITCHES or weights.shape[0] != 10:
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
        score[kind] = weights[0] if now[kind] else 0.0
        if not now[kind]:
            for interval in range(1, 7):
                if now[(kind + interval) % CLASSES] or now[(kind + CLASSES - interval) % CLASSES]:
                    score[kind] += weights[interval]
                    if interval == 1 and on_beat:
                        score[kind] += weights[7]
        score[kind] += weights[8] * (1 - share[kind]) * max(
            share[(kind + 1) % CLASSES], share[(kind + CLASSES - 1) % CLASSES]
        )
    found = np.empty(PITCHES)
    cdef double[::1] scores = found
    for pitch in range(PITCHES):
        scores[pitch] = score[pitch % CLASSES] + (weights[9] if sounding[0, pitch] > 0 else 0.0)
    return found


def among_pitches(
    const float[::1] logprobs not None,
    const double[::1] scores not None,
    const double[::1] factors not None,
    int first,
    float[::1] bias not None,
):
    """See the reference."""
    cdef int pitch
    cdef double before = 0.0, after = 0.0, shift, likely
    cdef bint there = False
    if first < 0 or first + PITCHES > logprobs.shape[0] or logprobs.shape[0] != bias.shape[0]:
        raise ValueError("the pitches lie outside the vocabulary")
    if scores.shape[0] != PITCHES or factors.shape[0] != PITCHES:
        raise ValueError("expects a score and a factor for each of 128 pitches")
    for pitch in range(PITCHES):
        if logprobs[first + pitch] > -INFINITY:
            there = True
            likely = exp(<double>logprobs[first + pitch])
            before += likely
            after += likely * factors[pitch]
    shift = log(before / after) if after > 0.0 else 0.0
    for pitch in range(PITCHES):
        bias[first + pitch] = <float>(scores[pitch] + shift) if logprobs[first + pitch] > -INFINITY else 0.0
    return there
