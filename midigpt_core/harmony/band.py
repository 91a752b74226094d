"""What sounds in the melodic tracks around a step, tick by tick, as far as the step may know it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from midigpt_core.plan.steps import Cell, Step
from midigpt_core.score import DRUM, Bar, Note, Score
from midigpt_core.tokens.grid import grid_ticks, nearest_tick

HELD = 32  # quarter notes before the window in which a note may begin that still sounds in it
PITCHES = 128

Roll = npt.NDArray[np.int16]  # (ticks, 128): how many notes of each pitch sound


@dataclass(frozen=True)
class Band:
    """The melodic tracks around a step. Ticks are those of the model's grid, from the start of the window."""

    others: Mapping[int, Roll]  # by track that is written, what sounds in all others
    starts: Mapping[int, int]  # by bar of the piece, its first tick
    beat: int  # ticks per quarter note


def band_of(score: Score, step: Step, tracks: Sequence[int], unknown: Collection[Cell], resolution: int) -> Band:
    """The band as a step hears it: these tracks without drums, nothing of the cells that are unknown."""
    bars = score.tracks[0].bars
    lengths = [grid_ticks(bar.beat_length, resolution) for bar in bars[step.start_bar : step.end_bar]]
    *starts, end = accumulate(lengths, initial=0)
    written = {track for track, _ in step.cells}
    together = np.zeros((end, PITCHES), dtype=np.int16)
    alone: dict[int, Roll] = {}
    for track in (t for t in tracks if score.tracks[t].track_type != DRUM):
        roll = alone[track] = np.zeros_like(together) if track in written else together
        for bar, start in _heard(bars, step, starts, resolution):
            if (track, bar) not in unknown and not score.tracks[track].bars[bar].future:
                for note in score.tracks[track].bars[bar].notes:
                    _add(roll, note, start, score.resolution, resolution)
    for track in written & alone.keys():
        together += alone[track]
    others = {track: together - alone[track] for track in written & alone.keys()}
    return Band(others, dict(enumerate(starts, step.start_bar)), resolution)


def _add(roll: Roll, note: Note, start: int, source: int, resolution: int) -> None:
    """Let a note of a bar that begins at tick `start` sound; `source`: the note's ticks per quarter note."""
    first = start + nearest_tick(note.onset_ticks, source, resolution)
    last = start + nearest_tick(note.onset_ticks + note.duration_ticks, source, resolution)
    if last > 0:
        roll[max(0, first) : max(first + 1, last), note.pitch] += 1


def _heard(bars: Sequence[Bar], step: Step, starts: Sequence[int], resolution: int) -> Iterator[tuple[int, int]]:
    """The bars of the window and those before it whose notes may reach into it, each with its first tick."""
    yield from enumerate(starts, step.start_bar)
    start = 0
    for bar in range(step.start_bar - 1, -1, -1):
        start -= grid_ticks(bars[bar].beat_length, resolution)
        yield bar, start
        if start <= -HELD * resolution:
            return
