"""The notes of a track chunk, with the events that begin and end them.

The readable reference of `paired` in `cython_ext/weave.pyx`.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from midigpt_core.compiled import compiled
from midigpt_core.midi_file.events import NOTE_OFF, NOTE_ON, TrackEvents, read_events
from midigpt_core.midi_file.outline import NOTHING, NoteColumns, columns_of
from midigpt_core.midi_file.pair_notes import ChannelNotes, RawNote, pair_notes

_Columns = tuple[Any, ...]


@dataclass(frozen=True)
class Paired:
    """What one channel of a chunk plays. Events are counted from the beginning of the chunk."""

    notes: NoteColumns = NOTHING
    ons: array[int] = field(default_factory=lambda: array("i"))  # the event that begins each note
    offs: array[int] = field(default_factory=lambda: array("i"))  # the one that ends it
    hanging: NoteColumns = NOTHING  # note-ons that are never closed
    hanging_ons: array[int] = field(default_factory=lambda: array("i"))
    stray: NoteColumns = NOTHING  # note-offs that close nothing


@dataclass(frozen=True)
class PairedChunk:
    """A track chunk, as far as its notes go."""

    parts: dict[int, Paired]  # by channel
    silent_offs: bool  # note-offs are written as note-ons of velocity 0
    running: bool  # status bytes are left out where they repeat


def paired(body: bytes, where: str) -> PairedChunk:
    """The notes of a track chunk and their events. `where` names it in messages. Raises MidiFileError."""
    kernel = compiled("weave")
    found = kernel.paired(body) if kernel else None
    if found is None:  # not built, or something is wrong: the reference says what
        return _reference(read_events(body, where))
    parts, silent_offs, running = found
    return PairedChunk({channel: _part(*kinds) for channel, kinds in parts.items()}, silent_offs, running)


def _part(notes: _Columns, hanging: _Columns, stray: _Columns) -> Paired:
    return Paired(
        NoteColumns(*notes[:4]), notes[4], notes[5], NoteColumns(*hanging[:4]), hanging[4], NoteColumns(*stray[:4])
    )


def _reference(track: TrackEvents) -> PairedChunk:
    kinds = {event[0] & 0xF0 for _, event in track.events}
    parts = {channel: _of_lists(part) for channel, part in sorted(pair_notes(track.events).items())}
    return PairedChunk(parts, NOTE_ON in kinds and NOTE_OFF not in kinds, track.running)


def _of_lists(part: ChannelNotes) -> Paired:
    open_notes = sorted(part.hanging, key=lambda row: row[-1])
    hanging = [RawNote(tick, -1, pitch, velocity, on, -1) for tick, pitch, velocity, on in open_notes]
    stray = [RawNote(tick, -1, pitch, 0, -1, -1) for tick, pitch in part.stray]
    return Paired(
        columns_of(part.notes),
        array("i", (note.on for note in part.notes)),
        array("i", (note.off for note in part.notes)),
        columns_of(hanging),
        array("i", (note.on for note in hanging)),
        columns_of(stray),
    )
