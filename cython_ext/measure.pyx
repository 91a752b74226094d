# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Compiled twin of the attribute measures: same numbers, from a NoteTable."""

from libc.math cimport fmod, rint
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from midigpt_core import music
from midigpt_core.attributes import (
    key_signature, nomml, note_density, note_duration, pitch_class_set, pitch_range, polyphony, silence,
)
from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES

include "plan.pxi"

cdef double MAJOR[12]
cdef double MINOR[12]
cdef int BOUNDS[129 * 9]
for _i in range(12):
    MAJOR[_i], MINOR[_i] = music.MAJOR_PROFILE[_i], music.MINOR_PROFILE[_i]
for _i in range(129):
    for _j in range(9):
        BOUNDS[9 * _i + _j] = note_density.density_bounds()[_i][_j]


cdef int quantile_of(int* histogram, int bins, long long total, bint high) noexcept:
    """The value at the 15 % or 85 % place of `total` values counted in a histogram; 0 of nothing."""
    cdef long long place, seen = 0
    cdef int value
    if total == 0:
        return 0
    place = min(<long long>rint(total * (0.85 if high else 0.15)), total - 1)
    for value in range(bins):
        seen += histogram[value]
        if seen > place:
            return value
    return bins - 1


cdef class Meter:
    """Measures of one table, kept while several controls ask for them."""

    cdef int[:, ::1] notes, cells, kinds
    cdef int[::1] starts, firsts
    cdef double[::1] quarters
    cdef int resolution
    cdef int* room
    cdef long long capacity
    cdef int voices[2]
    cdef int levels[2]
    cdef int keys[2]

    def __cinit__(self):
        self.room, self.capacity = NULL, 0

    def __dealloc__(self):
        free(self.room)

    def __init__(self, table):
        self.notes, self.cells, self.kinds = table.notes, table.cells, table.tracks
        self.starts, self.firsts, self.quarters = table.cell_start, table.track_start, table.quarters
        self.resolution = table.resolution
        self.keys[0] = self.keys[1] = -1

    cdef int* cleared(self, long long size) except NULL:
        """At least `size` zeros."""
        if size > self.capacity:
            free(self.room)
            self.room, self.capacity = <int*>malloc(2 * size * sizeof(int)), 2 * size
            if self.room == NULL:
                self.capacity = 0
                raise MemoryError
        memset(self.room, 0, size * sizeof(int))
        return self.room

    cdef int density(self, int index, long long count) noexcept:
        cdef int row = 128 if self.kinds[index, 1] else self.kinds[index, 0], step, found = 0
        if row < 0 or row > 128:
            row = 0
        for step in range(9):
            if count > BOUNDS[9 * row + step]:
                found += 1
        return found

    cdef int track_density(self, int index) noexcept:
        cdef int cell, sounding = 0, count
        cdef long long total = 0
        for cell in range(self.firsts[index], self.firsts[index + 1]):
            count = self.starts[cell + 1] - self.starts[cell]
            if count:
                sounding += 1
                total += count
        return self.density(index, <long long>rint(<double>total / <double>max(sounding, 1)))

    cdef int measure_voices(self, int first, int last, bint one_bar) except -1:
        """Both quantiles of the voices that sound in these cells, into `voices`."""
        cdef long long length = 0, origin = 0, start, end, tick, sounding = 0
        cdef int cell, row, now = 0, n = self.starts[last] - self.starts[first]
        cdef int* roll
        cdef int* histogram
        self.voices[0] = self.voices[1] = 0
        if n == 0:
            return 0
        if one_bar:
            length = <long long>rint(self.quarters[first] * self.resolution)
        else:
            for cell in range(first, last):
                for row in range(self.starts[cell], self.starts[cell + 1]):
                    length = max(length, origin + self.notes[row, 2] + self.notes[row, 3])
                origin += <long long>rint(self.quarters[cell] * self.resolution)
        if length < 1:
            return 0
        roll = self.cleared(length + n + 2)
        histogram = roll + length
        origin = 0
        for cell in range(first, last):
            for row in range(self.starts[cell], self.starts[cell + 1]):
                start = origin + self.notes[row, 2]
                end = min(start + self.notes[row, 3], length - 1)
                if start < end:
                    roll[start] += 1
                    roll[end] -= 1
            origin += <long long>rint(self.quarters[cell] * self.resolution)
        for tick in range(length):
            now += roll[tick]
            if now > 0:
                histogram[now] += 1
                sounding += 1
        self.voices[0] = quantile_of(histogram, n + 1, sounding, False)
        self.voices[1] = quantile_of(histogram, n + 1, sounding, True)
        return 0

    cdef int measure_levels(self, int index) except -1:
        """Both quantiles of the track's duration levels, into `levels`."""
        cdef int histogram[6]
        cdef int row, level
        cdef int first = self.starts[self.firsts[index]], last = self.starts[self.firsts[index + 1]]
        cdef long long eighths
        memset(histogram, 0, sizeof(histogram))
        for row in range(first, last):
            level = 0
            eighths = 8 * <long long>self.notes[row, 3]
            while level < 5 and eighths >= (<long long>self.resolution << (level + 1)):
                level += 1
            histogram[3 if self.kinds[index, 1] else level] += 1
        self.levels[0] = quantile_of(histogram, 6, last - first, False)
        self.levels[1] = quantile_of(histogram, 6, last - first, True)
        return 0

    cdef int key(self, bint melodic_only) noexcept:
        cdef double weights[12]
        cdef double major, minor, best_major = -1, best_minor = -1
        cdef int index, row, i, j, at_major = 0, at_minor = 0
        cdef bint any_weight = False
        if self.keys[melodic_only] >= 0:
            return self.keys[melodic_only]
        memset(weights, 0, sizeof(weights))
        for index in range(self.kinds.shape[0]):
            if melodic_only and self.kinds[index, 1]:
                continue
            for row in range(self.starts[self.firsts[index]], self.starts[self.firsts[index + 1]]):
                if self.notes[row, 1] > 0:
                    weights[self.notes[row, 0] % 12] += self.notes[row, 3]
        for i in range(12):
            major, minor = 0, 0
            any_weight = any_weight or weights[i] != 0
            for j in range(12):
                major += MAJOR[(j - i + 12) % 12] * weights[j]
                minor += MINOR[(j - i + 12) % 12] * weights[j]
            if i == 0 or major > best_major:
                best_major, at_major = major, i
            if i == 0 or minor > best_minor:
                best_minor, at_minor = minor, i
        if not any_weight:
            self.keys[melodic_only] = 24
        else:
            self.keys[melodic_only] = at_major if best_major >= best_minor else at_minor + 12
        return self.keys[melodic_only]

    cdef int pitch_range(self, int index) noexcept:
        cdef int row, low = 255, high = 0
        cdef int first = self.starts[self.firsts[index]], last = self.starts[self.firsts[index + 1]]
        for row in range(first, last):
            low = min(low, self.notes[row, 0])
            high = max(high, self.notes[row, 0])
        return min(high - low, 127) if last > first else 0

    cdef int silence(self, int index, bint from_track_start) except -1:
        cdef int cell, row, start, end, length, sounding, bars = 0, tick
        cdef long long origin = 0
        cdef double total = 0
        cdef char* active
        for cell in range(self.firsts[index], self.firsts[index + 1]):
            length = <int>(self.cells[cell, 0] * (<double>(self.resolution * 4) / <double>self.cells[cell, 1]))
            if length > 0:
                bars += 1
                if self.starts[cell] == self.starts[cell + 1]:
                    total += 1.0
                else:
                    active = <char*>self.cleared(length // 4 + 1)
                    for row in range(self.starts[cell], self.starts[cell + 1]):
                        start = <int>max(0, min(length, self.notes[row, 2] - origin))
                        end = <int>max(0, min(length, self.notes[row, 2] - origin + self.notes[row, 3]))
                        if start < end:
                            memset(active + start, 1, end - start)
                    sounding = 0
                    for tick in range(length):
                        sounding += active[tick]
                    total += <double>(length - sounding) / <double>length
            if from_track_start:
                origin += length
        return max(0, min(9, <int>(total / bars * 10))) if bars else 0

    cdef int pitch_classes(self, int cell) noexcept:
        cdef int row, seen = 0, count = 0
        for row in range(self.starts[cell], self.starts[cell + 1]):
            seen |= 1 << (self.notes[row, 0] % 12)
        while seen:
            count += seen & 1
            seen >>= 1
        return count

    cdef int depth(self, int onset) noexcept:
        cdef int level
        for level in range(6):
            if fmod(onset, <double>self.resolution / <double>(1 << level)) == 0:
                return 2 * level
        for level in range(6):
            if fmod(onset, <double>(self.resolution * 2) / <double>((1 << level) * 3)) == 0:
                return 2 * level + 1
        return 12

    cdef int median_depth(self, int index) noexcept:
        cdef int histogram[13]
        cdef int row, value, low = -1, high = -1
        cdef int first = self.starts[self.firsts[index]], last = self.starts[self.firsts[index + 1]]
        cdef int seen = 0, total = last - first
        if total == 0:
            return 12
        memset(histogram, 0, sizeof(histogram))
        for row in range(first, last):
            histogram[self.depth(self.notes[row, 2])] += 1
        for value in range(13):
            seen += histogram[value]
            if low < 0 and seen > (total - 1) // 2:
                low = value
            if high < 0 and seen > total // 2:
                high = value
        return (low + high) // 2

    cdef int of_track(self, int index, Row* row) except -1:
        if row.measure == DENSITY:
            return self.track_density(index)
        if row.measure == POLYPHONY:
            return max(1, min(self.voices[row.high], 10)) - 1
        if row.measure == DURATIONS:
            return self.levels[row.high]
        if row.measure == KEY:
            return self.key(row.revision > 1)
        if row.measure == RANGE:
            return self.pitch_range(index)
        if row.measure == SILENCE:
            return self.silence(index, row.revision == 1)
        return self.median_depth(index)

    cdef int of_bar(self, int index, int cell, Row* row) except -1:
        if row.measure == DENSITY:
            return self.density(index, self.starts[cell + 1] - self.starts[cell])
        if row.measure == POLYPHONY:
            return max(1, min(self.voices[row.high], 10)) - 1
        return self.pitch_classes(cell)


def measure_table(table, Plan plan, values):
    """Every planned control measured from a NoteTable into AttributeValues."""
    cdef Meter meter = Meter(table)
    cdef int[:, ::1] by_track = values.tracks, by_cell = values.cells
    cdef int index, cell, i
    cdef bint drums, bar_voices
    cdef Row* row
    for index in range(meter.kinds.shape[0]):
        drums = meter.kinds[index, 1] != 0
        if wants(plan, POLYPHONY, False, drums):
            meter.measure_voices(meter.firsts[index], meter.firsts[index + 1], False)
        if wants(plan, DURATIONS, False, drums):
            meter.measure_levels(index)
        for i in range(plan.count):
            row = &plan.rows[i]
            if not row.of_bar and (row.drum if drums else row.melodic):
                by_track[index, row.slot] = meter.of_track(index, row)
        bar_voices = wants(plan, POLYPHONY, True, drums)
        for cell in range(meter.firsts[index], meter.firsts[index + 1]):
            if bar_voices:
                meter.measure_voices(cell, cell + 1, True)
            for i in range(plan.count):
                row = &plan.rows[i]
                if row.of_bar and (row.drum if drums else row.melodic):
                    by_cell[cell, row.slot] = meter.of_bar(index, cell, row)
