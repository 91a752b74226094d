# cython: language_level=3, boundscheck=False, wraparound=False
"""What the echo does for every token and source; the reference is sampling/echo.py."""

import numpy as np

from libc.math cimport INFINITY, exp, log, log1p

cdef enum:
    END = -1  # stands for whichever token ends a bar


def lean_to(const float[::1] belief, const float[::1] lean, const double[::1] factors, tuple kinds):
    """The lean among the tokens of each kind that may be written, (vocabulary,): together they stay as likely."""
    found = np.zeros(belief.shape[0], np.float32)
    cdef float[::1] moved = found
    cdef int first, last, token
    cdef double before, after, shift, likely
    for first, last in kinds:
        before = after = 0.0
        for token in range(first, last):
            if belief[token] > -INFINITY:
                likely = exp(<double>belief[token])
                before += likely
                after += likely * factors[token]
        shift = log(before / after) if after > 0.0 else 0.0
        for token in range(first, last):
            if belief[token] > -INFINITY:
                moved[token] = <float>(<double>lean[token] + shift)
    return found


def lean_of(list bodies, list places, list weights, const float[::1] belief, list ends, double slip):
    """What each source expects (-1: it may not be written), and log(mixture / model) of every token, (vocabulary,)."""
    cdef Py_ssize_t count = len(bodies), i, source
    cdef int token, end = -1
    cdef double model = weights[0], weight
    cdef list expected = []
    cdef tuple body
    for i in range(len(ends)):
        token = ends[i]
        if belief[token] > -INFINITY:
            end = token
            break
    found = np.zeros(belief.shape[0], np.float32)
    cdef float[::1] lean = found
    cdef double[::1] mass = np.zeros(count)  # of the token that a source is the first to expect
    for source in range(count):
        body, weight = bodies[source], weights[source + 1]
        token = body[<Py_ssize_t>places[source]]
        if token == END:
            token = end
        if token >= 0 and not belief[token] > -INFINITY:
            token = -1
        model += weight if token < 0 else weight * slip
        if token >= 0:
            mass[expected.index(token) if token in expected else source] += weight * (1 - slip)
        expected.append(token)
    for source in range(count):
        if mass[source] > 0.0:
            token = expected[source]
            lean[token] = log1p(mass[source] / model * exp(-<double>belief[token]))
    return expected, found


def judged(list weights, list prior, list expected, int token, tuple rates):
    """The weights, each times how well its source foresaw the token, and a little of the prior; rates: hit, slip, kept."""
    cdef Py_ssize_t count = len(weights), i
    cdef double hit = rates[0], slip = rates[1], kept = rates[2], total = 0.0, gain
    cdef int foreseen
    cdef list gained = []
    for i in range(count):
        gain = 1.0
        if i > 0:
            foreseen = expected[i - 1]
            gain = 1.0 if foreseen < 0 else hit if foreseen == token else slip
        gain *= <double>weights[i]
        gained.append(gain)
        total += gain
    return [kept * (<double>gained[i] / total) + (1 - kept) * <double>prior[i] for i in range(count)]


def stand(list bodies, list places, int token, int first, int last, list types):
    """Where each source stands after a token; positions are the tokens from `first` to before `last`."""
    cdef list found = []
    cdef tuple body
    cdef Py_ssize_t source, at
    cdef int expected
    for source in range(len(bodies)):
        body, at = bodies[source], places[source]
        expected = body[at]
        if expected == token:
            at += 1
        elif first <= token < last:
            while expected != END and not token <= expected < last:
                at += 1
                expected = body[at]
            at += expected == token
        elif expected != END and types[expected] is types[token]:
            at += 1
        found.append(at)
    return found
