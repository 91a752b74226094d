"""Read a SoundFont 2 file: its samples, and the regions each preset plays.

Source: the SoundFont Technical Specification 2.04 (chunk layout in section 7, generators in section 8).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from midigpt_core.errors import AudioFileError

DRUM_BANK = 128

# generator numbers
START, END, LOOP_START, LOOP_END, START_COARSE, END_COARSE = 0, 1, 2, 3, 4, 12
VIBRATO_TO_PITCH, MOD_ENV_TO_PITCH, FILTER_CUTOFF, FILTER_Q, MOD_ENV_TO_FILTER = 6, 7, 8, 9, 11
REVERB_SEND, PAN, VIBRATO_DELAY, VIBRATO_RATE = 16, 17, 23, 24
MOD_DELAY, MOD_ATTACK, MOD_HOLD, MOD_DECAY, MOD_SUSTAIN = 25, 26, 27, 28, 29
DELAY, ATTACK, HOLD, DECAY, SUSTAIN, RELEASE, KEY_TO_HOLD, KEY_TO_DECAY = 33, 34, 35, 36, 37, 38, 39, 40
INSTRUMENT, KEY_RANGE, VELOCITY_RANGE, LOOP_START_COARSE, KEY, VELOCITY = 41, 43, 44, 45, 46, 47
ATTENUATION, LOOP_END_COARSE, COARSE_TUNE, FINE_TUNE, SAMPLE, SAMPLE_MODES = 48, 50, 51, 52, 53, 54
SCALE_TUNING, EXCLUSIVE_CLASS, ROOT_KEY = 56, 57, 58

_DEFAULTS = {
    **dict.fromkeys((VIBRATO_DELAY, MOD_DELAY, MOD_ATTACK, MOD_HOLD, MOD_DECAY), -12000),
    **dict.fromkeys((DELAY, ATTACK, HOLD, DECAY, RELEASE), -12000),
    FILTER_CUTOFF: 13500,
    SCALE_TUNING: 100,
    KEY: -1,
    VELOCITY: -1,
    ROOT_KEY: -1,
}
# generators a preset may not add to: sample addresses, ranges, and what belongs to the instrument alone
_NOT_ADDED = {
    *(START, END, LOOP_START, LOOP_END, START_COARSE, END_COARSE, LOOP_START_COARSE, LOOP_END_COARSE),
    *(KEY, VELOCITY, SAMPLE_MODES, EXCLUSIVE_CLASS, ROOT_KEY, INSTRUMENT, SAMPLE, KEY_RANGE, VELOCITY_RANGE),
}
_FULL_RANGE = (0, 127)

_PRESET = np.dtype("S20,<u2,<u2,<u2,<u4,<u4,<u4")
_INSTRUMENT = np.dtype("S20,<u2")
_BAG = np.dtype("<u2,<u2")
_GENERATOR = np.dtype("<u2,<i2")
_SAMPLE = np.dtype("S20,<u4,<u4,<u4,<u4,<u4,u1,i1,<u2,<u2")
_LAYOUT = {
    b"phdr": _PRESET,
    b"pbag": _BAG,
    b"pgen": _GENERATOR,
    b"inst": _INSTRUMENT,
    b"ibag": _BAG,
    b"igen": _GENERATOR,
    b"shdr": _SAMPLE,
}

Zone = dict[int, int]  # generator -> amount


@dataclass(frozen=True, eq=False)
class Region:
    """One sample as one zone plays it; compared by identity, so that rendered voices can be kept per region."""

    keys: tuple[int, int]
    velocities: tuple[int, int]
    generators: Zone = field(repr=False)
    start: int  # sample positions in the file's pool
    end: int
    loop_start: int
    loop_end: int
    rate: int  # Hz
    root_key: int
    correction: int  # cents

    def __getitem__(self, generator: int) -> int:
        return self.generators.get(generator, _DEFAULTS.get(generator, 0))


class SoundFont:
    """A SoundFont's samples (16 bit, one pool) and presets. Raises AudioFileError where the file is none."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise AudioFileError(f"soundfont {path}: {error.strerror or error}") from None
        chunks = _chunks(data, str(path))
        self.samples = np.frombuffer(chunks[b"smpl"], dtype="<i2")
        self._tables: dict[bytes, Any] = {}
        for name, layout in _LAYOUT.items():
            body = chunks[name]
            self._tables[name] = np.frombuffer(body[: len(body) // layout.itemsize * layout.itemsize], layout).tolist()
        self._presets = {(row[2], row[1]): i for i, row in enumerate(self._tables[b"phdr"][:-1])}
        self._regions: dict[int, list[Region]] = {}

    def regions(self, bank: int, program: int, key: int, velocity: int) -> list[Region]:
        """What sounds when this key is struck; of a preset the file lacks, its nearest relative plays."""
        found = self._preset(self._nearest(bank, program))
        return [r for r in found if r.keys[0] <= key <= r.keys[1] and r.velocities[0] <= velocity <= r.velocities[1]]

    def _nearest(self, bank: int, program: int) -> int:
        tries = [(bank, program)]
        tries += [(DRUM_BANK, program & ~7), (DRUM_BANK, 0)] if bank == DRUM_BANK else [(0, program), (0, 0)]
        for key in tries:
            if key in self._presets:
                return self._presets[key]
        return 0

    def _preset(self, index: int) -> list[Region]:
        if index not in self._regions:
            self._regions[index] = [
                region
                for zone in self._zones(b"phdr", b"pbag", b"pgen", index, INSTRUMENT)
                for inner in self._zones(b"inst", b"ibag", b"igen", zone[INSTRUMENT], SAMPLE)
                if (region := self._region(zone, inner)) is not None
            ]
        return self._regions[index]

    def _zones(self, heads: bytes, bags: bytes, generators: bytes, index: int, last: int) -> list[Zone]:
        """The zones of a preset or instrument, each over its global zone; `last` names what a zone must end in."""
        first_bag = 3 if heads == b"phdr" else 1
        head, bag = self._tables[heads], self._tables[bags]
        if index + 1 >= len(head):
            return []
        common: Zone = {}
        zones = []
        start, stop = head[index][first_bag], head[index + 1][first_bag]
        for number in range(start, stop):
            zone = dict(self._tables[generators][bag[number][0] : bag[number + 1][0]])
            if last in zone:
                zones.append({**common, **zone})
            elif number == start:
                common = zone
        return zones

    def _region(self, preset: Zone, zone: Zone) -> Region | None:
        keys = _overlap(preset.get(KEY_RANGE), zone.get(KEY_RANGE))
        velocities = _overlap(preset.get(VELOCITY_RANGE), zone.get(VELOCITY_RANGE))
        row = self._tables[b"shdr"][zone[SAMPLE]]
        _, start, end, loop_start, loop_end, rate, root, correction, _, kind = row
        if keys is None or velocities is None or kind & 0x8000 or rate == 0:
            return None  # no key reaches it, or its sample lives in a synthesiser's ROM
        merged = dict(zone)
        for generator, amount in preset.items():
            if generator not in _NOT_ADDED:
                merged[generator] = merged.get(generator, _DEFAULTS.get(generator, 0)) + amount
        start += zone.get(START, 0) + 32768 * zone.get(START_COARSE, 0)
        end += zone.get(END, 0) + 32768 * zone.get(END_COARSE, 0)
        loop_start += zone.get(LOOP_START, 0) + 32768 * zone.get(LOOP_START_COARSE, 0)
        loop_end += zone.get(LOOP_END, 0) + 32768 * zone.get(LOOP_END_COARSE, 0)
        end = min(end, len(self.samples))
        if not 0 <= start < end:
            return None
        root = zone.get(ROOT_KEY, -1) if zone.get(ROOT_KEY, -1) >= 0 else (root if root <= 127 else 60)
        return Region(keys, velocities, merged, start, end, loop_start, min(loop_end, end), rate, root, correction)


def _overlap(first: int | None, second: int | None) -> tuple[int, int] | None:
    """The common part of two ranges, each packed as low byte and high byte; None where there is none."""
    ranges = [_FULL_RANGE if packed is None else (packed & 0xFF, packed >> 8 & 0xFF) for packed in (first, second)]
    low, high = max(r[0] for r in ranges), min(r[1] for r in ranges)
    return (low, high) if low <= high else None


def _chunks(data: bytes, name: str) -> dict[bytes, bytes]:
    """The bodies of the chunks inside the file's three lists."""
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise AudioFileError(f"soundfont {name}: not a SoundFont 2 file (it begins with {data[:4]!r})")
    found: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= len(data):
        kind, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if kind == b"LIST":
            position += 12  # step inside
            continue
        found[kind] = data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    missing = [kind.decode() for kind in (*_LAYOUT, b"smpl") if kind not in found]
    if missing:
        raise AudioFileError(f"soundfont {name}: cut off or damaged: it has no {missing[0]!r} part")
    if found.get(b"ifil", b"\2\0")[:2] == b"\3\0":
        raise AudioFileError(f"soundfont {name}: compressed (SF3); use an .sf2, or install FluidSynth, which plays it")
    return found
