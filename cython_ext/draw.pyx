# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Belief and draw for a lane, tokens that may not be written passed over; the reference is sampling/draw.py."""

from libc.math cimport INFINITY, exp, log
from libc.stdlib cimport free, malloc


def to_logprobs(float[::1] logits not None, const unsigned char[::1] legal not None):
    """Logits (vocabulary,) become log-probabilities of the legal tokens among themselves, -inf for the others."""
    cdef Py_ssize_t vocabulary = logits.shape[0], token
    cdef float top = -INFINITY, norm
    cdef double total = 0.0
    for token in range(vocabulary):
        if not legal[token]:
            logits[token] = -INFINITY
        elif logits[token] > top:
            top = logits[token]
    for token in range(vocabulary):
        if legal[token]:
            total += exp(logits[token] - top)
    norm = top + <float>log(total)
    for token in range(vocabulary):
        logits[token] -= norm


def draw(const float[::1] logprobs not None, const float[::1] bias, double temperature, double uniform):
    """A token, drawn with the softmax of (logprobs + bias) / temperature, and its own of the logprobs; bias or None."""
    cdef Py_ssize_t vocabulary = logprobs.shape[0], count = 0, token, place
    cdef bint biases = bias is not None
    cdef double top = -INFINITY, total = 0.0, target
    cdef double *share = <double *>malloc(vocabulary * (sizeof(double) + sizeof(int)))
    cdef int *legal = <int *>(share + vocabulary)
    if share == NULL:
        raise MemoryError("no memory to draw in")
    for token in range(vocabulary):
        if logprobs[token] > -INFINITY:
            legal[count] = <int>token
            share[count] = logprobs[token]
            count += 1
    for place in range(count):
        share[place] = (share[place] + bias[legal[place]] if biases else share[place]) / temperature
        top = max(top, share[place])
    for place in range(count):
        share[place] = exp(share[place] - top)
        total += share[place]
    target = uniform * total
    total, token = 0.0, 0
    for place in range(count):
        token = legal[place]
        total += share[place]
        if total > target:
            break
    free(share)
    return token, logprobs[token]
