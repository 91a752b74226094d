"""Tell drum parts from melodic ones, and what told them: channel 10, a message, a bank, a name, or the notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midigpt_core.midi_file.drum_names import says_another, says_drums, says_only_drums
from midigpt_core.midi_file.drum_notes import CONTRARY, FEWEST, HEARD, SURE, drum_log_odds
from midigpt_core.midi_file.events import CONTROL, PROGRAM
from midigpt_core.midi_file.outline import NoteColumns
from midigpt_core.midi_file.source import Timed

DRUM_CHANNEL = 9  # counted from 0: the tenth
_BANK_SELECT = 0
_XG_DRUM_BANKS = (126, 127)
_GM2_DRUM_BANK = 120
_DRUM_BANKS = (_GM2_DRUM_BANK, *_XG_DRUM_BANKS)  # in a file that says nothing of its system


def declared_channels(tracks: Sequence[Timed]) -> dict[int, bool]:
    """Channels a GS, XG or GM2 message turns into a drum part (True) or a melodic one (False)."""
    declared: dict[int, bool] = {}
    drum_banks: tuple[int, ...] = _DRUM_BANKS
    for track in tracks:
        for _, event in track.events:
            if event[0] == 0xF0:
                drum_banks = _banks_after(event[2:], drum_banks)
                declared.update(_gs_rhythm_part(event[2:]))
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
    if message[:1] == b"\x41" and message[2:7] == b"\x42\x12\x40\x00\x7f":  # GS reset: banks are variations there
        return ()
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


@dataclass(frozen=True)
class DrumPart:
    """What is known of a part before it is told whether it plays drums."""

    channel: int
    name: str
    program: int | None  # None: nothing chooses one
    notes: NoteColumns
    division: int  # ticks per quarter note

    @property
    def is_long(self) -> bool:
        """Whether it has so many notes that they say something."""
        return len(self.notes) >= FEWEST

    @property
    def log_odds(self) -> float:
        """The log odds that its notes are a drum part's."""
        return drum_log_odds(self.notes.played(HEARD), self.division)


def why_drums(parts: Sequence[DrumPart], declared: dict[int, bool]) -> list[str]:
    """For each part of a file what says that it plays drums, in words; empty for a melodic one.

    A name that says drums and nothing else counts where no program was chosen, any other where the notes agree.
    Notes alone count only where the name is silent, no program was chosen, and the file has no other drum part.
    """
    reasons = [_told(part, declared) for part in parts]
    if any(reasons):
        return reasons
    return ["its notes, struck as drums are" if _heard(part, declared) else "" for part in parts]


def _told(part: DrumPart, declared: dict[int, bool]) -> str:
    if part.channel in declared:
        return "a message or drum bank on its channel" if declared[part.channel] else ""
    if part.channel == DRUM_CHANNEL:
        return "channel 10"
    if not says_drums(part.name):
        return ""
    if part.program or not says_only_drums(part.name):
        least = SURE if part.program else CONTRARY
        if not (part.log_odds > least if part.is_long else not part.program):
            return ""
    return "its name"


def _heard(part: DrumPart, declared: dict[int, bool]) -> bool:
    silent = not (part.program or part.channel in declared or says_another(part.name))
    return silent and part.is_long and part.log_odds > SURE
