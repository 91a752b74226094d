"""Resolution changes, and the value domains between MIDI and tokens: velocity, instrument, metre."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from midigpt_core.score import Bar, Note, Score
from midigpt_core.tokens.domains import PROGRAMS, Metre
from midigpt_core.tokens.config import EncoderConfig

# ---- resolution ----

Rescale = Callable[[Note], Note]


def to_grid(score: Score, config: EncoderConfig) -> Score:
    """A copy at `config.resolution`: onsets are cut down to the grid, durations too but to one tick at least.

    Where the encoder has micro-timing tokens, what was cut off an onset goes to the note's `delta`. An encoder whose
    `rounding` is "nearest" moves both to the nearest tick instead, so that what was played a hair early stays on its
    beat. A score already at this resolution is returned as it is.
    """
    if config.rounds and score.resolution != config.resolution:
        return _nearest(score, config.resolution)
    return rescaled(score, score.resolution, config.resolution, config.emit_delta_tokens)


def from_grid(score: Score, config: EncoderConfig) -> Score:
    """A copy at `config.decode_resolution` of a score on the model's grid."""
    return rescaled(score, config.resolution, config.decode_resolution, config.emit_delta_tokens)


def rescaled(score: Score, source: int, target: int, keep_delta: bool) -> Score:
    """A copy with every tick counted in `target` instead of `source` ticks per quarter note."""
    if source == target:
        return score
    move = _fine_mover(source, target) if keep_delta else _plain_mover(source, target)
    tracks = [
        replace(track, bars=[replace(bar, notes=[move(note) for note in bar.notes]) for bar in track.bars])
        for track in score.tracks
    ]
    return replace(score, tracks=tracks, resolution=target)


def grid_ticks(quarters: float, resolution: int) -> int:
    """Ticks of the grid in a bar of this many quarter notes, at least one."""
    return max(1, int(quarters * resolution + 0.5))


def grid_onset(note: Note, bar: Bar, source: int, config: EncoderConfig) -> int:
    """Where `to_grid` puts the onset of one note of a bar; `source` is the score's resolution."""
    if config.rounds:
        return _rounded_onset(note, bar, source, config.resolution)
    return config.resolution * note.onset_ticks // source


def _nearest(score: Score, target: int) -> Score:
    source = score.resolution

    def move(note: Note, bar: Bar) -> Note:
        onset = _rounded_onset(note, bar, source, target)
        return Note(note.pitch, note.velocity, onset, max(1, nearest_tick(note.duration_ticks, source, target)), 0)

    tracks = [
        replace(track, bars=[replace(bar, notes=[move(note, bar) for note in bar.notes]) for bar in track.bars])
        for track in score.tracks
    ]
    return replace(score, tracks=tracks, resolution=target)


def _rounded_onset(note: Note, bar: Bar, source: int, target: int) -> int:
    """The nearest tick of the bar; none is moved into the next one."""
    last = grid_ticks(bar.beat_length, target) - 1
    return max(0, min(nearest_tick(note.onset_ticks, source, target), last))


def nearest_tick(ticks: int, source: int, target: int) -> int:
    """The tick, of `target` to the quarter note, that is nearest to `ticks` of `source`; of two the later."""
    return (2 * target * ticks + source) // (2 * source)


def _shrunk(duration: int, source: int, target: int) -> int:
    return max(1, target * duration // source)


def _plain_mover(source: int, target: int) -> Rescale:
    def move(note: Note) -> Note:
        onset = max(0, target * note.onset_ticks // source)
        return Note(note.pitch, note.velocity, onset, _shrunk(note.duration_ticks, source, target), 0)

    return move


def _fine_mover(source: int, target: int) -> Rescale:
    """As the plain mover, but delta counts: in parts of a tick, `source` parts to one before and `target` after."""
    scale = target / source

    def move(note: Note) -> Note:
        position = (note.onset_ticks + note.delta / source) * scale
        onset = max(0, int(position))
        delta = round((position - onset) * target)
        return Note(note.pitch, note.velocity, onset, _shrunk(note.duration_ticks, source, target), delta)

    return move


# ---- value domains ----


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


def with_listed_metres(score: Score, config: EncoderConfig) -> Score:
    """A copy whose bars all have metres the encoder knows, so that strange bars can serve as context.

    Notes are kept; of a bar longer than every listed metre, those that begin past its end are not.
    """
    listed = config.time_signatures
    if not listed or all((b.ts_numerator, b.ts_denominator) in listed for t in score.tracks for b in t.bars):
        return score
    tracks = [replace(track, bars=[_in_metre(bar, score, listed) for bar in track.bars]) for track in score.tracks]
    return replace(score, tracks=tracks)


def _in_metre(bar: Bar, score: Score, listed: tuple[Metre, ...]) -> Bar:
    metre = nearest_metre((bar.ts_numerator, bar.ts_denominator), listed)
    if metre is None or metre == (bar.ts_numerator, bar.ts_denominator):
        return bar
    quarters = 4 * metre[0] / metre[1]
    notes = [note for note in bar.notes if note.onset_ticks < quarters * score.resolution]
    return replace(bar, notes=notes, ts_numerator=metre[0], ts_denominator=metre[1], beat_length=quarters)
