"""Find lines that play over several channels (MPE, guitar strings), and deal their notes to the channels again."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import lt

from midigpt_core.midi_file.bars import BarSpan, bar_of
from midigpt_core.midi_file.drums import DRUM_CHANNEL
from midigpt_core.midi_file.events import CHANNEL_PREFIX, CONTROL, META, PROGRAM, Event
from midigpt_core.midi_file.outline import NOTHING, NoteColumns, Outline
from midigpt_core.midi_file.pair_notes import ChannelNotes, RawNote
from midigpt_core.midi_file.paired_columns import Paired
from midigpt_core.midi_file.same_pitch_overlaps import NewNote

Parts = Mapping[int, NoteColumns]  # by channel
Dealt = dict[int, list[list[NewNote]]]  # channel -> notes per bar

_FEWEST = 3  # channels of one program that are one line; two may well be two hands
_SINGLE = 0.95  # share of a channel's notes that begin after the one before has ended, where it is a string
_PRESSURE, _BEND, _SLIDE = 0xD0, 0xE0, 74  # what MPE sends for a note beside its pitch
_AT_REST = {_PRESSURE: b"\x00", _BEND: b"\x00\x40", CONTROL: bytes((_SLIDE, 64))}


def line_channels(chunk: Outline, kind: int) -> list[int]:
    """The channels over which a line of this chunk plays; none where every channel is a part of its own.

    They are the zone that an MPE message declares; or, except in format 0, three or more channels of the chunk, if
    these are all it has, each with the same programs and single notes, and none with a name of its own.
    """
    parts = chunk.parts
    declared = [channel for channel in sorted(parts) if channel in _zone(chunk.events)]
    if len(declared) > 1:
        return declared
    named = any(event[:2] == bytes((META, CHANNEL_PREFIX)) for _, event in chunk.events)
    if kind == 0 or named or len(parts) < _FEWEST or DRUM_CHANNEL in parts:
        return []
    programs = {channel: [e[1] for _, e in chunk.events if e[0] == PROGRAM | channel] for channel in parts}
    alike = len(set(map(tuple, programs.values()))) == 1
    return sorted(parts) if alike and all(map(_is_single, parts.values())) else []


def _zone(events: Sequence[Event]) -> set[int]:
    """The channels of the zones that MPE configuration messages (registered parameter 6) declare in a chunk."""
    asked: dict[int, dict[int, int]] = {}
    found: set[int] = set()
    for _, event in events:
        if event[0] & 0xF0 == CONTROL and event[0] & 0x0F in (0, 15):
            channel = event[0] & 0x0F
            state = asked.setdefault(channel, {})
            state[event[1]] = event[2]
            if event[1] == 6 and (state.get(101), state.get(100)) == (0, 6):
                found |= set(range(1 + event[2])) if channel == 0 else set(range(15 - event[2], 16))
    return found & set(range(16))


def _is_single(notes: NoteColumns) -> bool:
    overlaps: int = sum(map(lt, notes.onsets[1:], notes.ends))
    return overlaps <= (1 - _SINGLE) * len(notes)


def joined(parts: Mapping[int, ChannelNotes], channels: Collection[int]) -> list[RawNote]:
    """The notes of several channels as those of one part, in order of time."""
    return sorted((note for channel in channels for note in parts[channel].notes), key=lambda note: note.on)


def deal(wanted: Sequence[Sequence[NewNote]], parts: Parts, channels: Sequence[int], bars: Sequence[BarSpan]) -> Dealt:
    """The notes of a line, bar by bar, on its channels: notes of the file stay on theirs, new ones go to the channel
    that has been free for longest."""
    starts = [bar.start for bar in bars]
    there: list[list[tuple[NewNote, int]]] = [[] for _ in bars]
    for channel in channels:
        for raw in parts.get(channel, NOTHING):
            old = NewNote(raw.onset, raw.end, raw.pitch, raw.velocity)
            there[bar_of(starts, raw.onset)].append((old, channel))
    dealt: Dealt = {channel: [[] for _ in bars] for channel in channels}
    new: list[tuple[NewNote, int]] = []
    for bar, notes in enumerate(wanted):
        left = Counter(notes)
        for note, channel in there[bar]:
            if left[note]:
                left[note] -= 1
                dealt[channel][bar].append(note)
        new += [(note, bar) for note in left.elements()]
    taken = {channel: sorted(note for notes in dealt[channel] for note in notes) for channel in channels}
    for note, bar in sorted(new):
        channel = min(channels, key=lambda channel: _cost(note, taken[channel]))
        dealt[channel][bar].append(note)
        taken[channel].insert(bisect_right(taken[channel], note), note)
    return dealt


def _cost(note: NewNote, taken: Sequence[NewNote]) -> tuple[int, int]:
    """How ill a note fits on a channel: ticks it shares with others there, then how lately one ended."""
    shared = sum(max(0, min(note.end, other.end) - max(note.onset, other.onset)) for other in taken)
    return shared, max((other.end for other in taken if other.onset <= note.onset), default=-1)


def expression_of(events: Sequence[Event], channel: int, removed: Collection[int], part: Paired) -> set[int]:
    """Indices of the bends, pressures and slides that go with the removed notes of a channel."""
    onsets = part.notes.onsets
    left = {onset for onset, on in zip(onsets, part.ons, strict=True) if on not in removed}
    gone = {onset for onset, on in zip(onsets, part.ons, strict=True) if on in removed} - left
    found = set()
    for index, (tick, event) in enumerate(events):
        before = bisect_right(onsets, tick)
        if _is_expression(event, channel) and before and onsets[before - 1] in gone:
            found.add(index)
    return found


def at_rest(events: Sequence[Event], channel: int, removed: Collection[int], new: Sequence[NewNote]) -> list[Event]:
    """Events that bring bend, pressure and slide of a channel back to rest before new notes begin."""
    kept = [(t, e) for i, (t, e) in enumerate(events) if i not in removed and _is_expression(e, channel)]
    found: list[Event] = []
    for note in new:
        last = {event[0] & 0xF0: event[1:] for tick, event in kept if tick <= note.onset}
        rest = [
            (note.onset, bytes((kind | channel,)) + _AT_REST[kind]) for kind in last if last[kind] != _AT_REST[kind]
        ]
        found += rest
        kept = sorted([*kept, *rest], key=lambda item: item[0])
    return found


def _is_expression(event: bytes, channel: int) -> bool:
    if event[0] >= 0xF0 or event[0] & 0x0F != channel:
        return False
    kind = event[0] & 0xF0
    return kind in (_PRESSURE, _BEND) or (kind == CONTROL and event[1] == _SLIDE)
