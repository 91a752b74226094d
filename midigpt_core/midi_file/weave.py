"""Put new notes among the events of a track chunk, in an order every reader understands."""

from __future__ import annotations

from collections.abc import Iterable

from midigpt_core.midi_file.events import NOTE_OFF, NOTE_ON, Event, TrackEvents
from midigpt_core.midi_file.fit import NewNote

_OFF, _KEPT, _ON = range(3)  # at one tick: new note-offs, then what was there, then new note-ons
_RELEASE = 64  # release velocity where none is known


def weave(track: TrackEvents, removed: set[int], new: dict[int, list[NewNote]]) -> TrackEvents:
    """The chunk without the events at the `removed` indices and with the new notes of each channel.

    The end of the track moves later where the last note needs it, and never earlier.
    """
    silent_offs = _ends_notes_by_velocity(track.events)
    keyed = [(tick, _KEPT, event) for i, (tick, event) in enumerate(track.events) if i not in removed]
    for channel, notes in new.items():
        keyed += _note_events(sorted(notes), channel, silent_offs)
    keyed.sort(key=lambda item: item[:2])
    events = [(tick, event) for tick, _, event in keyed]
    end = max(track.end_tick, events[-1][0] if events else 0)
    return TrackEvents(events, end, track.has_end, track.running, track.tail)


def _note_events(notes: Iterable[NewNote], channel: int, silent_offs: bool) -> list[tuple[int, int, bytes]]:
    found = []
    for onset, end, pitch, velocity in notes:
        off = bytes((NOTE_ON | channel, pitch, 0) if silent_offs else (NOTE_OFF | channel, pitch, _RELEASE))
        found.append((onset, _ON, bytes((NOTE_ON | channel, pitch, velocity))))
        found.append((end, _OFF if end > onset else _ON, off))
    return found


def _ends_notes_by_velocity(events: Iterable[Event]) -> bool:
    """Whether the chunk writes note-offs as note-ons of velocity 0."""
    return not any(event[0] & 0xF0 == NOTE_OFF for _, event in events) and any(
        event[0] & 0xF0 == NOTE_ON for _, event in events
    )
