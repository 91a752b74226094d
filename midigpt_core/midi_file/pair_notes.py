"""Pair note-ons with note-offs."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from midigpt_core.midi_file.events import NOTE_OFF, NOTE_ON, Event


class RawNote(NamedTuple):
    """A note of the file: ticks counted from its beginning; `on` and `off` index its events in the chunk."""

    onset: int
    end: int
    pitch: int
    velocity: int
    on: int
    off: int


@dataclass
class ChannelNotes:
    """What one channel of one chunk plays."""

    notes: list[RawNote] = field(default_factory=list)  # by onset
    # note-ons never closed: (tick, pitch, velocity, event)
    hanging: list[tuple[int, int, int, int]] = field(default_factory=list)
    stray: list[tuple[int, int]] = field(default_factory=list)  # note-offs that close nothing: (tick, pitch)


def pair_notes(events: list[Event]) -> dict[int, ChannelNotes]:
    """The notes per channel. The first note-on of a pitch is closed by the first note-off that follows it."""
    channels: dict[int, ChannelNotes] = defaultdict(ChannelNotes)
    waiting: dict[tuple[int, int], deque[tuple[int, int, int]]] = defaultdict(deque)
    for index, (tick, event) in enumerate(events):
        kind = event[0] & 0xF0
        if kind != NOTE_ON and kind != NOTE_OFF:
            continue
        channel, pitch, velocity = event[0] & 0x0F, min(event[1], 127), min(event[2], 127)
        queue = waiting[channel, pitch]
        if kind == NOTE_ON and velocity:
            queue.append((tick, velocity, index))
        elif queue:
            onset, loudness, on = queue.popleft()
            channels[channel].notes.append(RawNote(onset, tick, pitch, loudness, on, index))
        else:
            channels[channel].stray.append((tick, pitch))
    for (channel, pitch), queue in waiting.items():
        channels[channel].hanging += [(tick, pitch, velocity, on) for tick, velocity, on in queue]
    for found in channels.values():
        found.notes.sort(key=lambda note: note.on)
    return channels
