# cython: language_level=3, boundscheck=False, wraparound=False
"""The mixture of model and echo, for every token of a bar; the reference is sampling/mixture.py."""

import numpy as np

from libc.math cimport INFINITY, exp, log, log1p

cdef enum:
    END = -1  # stands for whichever token ends a bar
    NONE = -1  # a source expects what may not be written


cdef class Mixture:
    """The mixture for one bar: where each source stands in its own bar, and what it weighs beside the model."""

    cdef Py_ssize_t sources
    cdef int[::1] body, at, expected  # of the sources: tokens, one bar behind the other; the place in it; by source
    cdef double[::1] prior, weight, mass
    cdef const float[::1] logprobs
    cdef object found
    cdef float[::1] moves, biased  # what is found, and logprobs with the style; reused from token to token
    cdef bint styled
    cdef const float[::1] style
    cdef const double[::1] factors
    cdef tuple kinds
    cdef list ends, types
    cdef int first, last
    cdef double slip, kept

    def __init__(self, list bodies, prior, style, tokens, tuple rates):
        """See the reference. rates: SLIP, KEPT."""
        self.sources = len(bodies)
        self.take_up(bodies)
        self.expected = np.empty(self.sources, np.int32)
        self.prior, self.weight, self.mass = np.array(prior), np.array(prior), np.empty(len(prior))
        self.ends, self.first, self.last, self.types = tokens
        self.slip, self.kept = rates
        self.moves = self.found = np.empty(len(self.types), np.float32)
        self.biased = np.empty(len(self.types), np.float32)
        self.styled = style is not None
        if self.styled:
            self.style, self.factors, self.kinds = style.bias, style.factors, style.kinds

    cdef int take_up(self, list bodies) except -1:
        """The bodies, an end after each."""
        cdef tuple body
        cdef int place = 0, token
        self.body = np.empty(sum(map(len, bodies)) + self.sources, np.int32)
        self.at = np.empty(self.sources, np.int32)
        for source in range(self.sources):
            self.at[source], body = place, bodies[source]
            for token in body:
                self.body[place] = token
                place += 1
            self.body[place] = END
            place += 1
        return 0

    @property
    def weights(self):
        """The model's, and those of the sources; they sum to 1."""
        return [self.weight[i] for i in range(self.sources + 1)]

    def bias(self, const float[::1] logprobs not None):
        """log(mixture / model) of every token, up to a constant, until the next call. `logprobs`: the model's
        log-probabilities."""
        if logprobs.shape[0] != self.moves.shape[0]:
            raise ValueError(f"logprobs in {logprobs.shape[0]} tokens of a vocabulary of {self.moves.shape[0]}")
        self.logprobs = logprobs
        self.moves[:] = 0
        if self.styled:
            self.bias_by_style()
        self.bias_by_sources()
        return self.found

    cdef int bias_by_style(self) except -1:
        """What the track rather writes; each kind of token stays as likely as it is."""
        cdef const float[::1] logprobs = self.logprobs
        cdef float[::1] bias = self.moves, biased = self.biased
        cdef int first, last, token
        cdef double before, after, shift, likely
        biased[:] = logprobs
        for first, last in self.kinds:
            before = after = 0.0
            for token in range(first, last):
                if logprobs[token] > -INFINITY:
                    likely = exp(<double>logprobs[token])
                    before += likely
                    after += likely * self.factors[token]
            shift = log(before / after) if after > 0.0 else 0.0
            for token in range(first, last):
                if logprobs[token] > -INFINITY:
                    bias[token] = <float>(<double>self.style[token] + shift)
                    biased[token] += bias[token]
        self.logprobs = biased
        return 0

    cdef int bias_by_sources(self) except -1:
        """What the sources expect, as far as it may be written; equal tokens count as the first source's."""
        cdef int token, end = self.likely_end()
        cdef double model = self.weight[0], weight
        cdef Py_ssize_t source, twin
        for source in range(self.sources):
            weight, token = self.weight[source + 1], self.body[self.at[source]]
            if token == END:
                token = end
            if token != NONE and not self.logprobs[token] > -INFINITY:
                token = NONE
            self.expected[source], self.mass[source] = token, 0.0
            model += weight if token == NONE else weight * self.slip
            if token != NONE:
                twin = 0
                while self.expected[twin] != token:
                    twin += 1
                self.mass[twin] += weight * (1 - self.slip)
        for source in range(self.sources):
            if self.mass[source] > 0.0:
                token = self.expected[source]
                self.moves[token] += <float>log1p(self.mass[source] / model * exp(-<double>self.logprobs[token]))
        return 0

    cdef int likely_end(self) except? -1:
        """The token that may end the bar, or NONE."""
        cdef int token
        for token in self.ends:
            if self.logprobs[token] > -INFINITY:
                return token
        return NONE

    def follow(self, int token):
        """Multiply every weight by how well it foresaw the token, against the model, and move on."""
        cdef double hit = self.slip + (1 - self.slip) * exp(-<double>self.logprobs[token]), total = self.weight[0]
        cdef Py_ssize_t source
        for source in range(self.sources):
            if self.expected[source] != NONE:
                self.weight[source + 1] *= hit if self.expected[source] == token else self.slip
            total += self.weight[source + 1]
        for source in range(self.sources + 1):
            self.weight[source] = self.kept * (self.weight[source] / total) + (1 - self.kept) * self.prior[source]
        for source in range(self.sources):
            self.move(source, token)

    cdef void move(self, Py_ssize_t source, int token):
        """Behind the token, or behind what was put in its place; a position leads on to the same onset."""
        cdef int at = self.at[source], expected = self.body[at]
        if expected == token:
            at += 1
        elif self.first <= token < self.last:
            while expected != END and not token <= expected < self.last:
                at += 1
                expected = self.body[at]
            at += expected == token
        elif expected != END and self.types[expected] is self.types[token]:
            at += 1
        self.at[source] = at
