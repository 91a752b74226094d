# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Compiled twin of tokens.encode, from a NoteTable: same tokens."""

from libc.stdlib cimport free, malloc, qsort, realloc

import numpy as np

from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES, Encoded, check_options
from midigpt_core.tokens.types import TokenType

cdef enum:
    TRACK_SLOTS = 10  # columns of AttributeValues.tracks
    BAR_SLOTS = 6  # columns of AttributeValues.cells

cdef enum:  # kinds of tokens
    PIECE_START, USE_VELOCITY, USE_MICROTIMING, GENRE, NUM_BARS, TRACK, INSTRUMENT, TRACK_END, BAR, BAR_END, TIME_SIG
    PLACEHOLDER, FILL_START, FILL_END, MASK_BAR, POSITION, VELOCITY, DIRECTION, DELTA, ONSET, DURATION, PIECE_END
    ATTRIBUTE  # then the track slots, then the bar slots

KIND_TYPES = (
    TokenType.PIECE_START, TokenType.USE_VELOCITY, TokenType.USE_MICROTIMING, TokenType.GENRE, TokenType.NUM_BARS,
    TokenType.TRACK, TokenType.INSTRUMENT, TokenType.TRACK_END, TokenType.BAR, TokenType.BAR_END, TokenType.TIME_SIG,
    TokenType.FILL_IN_PLACEHOLDER, TokenType.FILL_IN_START, TokenType.FILL_IN_END, TokenType.MASK_BAR,
    TokenType.TIME_ABSOLUTE_POS, TokenType.VELOCITY_LEVEL, TokenType.DELTA_DIRECTION, TokenType.DELTA,
    TokenType.NOTE_ONSET, TokenType.NOTE_DURATION, TokenType.PIECE_END,
)


cdef class Codec:
    """A vocabulary's tables as C arrays, made once and kept on the vocabulary."""

    cdef int offset[40]
    cdef int size[40]
    cdef int levels[128]
    cdef int programs[128]
    cdef bint has_levels, sticky, deltas
    cdef dict metres
    cdef object vocabulary

    def __init__(self, vocabulary):
        cdef int i
        kinds = list(KIND_TYPES) + [None]
        kinds += [kind for _, kind in TRACK_ATTRIBUTES] + [kind for _, kind in BAR_ATTRIBUTES]
        for i, kind in enumerate(kinds):
            start, end = vocabulary.range(kind)
            self.offset[i], self.size[i] = start, end - start
        for i in range(128):
            self.programs[i] = vocabulary.instruments.encode(i)
            self.levels[i] = vocabulary.velocities.encode(i) if vocabulary.velocities else 0
        self.has_levels = vocabulary.velocities is not None
        self.sticky = vocabulary.config.velocity_sticky
        self.deltas = vocabulary.config.emit_delta_tokens
        self.metres = {}
        self.vocabulary = vocabulary

    cdef int metre(self, int numerator, int denominator) except -1:
        key = (numerator, denominator)
        found = self.metres.get(key)
        if found is None:
            found = self.metres[key] = self.vocabulary.metre_value(key)
        return found


cdef Codec codec_of(vocabulary):
    if "encode" not in vocabulary.twins:
        vocabulary.twins["encode"] = Codec(vocabulary)
    return <Codec>vocabulary.twins["encode"]


# ---- growing list of token ids ----

cdef class Sink:
    cdef int* data
    cdef int length, room
    cdef Codec codec

    def __cinit__(self, Codec codec):
        self.codec = codec
        self.length, self.room = 0, 1024
        self.data = <int*>malloc(self.room * sizeof(int))
        if self.data == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.data)

    cdef int push(self, int token) except -1:
        cdef int* grown
        if self.length == self.room:
            grown = <int*>realloc(self.data, 2 * self.room * sizeof(int))
            if grown == NULL:
                raise MemoryError
            self.data, self.room = grown, 2 * self.room
        self.data[self.length] = token
        self.length += 1
        return 0

    cdef inline int add(self, int kind, int value) except -1:
        """A token of this kind where there is one, its value brought into the domain."""
        if self.codec.offset[kind] < 0:
            return 0
        if value >= self.codec.size[kind]:
            value = self.codec.size[kind] - 1
        if value < 0:
            value = 0
        return self.push(self.codec.offset[kind] + value)

    cdef list tokens(self):
        cdef int i
        return [self.data[i] for i in range(self.length)]


cdef int compare_keys(const void* a, const void* b) noexcept nogil:
    cdef long long x = (<long long*>a)[0], y = (<long long*>b)[0]
    return (x > y) - (x < y)


cdef class Writer:
    """The growing prompt of one table; mirrors encode._Writer."""

    cdef Sink sink
    cdef Codec codec
    cdef int[:, ::1] notes, cells, kinds, by_track, by_cell
    cdef int[::1] starts, firsts
    cdef bint velocities, deltas
    cdef int hiding  # 0 token, 1 span, 2 remove
    cdef char[::1] filling
    cdef list spans
    cdef long long* keys
    cdef int key_room

    def __cinit__(self):
        self.keys, self.key_room = NULL, 0

    def __dealloc__(self):
        free(self.keys)

    def __init__(self, table, vocabulary, options, values):
        self.codec = codec_of(vocabulary)
        self.sink = Sink(self.codec)
        self.notes, self.cells, self.kinds = table.notes, table.cells, table.tracks
        self.starts, self.firsts = table.cell_start, table.track_start
        self.by_track, self.by_cell = values.tracks, values.cells
        self.velocities = self.codec.has_levels and options.use_velocity != 0
        self.deltas = self.codec.deltas and options.use_microtiming != 0
        self.hiding = ("token", "span", "remove").index(options.hiding)
        self.filling = bytearray(len(table.cells) + 1)
        self.spans = []

    cdef int track(self, int index, int open_bars) except -1:
        cdef Sink sink = self.sink
        cdef int program = self.kinds[index, 0], slot, cell, last = self.firsts[index + 1]
        sink.add(TRACK, self.kinds[index, 1])
        sink.add(INSTRUMENT, self.codec.programs[program] if 0 <= program < 128 else 0)
        for slot in range(TRACK_SLOTS):
            if self.by_track[index, slot] >= 0:
                sink.add(ATTRIBUTE + 1 + slot, self.by_track[index, slot])
        if open_bars >= 0:
            last = min(last, self.firsts[index] + open_bars)
        for cell in range(self.firsts[index], last):
            self.bar(cell, self.kinds[index, 1])
        if open_bars < 0:
            sink.add(TRACK_END, 0)
        return 0

    cdef int bar(self, int cell, bint drums) except -1:
        cdef Sink sink = self.sink
        cdef int start = sink.length, slot
        cdef bint future = self.cells[cell, 2] != 0, hidden
        sink.add(BAR, 0)
        if not (future and self.hiding == 2):
            for slot in range(BAR_SLOTS):
                if self.by_cell[cell, slot] >= 0:
                    sink.add(ATTRIBUTE + 1 + TRACK_SLOTS + slot, self.by_cell[cell, slot])
        if self.codec.offset[TIME_SIG] >= 0:
            sink.add(TIME_SIG, self.codec.metre(self.cells[cell, 0], self.cells[cell, 1]))
        hidden = self.body(cell, drums, future)
        sink.add(BAR_END, 0)
        if hidden and self.hiding == 1 and sink.length > start:
            self.spans.append((start, sink.length))
        return 0

    cdef bint body(self, int cell, bint drums, bint future) except -1:
        """What stands between a bar's head and its end; whether the bar was hidden."""
        cdef bint fill = self.filling[cell] != 0
        if fill and self.codec.offset[PLACEHOLDER] >= 0 and not (future and self.hiding == 2):
            self.sink.add(PLACEHOLDER, 0)
            return False
        if future and (self.hiding > 0 or self.codec.offset[MASK_BAR] >= 0):
            if self.hiding == 0:
                self.sink.add(MASK_BAR, 0)
            return True
        if not fill:
            self.bar_notes(cell, drums)
        return False

    cdef int sort(self, int first, int count) except -1:
        """Keys of the cell's notes in order: onset, pitch, place in the list."""
        cdef int i, j
        cdef long long key
        cdef long long* grown
        if count > self.key_room:
            grown = <long long*>realloc(self.keys, 2 * count * sizeof(long long))
            if grown == NULL:
                raise MemoryError
            self.keys, self.key_room = grown, 2 * count
        for i in range(count):
            key = ((<long long>self.notes[first + i, 2] * 256 + self.notes[first + i, 0]) << 24) | i
            j = i
            if count <= 64:
                while j > 0 and self.keys[j - 1] > key:
                    self.keys[j] = self.keys[j - 1]
                    j -= 1
            self.keys[j] = key
        if count > 64:
            qsort(self.keys, count, sizeof(long long), compare_keys)
        return 0

    cdef int bar_notes(self, int cell, bint drums) except -1:
        cdef Sink sink = self.sink
        cdef Codec codec = self.codec
        cdef int first = self.starts[cell], count = self.starts[cell + 1] - first
        cdef int i, row, position = 0, level = -1, now, velocity, delta, durations = codec.size[DURATION]
        self.sort(first, count)
        for i in range(count):
            row = first + <int>(self.keys[i] & 0xFFFFFF)
            if self.notes[row, 2] != position:
                position = self.notes[row, 2]
                sink.add(POSITION, position)
            if self.velocities:
                velocity = self.notes[row, 1]
                now = codec.levels[max(0, min(127, velocity))]
                if now > 0 and not (codec.sticky and now == level):
                    sink.add(VELOCITY, now)
                    level = now
            delta = self.notes[row, 4]
            if self.deltas and delta != 0:
                if delta < 0 and codec.offset[DIRECTION] >= 0:
                    sink.add(DIRECTION, 0)
                    delta = -delta
                if delta > 0:
                    sink.add(DELTA, delta)
            sink.add(ONSET, self.notes[row, 0])
            if not drums:
                sink.add(DURATION, min(self.notes[row, 3], durations) - 1)
        return 0

    cdef int head(self, options, vocabulary, int n_bars) except -1:
        self.sink.add(PIECE_START, 1 if options.infill else 0)
        self.sink.add(USE_VELOCITY, options.use_velocity != 0)
        self.sink.add(USE_MICROTIMING, options.use_microtiming != 0)
        if options.genre >= 0:
            self.sink.add(GENRE, options.genre)
        if self.codec.offset[NUM_BARS] >= 0:
            bars = max(options.window_bars, 0) or n_bars or vocabulary.config.model_dim
            self.sink.add(NUM_BARS, vocabulary.num_bars_value(bars))
        return 0

    cdef list cells_to_fill(self, options):
        cdef int index, bar, cell
        found = []
        for index, bar in sorted(options.infill):
            cell = self.firsts[index] + bar
            self.filling[cell] = 1
            found.append((cell, self.kinds[index, 1]))
        return found

    def write(self, options, vocabulary, int n_bars):
        cdef int index, partial, cell
        cdef bint drums
        fills = self.cells_to_fill(options)
        self.head(options, vocabulary, n_bars)
        for index in range(self.kinds.shape[0]):
            partial = options.partial_bars if index == options.partial_track and options.partial_bars >= 0 else -1
            self.track(index, partial)
        for cell, drums in fills:
            self.sink.add(FILL_START, 0)
            self.bar_notes(cell, drums)
            self.sink.add(FILL_END, 0)
        self.sink.add(PIECE_END, 0)
        return Encoded(self.sink.tokens(), self.spans)


def encode_table(table, vocabulary, options, values):
    """Tokens of a NoteTable with these AttributeValues."""
    check_options(vocabulary, options, np.diff(table.track_start).tolist())
    return Writer(table, vocabulary, options, values).write(options, vocabulary, table.n_bars)
