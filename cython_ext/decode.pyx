# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Compiled twin of tokens.decode, resolution change included: same results."""

import numpy as np

from midigpt_core.errors import TokenError
from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track
from midigpt_core.tokens.decode import BAR_KEYS, DEFAULT_VELOCITY, HEAD_KEYS, TRACK_KEYS
from midigpt_core.tokens.types import TokenType

include "rescale.pxi"

cdef enum:  # kinds of tokens
    TRACK, TRACK_END, INSTRUMENT, BAR, TIME_SIG, POSITION, VELOCITY, DIRECTION, DELTA, ONSET, PITCH, DURATION, OTHER

KIND_TYPES = (
    TokenType.TRACK, TokenType.TRACK_END, TokenType.INSTRUMENT, TokenType.BAR, TokenType.TIME_SIG,
    TokenType.TIME_ABSOLUTE_POS, TokenType.VELOCITY_LEVEL, TokenType.DELTA_DIRECTION, TokenType.DELTA,
    TokenType.NOTE_ONSET, TokenType.NOTE_PITCH, TokenType.NOTE_DURATION,
)


cdef class Tables:
    """A vocabulary's tables as C arrays, made once and kept on the vocabulary."""

    cdef int[::1] kinds, values, velocities
    cdef int size, place, fill_start, fill_end
    cdef bint deltas

    def __init__(self, vocabulary):
        kinds = {kind: i for i, kind in enumerate(KIND_TYPES)}
        levels = vocabulary.velocities
        velocities = [DEFAULT_VELOCITY] * max(vocabulary.domain_size(TokenType.VELOCITY_LEVEL), 1)
        if levels is not None:
            velocities[1:] = [levels.decode(level) for level in range(1, levels.size)]
        self.kinds = np.array([kinds.get(kind, OTHER) for kind in vocabulary.types] or [0], dtype=np.int32)
        self.values = np.array(vocabulary.values or [0], dtype=np.int32)
        self.velocities = np.array(velocities, dtype=np.int32)
        self.size = vocabulary.size
        self.place = vocabulary.range(TokenType.FILL_IN_PLACEHOLDER)[0]
        self.fill_start = vocabulary.range(TokenType.FILL_IN_START)[0]
        self.fill_end = vocabulary.range(TokenType.FILL_IN_END)[0]
        self.deltas = vocabulary.config.emit_delta_tokens


cdef Tables tables_of(vocabulary):
    if "decode" not in vocabulary.twins:
        vocabulary.twins["decode"] = Tables(vocabulary)
    return <Tables>vocabulary.twins["decode"]


cdef list filled_in(list tokens, int place, int start, int end):
    """As decode.filled_in."""
    cdef int token, i, n = len(tokens), block, first
    if place < 0 or start < 0 or end < 0 or start not in tokens:
        return tokens
    out = []
    first = block = tokens.index(start)
    for i in range(first):
        token = tokens[i]
        if token != place or block >= n:
            out.append(token)
            continue
        block += 1
        while block < n and <int>tokens[block] != end:
            out.append(tokens[block])
            block += 1
        while block < n and <int>tokens[block] != start:
            block += 1
    return out


cdef class Reader:
    """The growing score, and what the tokens read so far say about the next note; mirrors decode._Reader."""

    cdef Tables tables
    cdef Scale scale
    cdef object vocabulary, track, bar
    cdef list tracks, notes
    cdef int velocity, direction, pitch
    cdef long long position, delta
    cdef bint drums

    def __init__(self, vocabulary, long long target):
        self.tables = tables_of(vocabulary)
        self.scale = scale_of(vocabulary.config.resolution, target, self.tables.deltas)
        self.vocabulary = vocabulary
        self.tracks = []
        self.velocity, self.pitch = DEFAULT_VELOCITY, -1
        self.at(0)

    cdef int at(self, long long position) except -1:
        self.position, self.direction, self.delta = position, 1, 0
        return 0

    cdef int read(self, int token) except -1:
        """Take in one token: those of notes here, the rarer ones in `step`."""
        cdef int kind = self.tables.kinds[token], value = self.tables.values[token], pitch = self.pitch
        self.pitch = -1
        if kind == DURATION and self.notes is not None:
            if pitch >= 0:
                self.note(pitch, value + 1)
        elif kind == ONSET or kind == PITCH:
            self.pitch = value
            if self.drums and self.notes is not None:
                self.note(value, 1)
        elif kind == POSITION:
            self.at(value)
        elif kind == VELOCITY:
            self.velocity = self.tables.velocities[value]
        elif kind == DIRECTION:
            self.direction, self.delta = -1, 0
        elif kind == DELTA:
            self.delta += self.direction * value
        else:
            self.step(kind, value, token)
        return 0

    cdef int note(self, int pitch, long long duration) except -1:
        cdef long long onset = self.position, delta = self.delta
        rescale(&self.scale, &onset, &duration, &delta)
        self.notes.append(Note(pitch, self.velocity, onset, duration, delta))
        self.direction, self.delta = 1, 0
        return 0

    cdef int step(self, int kind, int value, int token) except -1:
        if kind == BAR:
            self.start_bar()
        elif kind == TIME_SIG:
            self.metre(value)
        elif kind == TRACK:
            self.start_track(value == 1)
        elif kind == TRACK_END:
            self.track = self.bar = self.notes = None
            self.drums = False
        elif self.track is not None and kind == INSTRUMENT:
            self.track.instrument = self.vocabulary.instruments.decode(value)
        elif self.track is not None and (kind == OTHER or kind == DURATION):
            note_attribute(self.track, self.vocabulary.types[token], value)
        return 0

    cdef int start_track(self, bint drums) except -1:
        self.drums = drums
        self.track = Track()
        self.track.track_type = DRUM if drums else MELODIC
        self.tracks.append(self.track)
        self.bar = self.notes = None
        self.velocity = DEFAULT_VELOCITY
        return self.at(0)

    cdef int start_bar(self) except -1:
        if self.track is not None:
            self.notes = []
            self.bar = Bar(self.notes)
            self.track.bars.append(self.bar)
        return self.at(0)

    cdef int metre(self, int value) except -1:
        numerator, denominator = self.vocabulary.metre_of(value)
        if self.bar is not None:
            self.bar.ts_numerator, self.bar.ts_denominator = numerator, denominator
            self.bar.beat_length = 4.0 * numerator / denominator
        return 0


def decode(tokens, vocabulary, long long target):
    """The score these tokens speak of, brought to `target` ticks per quarter note."""
    cdef Reader reader = Reader(vocabulary, target)
    cdef Tables tables = reader.tables
    cdef int token
    try:
        for token in filled_in(list(tokens), tables.place, tables.fill_start, tables.fill_end):
            if token < 0 or token >= tables.size:
                vocabulary.decode(token)  # raises
            reader.read(token)
    except OverflowError as error:
        raise TokenError(f"tokens: an id is outside this vocabulary of {tables.size}") from error
    return Score(tracks=reader.tracks, resolution=target)


cdef note_attribute(track, kind, int value):
    """As decode._Reader._attribute."""
    if kind in TRACK_KEYS:
        track.attributes[TRACK_KEYS[kind]] = value
    elif kind in HEAD_KEYS and not track.bars:
        track.attributes[HEAD_KEYS[kind]] = value
    elif kind in BAR_KEYS and track.bars:
        track.attributes[f"bar_{BAR_KEYS[kind]}_{len(track.bars) - 1}"] = value
