# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The notes of a track chunk with their events, and the chunk with some of them exchanged; the references are
midi_file/pair_notes.py and midi_file/weave.py."""

from cpython cimport array
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

import array

include "scan.pxi"

cdef enum:
    OPEN = 16 * 128
    FIRST_ROOM = 256
    LARGEST = 1 << 30  # bytes of a chunk
    LONGEST = 1 << 28  # a delta must stay below it

cdef struct Row:
    long long onset
    long long end  # -1: not closed
    int on, off  # indices of events; on -1: a note-off that closes nothing
    int next  # the next open note of its channel and pitch
    unsigned char channel, pitch, velocity


cdef class Rows:
    """What has been found so far, and the open notes of each channel and pitch as queues."""

    cdef Row *rows
    cdef int *heads
    cdef int *tails
    cdef int count, room

    def __cinit__(self):
        self.room = FIRST_ROOM
        self.rows = <Row *>malloc(self.room * sizeof(Row))
        self.heads = <int *>malloc(OPEN * sizeof(int))
        self.tails = <int *>malloc(OPEN * sizeof(int))
        if not (self.rows and self.heads and self.tails):
            raise MemoryError
        memset(self.heads, 0xFF, OPEN * sizeof(int))

    def __dealloc__(self):
        free(self.rows)
        free(self.heads)
        free(self.tails)

    cdef Row *added(self, long long tick, int index, int channel, int pitch) except NULL:
        cdef Row *moved
        cdef Row *row
        if self.count == self.room:
            moved = <Row *>realloc(self.rows, 2 * <size_t>self.room * sizeof(Row))
            if not moved:
                raise MemoryError
            self.rows, self.room = moved, 2 * self.room
        row = &self.rows[self.count]
        row.onset, row.end, row.on, row.off, row.next, row.velocity = tick, -1, index, -1, -1, 0
        row.channel, row.pitch = <unsigned char>channel, <unsigned char>pitch
        self.count += 1
        return row

    cdef int begin(self, long long tick, int index, int channel, int pitch, int velocity) except -1:
        cdef int slot = channel * 128 + pitch, at = self.count
        self.added(tick, index, channel, pitch).velocity = <unsigned char>velocity
        if self.heads[slot] < 0:
            self.heads[slot] = at
        else:
            self.rows[self.tails[slot]].next = at
        self.tails[slot] = at
        return 0

    cdef int close(self, long long tick, int index, int channel, int pitch) except -1:
        cdef int slot = channel * 128 + pitch
        cdef int first = self.heads[slot]
        if first < 0:
            self.added(tick, -1, channel, pitch)
            return 0
        self.rows[first].end, self.rows[first].off = tick, index
        self.heads[slot] = self.rows[first].next
        return 0

    cdef tuple columns(self, int channel, int kind):
        """(onsets, ends, pitches, velocities, ons, offs) of one channel's closed notes (kind 0), of notes that are
        never closed (1) or of note-offs that close nothing (2)."""
        cdef int i, at = 0, count = 0
        cdef array.array onsets = array.array("q"), ends = array.array("q")
        cdef array.array ons = array.array("i"), offs = array.array("i")
        for i in range(self.count):
            count += self.rows[i].channel == channel and kind_of(&self.rows[i]) == kind
        for column in (onsets, ends, ons, offs):
            array.resize(column, count)
        high, loud = bytearray(count), bytearray(count)
        cdef unsigned char *pitches = high
        cdef unsigned char *velocities = loud
        for i in range(self.count):
            if self.rows[i].channel == channel and kind_of(&self.rows[i]) == kind:
                onsets.data.as_longlongs[at], ends.data.as_longlongs[at] = self.rows[i].onset, self.rows[i].end
                ons.data.as_ints[at], offs.data.as_ints[at] = self.rows[i].on, self.rows[i].off
                pitches[at], velocities[at] = self.rows[i].pitch, self.rows[i].velocity
                at += 1
        return onsets, ends, bytes(high), bytes(loud), ons, offs

    cdef dict parts(self):
        """{channel: the columns of all three kinds}, channels in order."""
        cdef int i, heard = 0
        for i in range(self.count):
            heard |= 1 << self.rows[i].channel
        return {
            channel: (self.columns(channel, 0), self.columns(channel, 1), self.columns(channel, 2))
            for channel in range(16)
            if heard & (1 << channel)
        }


cdef inline int kind_of(Row *row) noexcept nogil:
    return 2 if row.on < 0 else 1 if row.off < 0 else 0


def paired(bytes whole):
    """(parts, silent_offs, running); None where something is wrong."""
    cdef Scan scan
    cdef Rows rows = Rows()
    cdef int found, kind, first, second, index = 0
    cdef bint ran = False, offs = False, ons = False
    if len(whole) > LARGEST:
        return None
    memset(&scan, 0, sizeof(scan))
    scan.body, scan.size = whole, len(whole)
    while True:
        found = next_event(&scan)
        if found == DAMAGED:
            return None
        if found != EVENT:
            return rows.parts(), ons and not offs, ran
        ran |= scan.ran
        kind = scan.status & 0xF0
        if kind == 0x80 or kind == 0x90:
            first, second = min(scan.body[scan.at - 2], 127), min(scan.body[scan.at - 1], 127)
            if kind == 0x90:
                ons = True
            else:
                offs = True
            if kind == 0x90 and second:
                rows.begin(scan.tick, index, scan.status & 0x0F, first, second)
            else:
                rows.close(scan.tick, index, scan.status & 0x0F, first)
        index += 1


cdef class Sink:
    """The bytes of a chunk as they are written."""

    cdef unsigned char *data
    cdef size_t count, room
    cdef long long tick
    cdef int status
    cdef bint running

    def __cinit__(self, size_t room, bint running):
        self.room, self.running = room + 64, running
        self.data = <unsigned char *>malloc(self.room)
        if not self.data:
            raise MemoryError

    def __dealloc__(self):
        free(self.data)

    cdef int add(self, long long tick, int status, const unsigned char *data, size_t size) except -1:
        """An event: its status byte, and what follows it. -1 too where the pause before it is too long."""
        cdef unsigned char *moved
        cdef long long delta = tick - self.tick
        cdef int shift
        if delta >= LONGEST or delta < 0:
            raise OverflowError
        if self.count + size + 8 > self.room:
            moved = <unsigned char *>realloc(self.data, 2 * self.room + size)
            if not moved:
                raise MemoryError
            self.data, self.room = moved, 2 * self.room + size
        for shift in (21, 14, 7):
            if delta >> shift:
                self.data[self.count] = <unsigned char>((delta >> shift) & 0x7F | 0x80)
                self.count += 1
        self.data[self.count] = <unsigned char>(delta & 0x7F)
        self.count += 1
        if not (self.running and status == self.status and size and data[0] < 0x80):
            self.data[self.count] = <unsigned char>status
            self.count += 1
        memcpy(self.data + self.count, data, size)
        self.count += size
        self.tick, self.status = tick, status if status < 0xF0 else 0
        return 0


def woven(bytes whole, const int[::1] removed, list put_in, bint running):
    """(events, last_tick, end_tick, has_end, tail); None where something is wrong.

    removed: indices of events, in order; put_in: (tick, order, event), in order of both, order 0 before what is there at
    that tick.
    """
    cdef Scan scan
    cdef Py_ssize_t start, count = len(put_in), gone = removed.shape[0], at = 0, next_gone = 0
    cdef int found, index = 0
    cdef long long tick = -1
    cdef int order = 0
    cdef Sink sink
    if len(whole) > LARGEST:
        return None
    sink = Sink(len(whole) + 16 * count, running)
    memset(&scan, 0, sizeof(scan))
    scan.body, scan.size = whole, len(whole)
    while True:
        found = next_event(&scan)
        if found == DAMAGED:
            return None
        while at < count:
            tick, order, event = put_in[at]
            if found == EVENT and (tick > scan.tick or (tick == scan.tick and order > 0)):
                break
            add_new(sink, tick, event)
            at += 1
        if found != EVENT:
            events = (<char *>sink.data)[: sink.count]
            return events, sink.tick, scan.tick, found == MARK, whole[scan.at :] if found == MARK else b""
        if next_gone < gone and removed[next_gone] == index:
            next_gone += 1
        else:
            start = scan.start if scan.ran else scan.start + 1
            sink.add(scan.tick, scan.status, scan.body + start, scan.at - start)
        index += 1


cdef int add_new(Sink sink, long long tick, bytes event) except -1:
    cdef const unsigned char *data = event
    return sink.add(tick, data[0], data + 1, len(event) - 1)
