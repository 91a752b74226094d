"""Fit new notes between old ones of the same pitch, so that each note-off closes the note it belongs to.

A file says nothing of which note-on a note-off closes; the first one still open is the common reading. So on one
channel the notes of a pitch must end in the order they began, whatever is put between them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from math import inf
from typing import NamedTuple

from midigpt_core.midi_file.notes import ChannelNotes


class NewNote(NamedTuple):
    """A note to be put in: ticks counted from the beginning of the file."""

    onset: int
    end: int
    pitch: int
    velocity: int


class _Walls:
    """What the old notes of one pitch allow: how soon and how late a note that begins at some tick may end."""

    def __init__(self, old: Iterable[tuple[int, float]], stray: Iterable[int]) -> None:
        ordered = sorted(old)
        self._onsets = [onset for onset, _ in ordered]
        self._latest_end = list(accumulate((end for _, end in ordered), max))
        self._stops = sorted([*self._onsets, *stray])

    def earliest(self, onset: int) -> float:
        """The end of every older note that still sounds: its note-off comes first and must find it open."""
        index = bisect_right(self._onsets, onset)
        return self._latest_end[index - 1] if index else 0

    def latest(self, onset: int) -> float:
        """The next old note-on of this pitch (which must be heard), or a note-off that would cut the new note."""
        index = bisect_right(self._stops, onset)
        return self._stops[index] if index < len(self._stops) else inf


def fit_notes(new: Iterable[NewNote], old: ChannelNotes) -> tuple[list[NewNote], list[NewNote]]:
    """The new notes with ends that keep every old note as it was, and those for which there is no place.

    A new note gives way: it ends where the next old note of its pitch begins, and no sooner than an old one that
    sounds when it begins. After an old note-on that is never closed no further note of that pitch is possible.
    """
    by_pitch: dict[int, list[NewNote]] = defaultdict(list)
    for note in new:
        by_pitch[note.pitch].append(note)
    placed: list[NewNote] = []
    left: list[NewNote] = []
    walls_of = _walls(old, by_pitch)
    for pitch, notes in by_pitch.items():
        walls = walls_of[pitch]
        free = [note for note in notes if walls.earliest(note.onset) < inf]
        left += [note for note in notes if walls.earliest(note.onset) == inf]
        placed += _in_order([_between(note, walls) for note in free], walls)
    return placed, left


def _walls(old: ChannelNotes, pitches: Iterable[int]) -> dict[int, _Walls]:
    spans: dict[int, list[tuple[int, float]]] = {pitch: [] for pitch in pitches}
    strays: dict[int, list[int]] = {pitch: [] for pitch in spans}
    for note in old.notes:
        if note.pitch in spans:
            spans[note.pitch].append((note.onset, float(note.end)))
    for tick, pitch, _ in old.hanging:
        if pitch in spans:
            spans[pitch].append((tick, inf))
    for tick, pitch in old.stray:
        if pitch in spans:
            strays[pitch].append(tick)
    return {pitch: _Walls(spans[pitch], strays[pitch]) for pitch in spans}


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
