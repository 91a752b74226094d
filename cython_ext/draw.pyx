# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Belief and draw for a few lanes, tokens that may not be written passed over; the reference is sampling/draw.py."""

import numpy as np

from libc.math cimport INFINITY, exp, log


def believe(list logits, list legal):
    """(lanes, vocabulary) log-probabilities of the legal tokens among themselves, -inf for the others."""
    cdef Py_ssize_t lanes = len(logits), vocabulary = len(logits[0]), lane, token
    cdef const float[::1] row
    cdef const unsigned char[::1] may
    cdef float top, norm
    cdef double total
    found = np.empty((lanes, vocabulary), np.float32)
    cdef float[:, ::1] belief = found
    for lane in range(lanes):
        row, may = logits[lane], legal[lane].view(np.uint8)
        top, total = -INFINITY, 0.0
        for token in range(vocabulary):
            if may[token] and row[token] > top:
                top = row[token]
        for token in range(vocabulary):
            if may[token]:
                total += exp(row[token] - top)
        norm = top + <float>log(total)
        for token in range(vocabulary):
            belief[lane, token] = row[token] - norm if may[token] else -INFINITY
    return found


def draw(const float[:, ::1] belief, bias, list heat, list uniforms):
    """Per row a token, drawn with the softmax of (belief + bias) / heat, and its log-probability in the belief."""
    cdef Py_ssize_t lanes = belief.shape[0], vocabulary = belief.shape[1], lane, token, last
    cdef bint biased = bias is not None
    cdef const float[:, ::1] push = bias if biased else belief
    cdef double[::1] score = np.empty(vocabulary), share = np.empty(vocabulary)
    cdef double top, total, target, warmth
    cdef list tokens = [], logprobs = []
    for lane in range(lanes):
        warmth, top, total, last = heat[lane], -INFINITY, 0.0, 0
        for token in range(vocabulary):
            score[token] = belief[lane, token]
            if score[token] > -INFINITY:
                score[token] = (score[token] + push[lane, token] if biased else score[token]) / warmth
                top = max(top, score[token])
        for token in range(vocabulary):
            share[token] = exp(score[token] - top) if score[token] > -INFINITY else 0.0
            total += share[token]
        target = uniforms[lane] * total
        total = 0.0
        for token in range(vocabulary):
            if score[token] > -INFINITY:
                last = token
                total += share[token]
                if total > target:
                    break
        tokens.append(last)
        logprobs.append(belief[lane, last])
    return tokens, logprobs
