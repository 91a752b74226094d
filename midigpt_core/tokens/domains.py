"""Value domains between MIDI and tokens: velocity levels, instrument groups, listed metres."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

Metre = tuple[int, int]
PROGRAMS = 128


class VelocityLevels:
    """128 velocities in `size` even levels; level 0 is velocity 0."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.levels = tuple(self._level(velocity) for velocity in range(128))
        self._velocities = [0] * size
        for level in range(size):
            members = [velocity for velocity in range(1, 128) if self.levels[velocity] == level]
            self._velocities[level] = members[:2][-1] if members else 0

    def _level(self, velocity: int) -> int:
        if velocity in (0, 127):
            return 0 if velocity == 0 else self.size - 1
        return min(1 + velocity * (self.size - 1) // 128, self.size - 1)

    def encode(self, velocity: int) -> int:
        """Level of a velocity; values outside 0-127 are taken as the nearest end."""
        return self.levels[max(0, min(127, velocity))]

    def decode(self, level: int) -> int:
        """The second velocity of the level, or its only one."""
        return self._velocities[level]


class InstrumentGroups:
    """Programs merged into groups, numbered by their first program in ascending order."""

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        first = list(range(PROGRAMS))
        for group in groups:
            for program in group:
                first[program] = group[0]
        self.programs = tuple(sorted(set(first)))
        number = {program: i for i, program in enumerate(self.programs)}
        self.numbers = tuple(number[program] for program in first)
        self.size = len(self.programs)

    def encode(self, program: int) -> int:
        """Group of a program; 0 for what is no program."""
        return self.numbers[program] if 0 <= program < PROGRAMS else 0

    def decode(self, group: int) -> int:
        """First program of a group; 0 for what is no group."""
        return self.programs[group] if 0 <= group < self.size else 0


@lru_cache(maxsize=4096)
def listed_metre(metre: Metre, listed: tuple[Metre, ...]) -> Metre | None:
    """The listed metre a bar can be shown in: itself, else one of equal length (same denominator first), else None."""
    if metre in listed:
        return metre
    numerator, denominator = metre
    equal = [m for m in listed if m[0] * denominator == numerator * m[1]]
    return min(equal, key=lambda m: abs(m[1] - denominator), default=None)


@lru_cache(maxsize=4096)
def nearest_metre(metre: Metre, listed: tuple[Metre, ...]) -> Metre | None:
    """As `listed_metre`, but where none is of equal length the shortest that is longer, else the longest there is."""
    found = listed_metre(metre, listed)
    if found is not None or not listed:
        return found
    length = metre[0] / metre[1]
    longer = [m for m in listed if m[0] / m[1] > length]
    if longer:
        return min(longer, key=lambda m: (m[0] / m[1], abs(m[1] - metre[1])))
    return max(listed, key=lambda m: m[0] / m[1])
