"""The events of a track chunk with their exact ticks, as raw bytes: read and written without loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from midigpt_core.errors import MidiFileError

Event = tuple[int, bytes]  # absolute tick; the event with its status byte, as it stands in the file

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0  # high halves of channel status bytes
META = 0xFF
TEXT_NAME, TEXT_INSTRUMENT, CHANNEL_PREFIX, END_OF_TRACK = 0x03, 0x04, 0x20, 0x2F  # meta kinds
TEMPO, METRE, KEY = 0x51, 0x58, 0x59

# data bytes after each status byte from 0x80; -1: a length follows; -2: not defined in a file
_SIZES = [2] * 64 + [1] * 32 + [2] * 16 + [-1, 1, 2, 1, -2, -2, 0, -1, 0, -2, 0, 0, 0, -2, 0, -1]
_SIZE_OF = [-2] * 128 + _SIZES
_EMPTY = 3  # bytes of a meta event without a payload


@dataclass
class TrackEvents:
    """A track chunk, read: its events up to the end-of-track mark, and how it was written."""

    events: list[Event]
    end_tick: int  # tick of the end-of-track mark, or of the last event without one
    has_end: bool = True  # an end-of-track mark is there
    running: bool = False  # status bytes are left out where they repeat
    tail: bytes = b""  # bytes after the end-of-track mark


class _DamagedError(Exception):
    """Something in a track chunk that no MIDI file may hold; the message says what."""


def read_events(body: bytes, where: str, only: bytes = b"") -> TrackEvents:
    """The events of one track chunk, or `only` the meta events of these kinds that are not empty.

    `where` names file and track in messages. Raises MidiFileError.
    """
    try:
        track = _scan(body, only)
    except IndexError:
        raise MidiFileError(f"{where}: the track ends in the middle of an event (byte {len(body)})") from None
    except _DamagedError as damage:
        raise MidiFileError(f"{where}: {damage}") from None
    return track


def _scan(body: bytes, only: bytes = b"") -> TrackEvents:
    events: list[Event] = []
    append, size_of = _forget if only else events.append, _SIZE_OF
    seen: dict[bytes, bytes] = {}  # most events come again and again, and are kept once
    kept = seen.setdefault
    tick = position = running = 0
    ran, size = False, len(body)
    while position < size:
        byte = body[position]
        position += 1
        if byte < 0x80:
            tick += byte
        else:
            delta, position = _number(body, position - 1)
            tick += delta
        status = body[position]
        if 0x80 <= status < 0xF0:
            stop = position + 1 + size_of[status]
            event = body[position:stop]
            append((tick, kept(event, event)))
            running = status
        elif status < 0x80:
            if not running:
                raise _DamagedError(f"a data byte {status:#04x} stands at byte {position} where an event must begin")
            stop = position + size_of[running]
            event = bytes((running,)) + body[position:stop]
            append((tick, kept(event, event)))
            ran = True
        else:
            stop = _end_of_system_event(body, position)
            if status == META and body[position + 1] == END_OF_TRACK:
                return TrackEvents(events, tick, True, ran, body[stop:])
            if not only or (status == META and body[position + 1] in only and stop > position + _EMPTY):
                events.append((tick, body[position:stop]))
        if stop > size:
            raise IndexError
        position = stop
    return TrackEvents(events, tick, False, ran)


def _forget(event: Event) -> None:
    """Take no note of it."""


def _end_of_system_event(body: bytes, position: int) -> int:
    """Offset after the meta, sysex or other system event that begins at `position`."""
    status = body[position]
    size = _SIZE_OF[status]
    if size == -2:
        raise _DamagedError(f"an event of undefined kind {status:#04x} stands at byte {position}")
    position += 2 if status == META else 1
    if size == -1:
        size, position = _number(body, position)
    if position + size > len(body):
        raise IndexError
    return position + size


def _number(body: bytes, position: int) -> tuple[int, int]:
    """The variable-length number at `position` (at most four bytes), and the offset after it."""
    value = 0
    for offset in range(4):
        byte = body[position + offset]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position + offset + 1
    raise _DamagedError(f"a time or length at byte {position} is longer than four bytes")


def number_bytes(value: int) -> bytes:
    """A variable-length number, as deltas and lengths are written."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def meta(kind: int, data: bytes) -> bytes:
    """A meta event."""
    return bytes((META, kind)) + number_bytes(len(data)) + data


def meta_data(event: bytes) -> bytes:
    """The payload of a meta event."""
    _, start = _number(event, 2)
    return event[start:]


def write_events(track: TrackEvents) -> bytes:
    """The body of a track chunk; the inverse of `read_events` but for redundant status and length bytes."""
    out = bytearray()
    last_tick, last_status = 0, 0
    for tick, event in track.events:
        out += _delta(tick - last_tick)
        status = event[0]
        if track.running and status == last_status and event[1] < 0x80:  # else a damaged byte would begin an event
            out += event[1:]
        else:
            out += event
        last_status = status if status < 0xF0 else 0
        last_tick = tick
    if track.has_end:
        out += end_mark(track.end_tick - last_tick)
    return bytes(out) + track.tail


def end_mark(ticks: int) -> bytes:
    """The end-of-track mark, so many ticks behind the last event."""
    return _delta(ticks) + meta(END_OF_TRACK, b"")


def with_tail(track: TrackEvents, before: TrackEvents) -> TrackEvents:
    """The track, where its end-of-track mark has moved, with the events behind the mark at the ticks they had.

    Other programs play what stands there; it goes among the events that come before the new mark. Bytes that are no
    events stay behind it.
    """
    if not track.tail or track.end_tick == before.end_tick:
        return track
    try:
        late = _scan(track.tail)
    except (IndexError, _DamagedError):
        return track
    events = [*track.events, *((before.end_tick + tick, event) for tick, event in late.events)]
    events.sort(key=lambda item: item[0])
    end = max(track.end_tick, before.end_tick + late.end_tick)
    return TrackEvents(events, end, True, track.running or late.running, late.tail)


def _delta(ticks: int) -> bytes:
    if ticks < 0x80:
        return bytes((ticks,))
    if ticks >= 1 << 28:
        raise MidiFileError(f"a pause of {ticks} ticks is longer than a MIDI file can hold (268435455)")
    return number_bytes(ticks)


def metas(events: Iterable[Event], kind: int) -> list[tuple[int, bytes]]:
    """(tick, payload) of the meta events of one kind."""
    head = bytes((META, kind))
    return [(tick, meta_data(event)) for tick, event in events if event[:2] == head]
