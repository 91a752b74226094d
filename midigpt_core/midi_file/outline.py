"""What reading needs of a track chunk, in little memory: its notes as columns of numbers, and what rules them.

The readable reference of `cython_ext/outline.pyx`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple, overload

from midigpt_core.compiled import compiled
from midigpt_core.errors import SongTooLargeError
from midigpt_core.midi_file.events import CONTROL, META, NOTE_ON, PROGRAM, Event, TrackEvents, read_events
from midigpt_core.midi_file.pair_notes import RawNote, pair_notes

METAS = bytes((0x03, 0x04, 0x20, 0x21, 0x51, 0x58, 0x59))  # names, channel and port, tempo, metre, key
CONTROLS = bytes((0, 6, 100, 101))  # bank select; a registered parameter, and its value


@dataclass(frozen=True)
class ReadLimits:
    """How large a song may be, counted while it is read."""

    notes: int = 4_000_000
    tracks: int = 65_535
    bars: int = 50_000  # a day of music
    cells: int = 1_000_000  # bars times tracks; real files have fewer than 20,000


@dataclass(frozen=True, slots=True)
class NoteColumns(Sequence[RawNote]):
    """The closed notes of one channel of a chunk, in order of their note-ons. Ticks count from the file's beginning."""

    onsets: array[int]
    ends: array[int]
    pitches: bytes
    velocities: bytes

    def __len__(self) -> int:
        return len(self.pitches)

    @overload
    def __getitem__(self, at: int) -> RawNote: ...

    @overload
    def __getitem__(self, at: slice) -> list[RawNote]: ...

    def __getitem__(self, at: int | slice) -> RawNote | list[RawNote]:
        """A note, or some; where its events stand in the chunk is not known here."""
        if isinstance(at, int):
            return RawNote(*self.row(at), -1, -1)
        rows = zip(self.onsets[at], self.ends[at], self.pitches[at], self.velocities[at], strict=True)
        return [RawNote(*row, -1, -1) for row in rows]

    def played(self, most: int) -> list[tuple[int, int, int]]:
        """Onset, end and pitch of the first notes."""
        return list(zip(self.onsets[:most], self.ends[:most], self.pitches[:most], strict=True))

    def without(self, gone: Iterable[range]) -> NoteColumns:
        """Those that are left; `gone` are ranges of indices, in order."""
        onsets, ends = array("q"), array("q")
        pitches, velocities = bytearray(), bytearray()
        first = 0
        for stretch in (*gone, range(len(self), len(self))):
            kept = slice(first, stretch.start)
            onsets += self.onsets[kept]
            ends += self.ends[kept]
            pitches += self.pitches[kept]
            velocities += self.velocities[kept]
            first = stretch.stop
        return NoteColumns(onsets, ends, bytes(pitches), bytes(velocities))

    def row(self, at: int) -> tuple[int, int, int, int]:
        """Onset, end, pitch and velocity of one note."""
        return self.onsets[at], self.ends[at], self.pitches[at], self.velocities[at]


NOTHING = NoteColumns(array("q"), array("q"), b"", b"")


class Outline(NamedTuple):
    """A track chunk, read."""

    events: list[Event]  # programs, some controls, sysex and those meta events that say how to read notes
    end_tick: int  # of the end-of-track mark, or of the last event without one
    last_event: int  # tick of the last event before the mark, 0 without any
    last_onset: int  # tick of the last note-on, -1 without any
    channels: frozenset[int]  # those of note-ons
    used: frozenset[int]  # those of any event
    parts: dict[int, NoteColumns]  # by channel, those with notes


def outlines(bodies: Sequence[bytes], name: str, most: int) -> list[Outline]:
    """The outlines of all track chunks of a file. Raises MidiFileError, SongTooLargeError above `most` notes."""
    kernel, left, found = compiled("outline"), most, []
    for number, body in enumerate(bodies, 1):
        found.append(outline(body, f"{name}, track {number} of {len(bodies)}", left, kernel))
        left -= sum(len(part.pitches) for part in found[-1].parts.values())
    return found


def outline(body: bytes, where: str, most: int, kernel: ModuleType | None) -> Outline:
    """The outline of a track chunk. Raises MidiFileError, SongTooLargeError above `most` notes."""
    found = kernel.outline(body, METAS, CONTROLS, most) if kernel else None
    if found is None:  # not built, or something is wrong: the reference says what
        return _reference(read_events(body, where), most)
    if not found:
        raise SongTooLargeError("notes", most)
    parts = {channel: NoteColumns(*columns) for channel, columns in found[-1].items()}
    return Outline._make([*found[:-1], parts])


def _reference(track: TrackEvents, most: int) -> Outline:
    ons = [(tick, event[0] & 0x0F) for tick, event in track.events if event[0] & 0xF0 == NOTE_ON]
    sounding = [tick for tick, event in track.events if event[0] & 0xF0 == NOTE_ON and event[2]]
    if len(sounding) > most:
        raise SongTooLargeError("notes", most)
    parts = {
        channel: columns_of(part.notes) for channel, part in sorted(pair_notes(track.events).items()) if part.notes
    }
    last = track.events[-1][0] if track.events else 0
    kept = [item for item in track.events if _rules(item[1])]
    channels = frozenset(channel for _, channel in ons)
    used = frozenset(event[0] & 0x0F for _, event in track.events if event[0] < 0xF0)
    return Outline(kept, track.end_tick, last, max(sounding, default=-1), channels, used, parts)


def columns_of(notes: Sequence[RawNote]) -> NoteColumns:
    """The same notes as columns."""
    return NoteColumns(
        array("q", (note.onset for note in notes)),
        array("q", (note.end for note in notes)),
        bytes(note.pitch for note in notes),
        bytes(note.velocity for note in notes),
    )


def _rules(event: bytes) -> bool:
    """Whether the event says how notes are to be read."""
    status = event[0]
    if status == META:
        return event[1] in METAS
    return status == 0xF0 or status & 0xF0 == PROGRAM or (status & 0xF0 == CONTROL and event[1] in CONTROLS)
