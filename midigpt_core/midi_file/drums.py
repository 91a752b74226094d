"""Tell drum parts from melodic ones: channel 10, and other channels only where the file says so clearly."""

from __future__ import annotations

import re
from collections.abc import Sequence

from midigpt_core.midi_file.events import CONTROL, PROGRAM
from midigpt_core.midi_file.source import Timed

DRUM_CHANNEL = 9  # counted from 0: the tenth
_BANK_SELECT = 0
_XG_DRUM_BANKS = (126, 127)
_GM2_DRUM_BANK = 120
_NAME = re.compile(r"\W*(drums?|drum ?(kit|set|track)|drums? ?(\d+|[ab])|kick|snare|hi-?hats?)\W*", re.IGNORECASE)


def declared_channels(tracks: Sequence[Timed]) -> dict[int, bool]:
    """Channels a GS, XG or GM2 message turns into a drum part (True) or a melodic one (False)."""
    declared: dict[int, bool] = {}
    drum_banks: tuple[int, ...] = ()
    for track in tracks:
        for _, event in track.events:
            if event[0] == 0xF0:
                drum_banks = _banks_after(event[2:], drum_banks)
                declared.update(_gs_rhythm_part(event[2:]))
    if drum_banks:
        declared.update((channel, True) for channel in _in_bank(tracks, drum_banks))
    return declared


def _in_bank(tracks: Sequence[Timed], drum_banks: tuple[int, ...]) -> set[int]:
    """Channels that choose a drum kit by bank select before a program change."""
    found: set[int] = set()
    for track in tracks:
        bank: dict[int, int] = {}
        for _, event in track.events:
            kind, channel = event[0] & 0xF0, event[0] & 0x0F
            if kind == CONTROL and event[1] == _BANK_SELECT:
                bank[channel] = event[2]
            elif kind == PROGRAM and event[0] < 0xF0 and bank.get(channel) in drum_banks:
                found.add(channel)
    return found


def _banks_after(message: bytes, before: tuple[int, ...]) -> tuple[int, ...]:
    """The drum banks once this sysex message (from its maker's byte on) has been heard."""
    if message[:1] == b"\x43" and message[2:7] == b"\x4c\x00\x00\x7e\x00":  # XG system on
        return _XG_DRUM_BANKS
    if message[:1] == b"\x7e" and message[2:4] == b"\x09\x03":  # General MIDI 2 on
        return (_GM2_DRUM_BANK,)
    return before


def _gs_rhythm_part(message: bytes) -> dict[int, bool]:
    """Roland GS "use for rhythm part": address 40 1x 15, value 0 off, 1 or 2 a drum map."""
    if message[:1] != b"\x41" or message[2:5] != b"\x42\x12\x40" or message[6:7] != b"\x15" or len(message) < 8:
        return {}
    block = message[5]
    if block >> 4 != 1:
        return {}
    part = block & 0x0F
    channel = 9 if part == 0 else part - 1 if part <= 9 else part
    return {channel: message[7] in (1, 2)}


def is_drum(channel: int, declared: dict[int, bool], name: str, program: int | None) -> bool:
    """Whether a part plays drums. A name counts only where it says drums outright and no program was chosen."""
    if channel in declared:
        return declared[channel]
    if channel == DRUM_CHANNEL:
        return True
    return not program and _NAME.fullmatch(name) is not None
