"""Turn a MIDI file into what a synthesiser plays: notes in seconds, and each channel's volume, pan and bend."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from midigpt_core.midi_file.drums import DRUM_CHANNEL, declared_channels
from midigpt_core.midi_file.events import CONTROL, META, PROGRAM, TrackEvents, meta_data
from midigpt_core.midi_file.pair_notes import pair_notes
from midigpt_core.midi_file.read import score_from
from midigpt_core.midi_file.source import MidiSource, last_tick, tempi
from midigpt_core.score import DRUM

_BEND = 0xE0
_PORT = 0x21
BANK, WHEEL, VOLUME, PAN, EXPRESSION, SUSTAIN, REVERB = 0, 1, 7, 10, 11, 64, 91
_DATA_ENTRY, _RPN_LOW, _RPN_HIGH, _RESET = 6, 100, 101, 121
_START_VALUES = {BANK: 0, WHEEL: 0, VOLUME: 100, PAN: 64, EXPRESSION: 127, SUSTAIN: 0, REVERB: 40}
_RESET_VALUES = {WHEEL: 0, EXPRESSION: 127, SUSTAIN: 0}
_PEDAL_DOWN = 64
DRUMS = 128  # the bank number SoundFonts give to drum kits

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Played:
    """A note as it sounds: seconds from the start, the pedal counted in; bank 128 is a drum kit."""

    start: float
    end: float
    pitch: int
    velocity: int
    bank: int
    program: int
    pan: int  # 0 left, 64 middle, 127 right


class Curve:
    """A value that changes in steps over time."""

    def __init__(self, first: float) -> None:
        self.times: list[float] = [0.0]
        self.values: list[float] = [first]

    def add(self, time: float, value: float) -> None:
        """The value from this time on; times come in order."""
        if value != self.values[-1]:
            self.times.append(time)
            self.values.append(value)

    def at(self, time: float) -> float:
        """The value at a time."""
        return self.values[max(bisect_right(self.times, time) - 1, 0)]

    def between(self, start: float, end: float) -> bool:
        """Whether the value is anything but its first one somewhere in these seconds."""
        first = max(bisect_right(self.times, start) - 1, 0)
        return any(value != self.values[0] for value in self.values[first : bisect_right(self.times, end)])

    def moves(self, start: float, end: float) -> bool:
        """Whether the value changes within these seconds."""
        return bisect_right(self.times, start) != bisect_right(self.times, end)

    def sampled(self, times: Floats) -> Floats:
        """The values at many times."""
        index = np.searchsorted(np.asarray(self.times), times, side="right") - 1
        return np.asarray(self.values)[np.maximum(index, 0)]


@dataclass
class Part:
    """What one MIDI channel plays."""

    notes: list[Played] = field(default_factory=list)
    controls: dict[int, Curve] = field(default_factory=dict)  # controller number -> value 0-127
    bend: Curve = field(default_factory=lambda: Curve(0.0))  # cents


@dataclass
class Performance:
    """A whole file: its channels and the second at which it ends."""

    parts: list[Part]
    seconds: float


def _kits(source: MidiSource) -> dict[tuple[int, int], bool]:
    """Whether the notes of a chunk and channel are a drum part's."""
    tracks = score_from(source, split_channels=True).tracks
    places = ((t.midi_track, t.channel, t.track_type == DRUM) for t in tracks)
    return {(chunk or 0, channel or 0): drums for chunk, channel, drums in places}


def perform(source: MidiSource) -> Performance:
    """What the file plays. Raises MidiFileError."""
    chunks = source.read_tracks()
    clock = _clock(tempi(chunks), source.division)
    kits, declared = _kits(source), declared_channels(chunks)
    parts: dict[tuple[int, int], Part] = defaultdict(Part)
    programs: dict[tuple[int, int], Curve] = defaultdict(lambda: Curve(0))
    for tick, port, event in _merged(chunks):
        place = (port, event[0] & 0x0F)
        _apply(event, _second(clock, tick), parts[place], programs[place])
    for index, chunk in enumerate(chunks):
        port = _port(chunk)
        for channel, found in pair_notes(chunk.events).items():
            kit = kits.get((index, channel), declared.get(channel, channel == DRUM_CHANNEL))
            struck = [(n.onset, n.end, n.pitch, n.velocity) for n in found.notes]
            struck += [(tick, chunk.end_tick, pitch, chunk.events[on][1][2]) for tick, pitch, _, on in found.hanging]
            part = parts[port, channel]
            for onset, end, pitch, velocity in struck:
                seconds = (_second(clock, onset), _second(clock, end))
                part.notes.append(_played(seconds, (pitch, velocity), part, programs[port, channel], kit))
    for part in parts.values():
        part.notes.sort(key=lambda note: (note.start, note.pitch))
    return Performance([p for p in parts.values() if p.notes], _second(clock, last_tick(chunks)))


def _merged(chunks: list[TrackEvents]) -> list[tuple[int, int, bytes]]:
    """(tick, port, event) of all channel events but notes, in order of time."""
    found = [
        (tick, port, event)
        for chunk in chunks
        for port in (_port(chunk),)
        for tick, event in chunk.events
        if 0xB0 <= event[0] < 0xF0
    ]
    return sorted(found, key=lambda item: item[0])


def _port(chunk: TrackEvents) -> int:
    """The MIDI output this chunk asks for; each has 16 channels of its own."""
    for _, event in chunk.events:
        if event[0] == META and event[1] == _PORT:
            return (meta_data(event) or b"\0")[0]
    return 0


def _apply(event: bytes, second: float, part: Part, programs: Curve) -> None:
    kind = event[0] & 0xF0
    if kind == PROGRAM:
        programs.add(second, min(event[1], 127))
    elif kind == _BEND:
        reach = 100 * part.controls[_DATA_ENTRY].values[-1] if _DATA_ENTRY in part.controls else 200
        part.bend.add(second, ((event[2] << 7 | event[1]) - 8192) / 8192 * reach)
    elif kind == CONTROL:
        _control(event[1], min(event[2], 127), second, part)


def _control(number: int, value: int, second: float, part: Part) -> None:
    if number == _RESET:
        for key, start in _RESET_VALUES.items():
            control(part, key).add(second, start)
        part.bend.add(second, 0.0)
    elif number == _DATA_ENTRY:
        if (control(part, _RPN_HIGH).values[-1], control(part, _RPN_LOW).values[-1]) == (0, 0):
            part.controls.setdefault(_DATA_ENTRY, Curve(2)).add(second, value)  # the bend range, in semitones
    elif number in _START_VALUES or number in (_RPN_LOW, _RPN_HIGH):
        control(part, number).add(second, value)


def control(part: Part, number: int) -> Curve:
    """The values of one controller of a part, from its General MIDI start value on."""
    return part.controls.setdefault(number, Curve(_START_VALUES.get(number, 127)))


def _played(seconds: tuple[float, float], struck: tuple[int, int], part: Part, programs: Curve, kit: bool) -> Played:
    start, end = seconds
    bank = DRUMS if kit else int(control(part, BANK).at(start))
    pan = int(control(part, PAN).at(start))
    return Played(start, _pedalled(end, control(part, SUSTAIN)), *struck, bank, int(programs.at(start)), pan)


def _pedalled(end: float, pedal: Curve) -> float:
    """When a note released at `end` stops sounding: at once, or when the pedal comes up."""
    if pedal.at(end) < _PEDAL_DOWN:
        return end
    index = bisect_right(pedal.times, end)
    for time, value in zip(pedal.times[index:], pedal.values[index:], strict=True):
        if value < _PEDAL_DOWN:
            return time
    return max(end, pedal.times[-1])


def _clock(changes: list[tuple[int, int]], division: int) -> tuple[list[int], list[float], list[float]]:
    """Ticks of the tempo changes, the seconds they come at, and seconds per tick from there on."""
    ticks, seconds, paces = [0], [0.0], [0.5 / division]
    for tick, tempo in changes:
        seconds.append(seconds[-1] + (tick - ticks[-1]) * paces[-1])
        ticks.append(tick)
        paces.append(tempo / 1e6 / division)
    return ticks, seconds, paces


def _second(clock: tuple[list[int], list[float], list[float]], tick: int) -> float:
    ticks, seconds, paces = clock
    index = bisect_right(ticks, tick) - 1
    return seconds[index] + (tick - ticks[index]) * paces[index]
