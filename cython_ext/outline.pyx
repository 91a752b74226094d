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

include "scan.pxi"


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


def outline(bytes whole, bytes metas, bytes controls, Py_ssize_t most):
    """(events, end_tick, last_event, last_onset, channels, used, parts); () above `most` notes; None where something is
    wrong."""
    cdef Scan scan
    cdef long long last_event = 0, last_onset = -1
    cdef int found, kind, first, heard = 0, used = 0
    cdef unsigned char[256] wanted
    cdef unsigned char[256] control
    cdef Table table = Table()
    memset(wanted, 0, sizeof(wanted))
    memset(control, 0, sizeof(control))
    memset(&scan, 0, sizeof(scan))
    for kind in metas:
        wanted[kind] = 1
    for kind in controls:
        control[kind] = 1
    scan.body, scan.size = whole, len(whole)
    if most > MOST or scan.size > MOST:
        return None
    events = []
    while True:
        found = next_event(&scan)
        if found == DAMAGED:
            return None
        if found != EVENT:
            return events, scan.tick, last_event, last_onset, channels_of(heard), channels_of(used), table.parts()
        last_event = scan.tick
        if scan.status >= 0xF0:
            if scan.status == 0xF0 or (scan.status == 0xFF and wanted[scan.body[scan.start + 1]]):
                events.append((scan.tick, whole[scan.start : scan.at]))
            continue
        kind = scan.status & 0xF0
        first = scan.body[scan.at - data_bytes(scan.status)]
        used |= 1 << (scan.status & 0x0F)
        if kind == 0x90:
            heard |= 1 << (scan.status & 0x0F)
        if kind == 0x90 and scan.body[scan.at - 1]:
            table.begin(scan.tick, scan.status & 0x0F, min(first, 127), min(scan.body[scan.at - 1], 127))
            last_onset = scan.tick
            if table.count > most:
                return ()
        elif kind == 0x90 or kind == 0x80:
            table.close(scan.tick, scan.status & 0x0F, min(first, 127))
        elif kind == 0xC0:
            events.append((scan.tick, bytes((scan.status, first))))
        elif kind == 0xB0 and control[first]:
            events.append((scan.tick, bytes((scan.status, first, scan.body[scan.at - 1]))))


cdef channels_of(int heard):
    return frozenset([i for i in range(16) if heard & (1 << i)])
