"""Put new notes among the events of a track chunk, in an order every reader understands.

`weave` is for chunks of a file, however long: it works on their bytes, compiled where that was built
(`cython_ext/weave.pyx`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from midigpt_core.compiled import compiled
from midigpt_core.midi_file.events import (
    NOTE_OFF,
    NOTE_ON,
    Event,
    TrackEvents,
    end_mark,
    read_events,
    with_tail,
    write_events,
)
from midigpt_core.midi_file.same_pitch_overlaps import NewNote

# At one tick: what is to come first (new note-offs), what was there, what is to follow, new note-ons, the rest.
BEFORE, _THERE, AFTER, _ON, LAST = range(5)
_RELEASE = 64  # release velocity where none is known

PutIn = tuple[int, int, bytes]  # tick; place among the events of that tick; event


@dataclass
class Edit:
    """What happens to the events of a track chunk."""

    removed: set[int] = field(default_factory=set)  # indices of events
    put_in: list[PutIn] = field(default_factory=list)

    def add_notes(self, notes: Iterable[NewNote], channel: int, silent_offs: bool) -> None:
        """Put notes in; `silent_offs`: their note-offs are note-ons of velocity 0."""
        self.put_in += _note_events(sorted(notes), channel, silent_offs)


@dataclass
class Woven:
    """The bytes of a track chunk after an edit, but for its end."""

    data: bytes  # events
    last_event: int  # tick
    end_before: int  # tick of the end-of-track mark as it was
    has_end: bool
    tail: bytes  # bytes behind the mark
    running: bool  # status bytes are left out where they repeat
    end_tick: int = 0  # of the mark as it is to be

    def __post_init__(self) -> None:
        self.end_tick = max(self.end_before, self.last_event)

    @property
    def body(self) -> bytes:
        """The chunk. The end-of-track mark never comes earlier than it was."""
        if self.tail and self.end_tick != self.end_before:
            return self._with_late_events()
        end = end_mark(self.end_tick - self.last_event) if self.has_end else b""
        return self.data + end + self.tail

    def _with_late_events(self) -> bytes:
        events = read_events(self.data, "").events
        before = TrackEvents(events, self.end_before, self.has_end, self.running, self.tail)
        after = TrackEvents(events, self.end_tick, self.has_end, self.running, self.tail)
        return write_events(with_tail(after, before))


def weave(body: bytes, where: str, edit: Edit, running: bool) -> Woven:
    """The chunk without the removed events and with the new ones. Raises MidiFileError, which names it as `where`."""
    put_in = sorted(edit.put_in, key=lambda item: item[:2])
    removed = array("i", sorted(edit.removed))
    kernel = compiled("weave")
    try:
        found = kernel.woven(body, removed, put_in, running) if kernel else None
    except OverflowError:
        found = None
    if found is None:  # not built, or something is wrong: the reference says what
        found = _reference(read_events(body, where), edit.removed, put_in, running)
    data, last_event, end_tick, has_end, tail = found
    return Woven(data, last_event, end_tick, has_end, tail, running)


def _reference(
    track: TrackEvents, removed: set[int], put_in: list[PutIn], running: bool
) -> tuple[bytes, int, int, bool, bytes]:
    there = [(tick, _THERE, event) for i, (tick, event) in enumerate(track.events) if i not in removed]
    events = [(tick, event) for tick, _, event in sorted([*there, *put_in], key=lambda item: item[:2])]
    data = write_events(TrackEvents(events, 0, has_end=False, running=running))
    return data, events[-1][0] if events else 0, track.end_tick, track.has_end, track.tail


def with_notes(track: TrackEvents, new: dict[int, list[NewNote]]) -> TrackEvents:
    """The events with the new notes of each channel.

    The end of the track moves later where the last note needs it, and never earlier.
    """
    silent_offs = _ends_notes_by_velocity(track.events)
    keyed = [(tick, _THERE, event) for tick, event in track.events]
    for channel, notes in new.items():
        keyed += _note_events(sorted(notes), channel, silent_offs)
    keyed.sort(key=lambda item: item[:2])
    events = [(tick, event) for tick, _, event in keyed]
    end = max(track.end_tick, events[-1][0] if events else 0)
    return TrackEvents(events, end, track.has_end, track.running, track.tail)


def _note_events(notes: Iterable[NewNote], channel: int, silent_offs: bool) -> Iterator[PutIn]:
    for onset, end, pitch, velocity in notes:
        off = bytes((NOTE_ON | channel, pitch, 0) if silent_offs else (NOTE_OFF | channel, pitch, _RELEASE))
        yield onset, _ON, bytes((NOTE_ON | channel, pitch, velocity))
        yield end, BEFORE if end > onset else _ON, off


def _ends_notes_by_velocity(events: Iterable[Event]) -> bool:
    """Whether the chunk writes note-offs as note-ons of velocity 0."""
    kinds = {event[0] & 0xF0 for _, event in events}
    return NOTE_ON in kinds and NOTE_OFF not in kinds
