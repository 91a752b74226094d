# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The outline of a track chunk in one pass; the reference is midi_file/outline.py."""

from cpython cimport array
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

import array

cdef struct Note:
    long long onset
    long long end  # -1: not closed yet
    int next  # the next open note of its channel and pitch
    unsigned char channel, pitch, velocity

cdef enum:
    OPEN = 16 * 128
    FIRST_ROOM = 256
    MOST = 1 << 30

cdef int number(const unsigned char *body, Py_ssize_t size, Py_ssize_t *at, long long *value) noexcept nogil:
    """The variable-length number at `at`, which moves behind it; 0 where there is none."""
    cdef int i
    cdef unsigned char byte
    value[0] = 0
    for i in range(4):
        if at[0] >= size:
            return 0
        byte = body[at[0]]
        at[0] += 1
        value[0] = (value[0] << 7) | (byte & 0x7F)
        if byte < 0x80:
            return 1
    return 0


cdef inline int data_bytes(int status) noexcept nogil:
    return 1 if 0xC0 <= status < 0xE0 else 2


cdef class Table:
    """The notes found so far, and the open ones of each channel and pitch as queues."""

    cdef Note *notes
    cdef int *heads
    cdef int *tails
    cdef int count, room

    def __cinit__(self):
        self.room = FIRST_ROOM
        self.notes = <Note *>malloc(self.room * sizeof(Note))
        self.heads = <int *>malloc(OPEN * sizeof(int))
        self.tails = <int *>malloc(OPEN * sizeof(int))
        if not (self.notes and self.heads and self.tails):
            raise MemoryError
        memset(self.heads, 0xFF, OPEN * sizeof(int))

    def __dealloc__(self):
        free(self.notes)
        free(self.heads)
        free(self.tails)

    cdef int begin(self, long long tick, int channel, int pitch, int velocity) except -1:
        cdef Note *moved
        cdef Note *note
        cdef int slot = channel * 128 + pitch
        if self.count == self.room:
            moved = <Note *>realloc(self.notes, 2 * <size_t>self.room * sizeof(Note))
            if not moved:
                raise MemoryError
            self.notes, self.room = moved, 2 * self.room
        note = &self.notes[self.count]
        note.onset, note.end, note.next = tick, -1, -1
        note.channel, note.pitch, note.velocity = <unsigned char>channel, <unsigned char>pitch, <unsigned char>velocity
        if self.heads[slot] < 0:
            self.heads[slot] = self.count
        else:
            self.notes[self.tails[slot]].next = self.count
        self.tails[slot] = self.count
        self.count += 1
        return 0

    cdef void close(self, long long tick, int channel, int pitch) noexcept:
        cdef int slot = channel * 128 + pitch
        cdef int first = self.heads[slot]
        if first >= 0:
            self.notes[first].end = tick
            self.heads[slot] = self.notes[first].next

    cdef dict parts(self):
        """{channel: (onsets, ends, pitches, velocities)} of the closed notes, channels in order."""
        cdef int counts[16]
        cdef int i, channel, at
        cdef array.array onsets, ends
        cdef unsigned char *pitches
        cdef unsigned char *velocities
        memset(counts, 0, sizeof(counts))
        for i in range(self.count):
            counts[self.notes[i].channel] += self.notes[i].end >= 0
        found = {}
        for channel in range(16):
            if not counts[channel]:
                continue
            onsets, ends = array.array("q"), array.array("q")
            array.resize(onsets, counts[channel])
            array.resize(ends, counts[channel])
            high, loud = bytearray(counts[channel]), bytearray(counts[channel])
            pitches, velocities, at = high, loud, 0
            for i in range(self.count):
                if self.notes[i].channel == channel and self.notes[i].end >= 0:
                    onsets.data.as_longlongs[at] = self.notes[i].onset
                    ends.data.as_longlongs[at] = self.notes[i].end
                    pitches[at], velocities[at] = self.notes[i].pitch, self.notes[i].velocity
                    at += 1
            found[channel] = (onsets, ends, bytes(high), bytes(loud))
        return found


def outline(bytes whole, bytes metas, Py_ssize_t most):
    """(events, end_tick, last_event, last_onset, channels, parts); () above `most` notes; None where something is wrong."""
    cdef const unsigned char *body = whole
    cdef Py_ssize_t size = len(whole), at = 0, start
    cdef long long tick = 0, delta = 0, length = 0, last_event = 0, last_onset = -1
    cdef int status, running = 0, kind, first, second, heard = 0, i
    cdef unsigned char wanted[256]
    cdef Table table = Table()
    memset(wanted, 0, sizeof(wanted))
    for kind in metas:
        wanted[kind] = 1
    if most > MOST or size > MOST:
        return None
    events = []
    while at < size:
        if not number(body, size, &at, &delta) or at >= size:
            return None
        tick += delta
        status = body[at]
        if status >= 0xF0:
            start = at
            at += 1
            if status == 0xFF:
                if at >= size:
                    return None
                kind = body[at]
                at += 1
            elif status == 0xF1 or status == 0xF3:
                at += 1
            elif status == 0xF2:
                at += 2
            elif status in (0xF4, 0xF5, 0xF9, 0xFD):
                return None
            if status in (0xFF, 0xF0, 0xF7):
                if not number(body, size, &at, &length):
                    return None
                at += length
            if at > size:
                return None
            if status == 0xFF and kind == 0x2F:
                return events, tick, last_event, last_onset, channels_of(heard), table.parts()
            if status == 0xF0 or (status == 0xFF and wanted[kind]):
                events.append((tick, whole[start:at]))
            last_event = tick
            continue
        if status >= 0x80:
            running = status
            at += 1
        elif not running:
            return None
        if at + data_bytes(running) > size:
            return None
        first = body[at]
        second = body[at + 1] if data_bytes(running) == 2 else 0
        kind = running & 0xF0
        if kind == 0x90 or kind == 0x80:
            if kind == 0x90:
                heard |= 1 << (running & 0x0F)
            first, second = min(first, 127), min(second, 127)
            if kind == 0x90 and second:
                table.begin(tick, running & 0x0F, first, second)
                last_onset = tick
                if table.count > most:
                    return ()
            else:
                table.close(tick, running & 0x0F, first)
        elif kind == 0xC0 or (kind == 0xB0 and first == 0):
            events.append((tick, bytes((running, first)) if kind == 0xC0 else bytes((running, first, second))))
        at += data_bytes(running)
        last_event = tick
    return events, tick, last_event, last_onset, channels_of(heard), table.parts()


cdef channels_of(int heard):
    return frozenset([i for i in range(16) if heard & (1 << i)])
