# cython: language_level=3, boundscheck=False, wraparound=False
"""Compiled twin of `midigpt_core/tokens/places.py`: where each token of a sequence stands, and what sounds there."""

import numpy as np

from libc.stdint cimport int32_t, uint16_t

from midigpt_core.tokens.places import COMMON, OCTAVE, PROGRAMS, QUARTERS
from midigpt_core.tokens.types import TokenType as T

cdef int octave = OCTAVE, programs = PROGRAMS

cdef enum Kind:
    OTHER, TRACK, INSTRUMENT, LEAVE, BAR, METRE, GAP, FILL, POSITION, PITCH, DURATION

KINDS = {
    T.TRACK: TRACK,
    T.INSTRUMENT: INSTRUMENT,
    T.TRACK_END: LEAVE,
    T.BAR: BAR,
    T.TIME_SIG: METRE,
    T.BAR_END: LEAVE,
    T.FILL_IN_PLACEHOLDER: GAP,
    T.FILL_IN_START: FILL,
    T.FILL_IN_END: LEAVE,
    T.TIME_ABSOLUTE_POS: POSITION,
    T.NOTE_ONSET: PITCH,
    T.NOTE_PITCH: PITCH,
    T.NOTE_DURATION: DURATION,
}


cdef class Tables:
    """What a reader asks of a vocabulary: each token's kind and value, each metre's ticks."""

    cdef int32_t[::1] kinds, values, metres
    cdef int common, longest

    def __init__(self, vocabulary):
        self.kinds = np.array([KINDS.get(kind, OTHER) for kind in vocabulary.types], np.int32)
        self.values = np.array(vocabulary.values, np.int32)
        count = max(1, vocabulary.domain_size(T.TIME_SIG))
        metres = [vocabulary.metre_of(value) for value in range(min(count, len(vocabulary.config.time_signatures) or 1))]
        whole = QUARTERS * vocabulary.config.resolution
        self.metres = np.array([whole * a // b for a, b in metres], np.int32)
        self.common = whole * COMMON[0] // COMMON[1]
        self.longest = vocabulary.domain_size(T.NOTE_DURATION)


def reader(vocabulary, sizes):
    """A reader at the beginning of a sequence."""
    if "places" not in vocabulary.twins:
        vocabulary.twins["places"] = Tables(vocabulary)
    return Reader(vocabulary.twins["places"], (sizes.tracks, sizes.bars, sizes.ticks))


cdef class Reader:
    """See `PlaceReader`."""

    cdef Tables tables
    cdef int tracks, bars, ticks, length
    cdef list sounding, instruments, lines, gaps
    cdef set shared
    cdef int track, bar, position, start, instrument, filling, filled, pitch, in_bar
    cdef uint16_t[::1] others

    def __init__(self, Tables tables, sizes):
        self.tables = tables
        self.tracks, self.bars, self.ticks = sizes
        self.length = self.bars * self.ticks + tables.longest
        self.sounding, self.instruments, self.lines, self.gaps, self.shared = [], [], [], [], set()
        self.track = self.bar = self.position = -1
        self.start = self.instrument = self.filling = self.filled = self.pitch = self.in_bar = 0
        self.others = np.zeros(self.length, np.uint16)

    def read(self, int token):
        """Where this next token stands."""
        if not 0 <= token < self.tables.kinds.shape[0]:
            raise IndexError(f"token {token} is outside the vocabulary of {self.tables.kinds.shape[0]}")
        self.follow(self.tables.kinds[token], self.tables.values[token])
        return self.place()

    def copy(self):
        """An independent reader in the same state."""
        cdef Reader twin = Reader.__new__(Reader)
        twin.tables = self.tables
        twin.tracks, twin.bars, twin.ticks, twin.length = self.tracks, self.bars, self.ticks, self.length
        twin.sounding, twin.instruments, twin.gaps = list(self.sounding), list(self.instruments), list(self.gaps)
        twin.lines = [list(lines) for lines in self.lines]
        self.shared = set(range(len(self.sounding)))
        twin.shared = set(self.shared)
        twin.track, twin.bar, twin.position, twin.start = self.track, self.bar, self.position, self.start
        twin.instrument, twin.filling, twin.filled = self.instrument, self.filling, self.filled
        twin.pitch, twin.in_bar, twin.others = self.pitch, self.in_bar, self.others
        return twin

    cdef place(self):
        cdef int bar = 0, tick = 0, harmony = 0
        if self.track < 0:
            return (0, 0, 0, 0, 0, 0)
        if self.bar >= 0:
            bar = 1 + min(self.bar, self.bars - 1)
        if self.position >= 0:
            tick = 1 + min(self.position, self.ticks - 1)
            harmony = self.others[self.now(0)] | self.in_bar << octave
        return (1 + self.track % self.tracks, self.instrument, bar, tick, self.filling, harmony)

    cdef int now(self, int later):
        return min(self.start + self.position + later, self.length - 1)

    cdef int follow(self, int kind, int value) except -1:
        if kind == POSITION:
            if self.position >= 0:
                self.position = value
        elif kind == PITCH:
            self.pitch = value
        elif kind == DURATION:
            self.sound(value)
        elif kind == LEAVE:
            self.position = -1
        elif kind == BAR:
            self.start_bar()
        elif kind == METRE:
            if self.bar >= 0:
                lines = self.lines[self.track]
                lines[len(lines) - 1] = lines[len(lines) - 2] + self.tables.metres[value]
                self.enter_bar()
        elif kind == TRACK:
            self.start_track(value)
        elif kind == INSTRUMENT:
            if self.track >= 0 and self.instrument != 1:
                self.instrument = self.instruments[self.track] = 2 + value % programs
        elif kind == GAP:
            if self.bar >= 0:
                self.gaps.append((self.track, self.bar))
        elif kind == FILL:
            self.start_fill()
        return 0

    cdef int start_track(self, int drums) except -1:
        self.sounding.append(np.zeros(self.length, np.uint16))
        self.instruments.append(int(drums == 1))
        self.lines.append([0])
        self.bar = self.position = -1
        self.filling = 0
        return self.listen(len(self.sounding) - 1)

    cdef int start_bar(self) except -1:
        if self.track < 0:
            return 0
        lines = self.lines[self.track]
        self.bar = len(lines) - 1
        lines.append(lines[self.bar] + self.tables.common)
        return self.enter_bar()

    cdef int start_fill(self) except -1:
        if self.filled >= len(self.gaps):
            return 0
        track, self.bar = self.gaps[self.filled]
        self.filled += 1
        self.filling = 1
        self.listen(track)
        return self.enter_bar()

    cdef int enter_bar(self) except -1:
        cdef int tick, end
        lines = self.lines[self.track]
        self.position = 0
        self.start, end = lines[self.bar], lines[self.bar + 1]
        self.in_bar = 0
        for tick in range(self.start, min(end, self.length)):
            self.in_bar |= self.others[tick]
        return 0

    cdef int sound(self, int ticks_less_one) except -1:
        cdef int tick
        cdef uint16_t bit = <uint16_t>(1 << self.pitch % octave)
        cdef uint16_t[::1] own
        if self.position < 0 or self.instrument == 1:
            return 0
        if self.track in self.shared:
            self.sounding[self.track] = self.sounding[self.track].copy()
            self.shared.discard(self.track)
        own = self.sounding[self.track]
        for tick in range(self.now(0), self.now(ticks_less_one + 1)):
            own[tick] |= bit
        return 0

    cdef int listen(self, int track) except -1:
        cdef int tick, other
        cdef uint16_t[::1] ticks
        self.track = track
        self.instrument = self.instruments[track]
        self.others = np.zeros(self.length, np.uint16)
        for other in range(len(self.sounding)):
            if other != track:
                ticks = self.sounding[other]
                for tick in range(self.length):
                    self.others[tick] |= ticks[tick]
        return 0
