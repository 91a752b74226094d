# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""From a Score to a NoteTable and the attribute values its tracks hold, resolution change included."""

import numpy as np

from midigpt_core.score import DRUM
from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES
from midigpt_core.tokens.note_table import AttributeValues, NoteTable

include "rescale.pxi"

cdef enum:
    LIMIT = 1 << 30  # ticks; scores beyond it go to the reference
    TRACK_SLOTS = 10  # columns of AttributeValues.tracks
    BAR_SLOTS = 6  # columns of AttributeValues.cells


def flatten(score, long long target, bint fine):
    """NoteTable of a score, brought to `target` ticks per quarter; None where numbers are too wild for int32."""
    cdef Scale scale = scale_of(score.resolution, target, fine)
    cdef long long n_notes = 0, n_cells = 0, onset, duration, delta, pitch, velocity
    cdef int row = 0, cell = 0, index = 0
    tracks = score.tracks
    for track in tracks:
        n_cells += len(track.bars)
        for bar in track.bars:
            n_notes += len(bar.notes)
    notes_array = np.empty((n_notes, 5), dtype=np.int32)
    cell_array = np.empty((n_cells, 3), dtype=np.int32)
    start_array = np.empty(n_cells + 1, dtype=np.int32)
    quarter_array = np.empty(n_cells, dtype=np.float64)
    track_array = np.empty((len(tracks), 2), dtype=np.int32)
    first_array = np.empty(len(tracks) + 1, dtype=np.int32)
    cdef int[:, ::1] notes = notes_array, cells = cell_array, kinds = track_array
    cdef int[::1] starts = start_array, firsts = first_array
    cdef double[::1] quarters = quarter_array
    for track in tracks:
        firsts[index] = cell
        kinds[index, 0], kinds[index, 1] = track.instrument, track.track_type == DRUM
        index += 1
        for bar in track.bars:
            starts[cell] = row
            cells[cell, 0], cells[cell, 1], cells[cell, 2] = bar.ts_numerator, bar.ts_denominator, bar.future
            quarters[cell] = bar.beat_length
            cell += 1
            for note in bar.notes:
                pitch, velocity = note.pitch, note.velocity
                onset, duration, delta = note.onset_ticks, note.duration_ticks, note.delta
                if outside(onset, 0, LIMIT) or outside(duration, -LIMIT, LIMIT) or outside(delta, -LIMIT, LIMIT):
                    return None
                rescale(&scale, &onset, &duration, &delta)
                if outside(pitch, 0, 255) or outside(velocity, -LIMIT, LIMIT) or outside(onset, 0, LIMIT) \
                        or outside(duration, -LIMIT, LIMIT) or outside(delta, -LIMIT, LIMIT):
                    return None
                notes[row, 0], notes[row, 1], notes[row, 2] = pitch, velocity, onset
                notes[row, 3], notes[row, 4] = duration, delta
                row += 1
    starts[cell], firsts[index] = row, cell
    return NoteTable(notes_array, start_array, cell_array, quarter_array, first_array, track_array, target)


def given_values(score, table):
    """AttributeValues holding what `Track.attributes` holds."""
    values = AttributeValues.none(table)
    cdef int[:, ::1] by_track = values.tracks, by_cell = values.cells
    cdef int[::1] firsts = table.track_start
    cdef int index, slot, cell, bar
    for index, track in enumerate(score.tracks):
        attributes = track.attributes
        if not attributes:
            continue
        for slot in range(TRACK_SLOTS):
            found = attributes.get(TRACK_ATTRIBUTES[slot][0])
            if found is not None:
                by_track[index, slot] = max(0, found)
        for bar, cell in enumerate(range(firsts[index], firsts[index + 1])):
            for slot in range(BAR_SLOTS):
                found = attributes.get(f"bar_{BAR_ATTRIBUTES[slot][0]}_{bar}")
                if found is not None:
                    by_cell[cell, slot] = max(0, found)
    return values
