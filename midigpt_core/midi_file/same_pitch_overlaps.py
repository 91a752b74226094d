"""Fit new notes between old ones of the same pitch, so that each note-off closes the note it belongs to.

A file says nothing of which note-on a note-off closes; the first one still open is the common reading. So on one
channel the notes of a pitch must end in the order they began, whatever is put between them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from midigpt_core.midi_file.outline import NOTHING, NoteColumns


class NewNote(NamedTuple):
    """A note to be put in: ticks counted from the beginning of the file."""

    onset: int
    end: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class OldNotes:
    """What a channel plays already."""

    closed: NoteColumns = NOTHING
    hanging: NoteColumns = NOTHING  # note-ons that are never closed
    stray: NoteColumns = NOTHING  # note-offs that close nothing


EMPTY = OldNotes()


class _Walls:
    """What the old notes of one pitch allow: how soon and how late a note that begins at some tick may end."""

    def __init__(self, pitch: int, old: OldNotes) -> None:
        closed, closed_ends = _of_pitch(pitch, old.closed)
        hanging, _ = _of_pitch(pitch, old.hanging)
        stray, _ = _of_pitch(pitch, old.stray)
        self._onsets = np.concatenate((closed, hanging))  # both in order, and an unclosed note-on is the last
        self._ends = np.concatenate((closed_ends, np.full(len(hanging), inf)))  # in order, too
        self._stops = np.sort(np.concatenate((self._onsets, stray)))

    def earliest(self, onset: int) -> float:
        """The end of every older note that still sounds: its note-off comes first and must find it open."""
        index = self._onsets.searchsorted(onset, "right")
        return float(self._ends[index - 1]) if index else 0

    def latest(self, onset: int) -> float:
        """The next old note-on of this pitch (which must be heard), or a note-off that would cut the new note."""
        index = self._stops.searchsorted(onset, "right")
        return float(self._stops[index]) if index < len(self._stops) else inf


def _of_pitch(pitch: int, notes: NoteColumns) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Onsets and ends of the notes of one pitch."""
    at = np.flatnonzero(np.frombuffer(notes.pitches, np.uint8) == pitch)
    onsets, ends = (np.frombuffer(column, np.int64) for column in (notes.onsets, notes.ends))
    return onsets[at], ends[at]


def fit_notes(new: Iterable[NewNote], old: OldNotes = EMPTY) -> tuple[list[NewNote], list[NewNote]]:
    """The new notes with ends that keep every old note as it was, and those for which there is no place.

    A new note gives way: it ends where the next old note of its pitch begins, and no sooner than an old one that
    sounds when it begins. After an old note-on that is never closed no further note of that pitch is possible.
    """
    by_pitch: dict[int, list[NewNote]] = defaultdict(list)
    for note in new:
        by_pitch[note.pitch].append(note)
    placed: list[NewNote] = []
    left: list[NewNote] = []
    for pitch, notes in by_pitch.items():
        walls = _Walls(pitch, old)
        free = [note for note in notes if walls.earliest(note.onset) < inf]
        left += [note for note in notes if walls.earliest(note.onset) == inf]
        placed += _in_order([_between(note, walls) for note in free], walls)
    return placed, left


def _between(note: NewNote, walls: _Walls) -> NewNote:
    end = max(min(note.end, walls.latest(note.onset)), walls.earliest(note.onset))
    return note._replace(end=int(end))


def _in_order(notes: list[NewNote], walls: _Walls) -> list[NewNote]:
    """A new note that would sound through a later, shorter one of its pitch ends where that one begins."""
    notes = sorted(notes)
    for i in range(len(notes) - 2, -1, -1):
        if notes[i].end > notes[i + 1].end:
            end = max(notes[i + 1].onset, walls.earliest(notes[i].onset))
            notes[i] = notes[i]._replace(end=int(end))
    return notes
