"""What anyone could do without a model: the floors a model has to beat, and the original as ceiling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from midigpt_core.evaluate.metrics import Passage, key_of
from midigpt_core.evaluate.tasks import Task
from midigpt_core.plan.steps import Cell
from midigpt_core.score import DRUM, Note, Score

Notes = dict[Cell, list[Note]]


@dataclass(frozen=True)
class Shelf:
    """Bars of other songs to draw from: drum bars and melodic bars with the key of their song."""

    drums: Sequence[tuple[str, int, list[Note]]]  # (file, resolution, notes)
    melodic: Sequence[tuple[str, int, tuple[int, int], list[Note]]]  # (file, resolution, key, notes)


def stock(tasks: Sequence[Task]) -> Shelf:
    """A shelf from the songs of all tasks."""
    drums, melodic = [], []
    for task in tasks:
        key = key_of(task.score)
        for track in task.score.tracks:
            for bar in track.bars[:8]:
                if bar.notes and track.track_type == DRUM:
                    drums.append((task.file, task.score.resolution, bar.notes))
                elif bar.notes and key is not None:
                    melodic.append((task.file, task.score.resolution, key, bar.notes))
    return Shelf(drums, melodic)


def copy_previous(task: Task, shelf: Shelf) -> Notes:
    """The bars before the gap, repeated into it."""
    passage, filled = Passage(task.score, task.cells), {}
    for track in sorted({t for t, _ in task.cells}):
        bars = sorted(b for t, b in task.cells if t == track)
        length = len(bars)
        for i, bar in enumerate(bars):
            source = bars[0] - length + i if bars == list(range(bars[0], bars[0] + length)) else bar - 1
            filled[track, bar] = _bar(passage, (track, source), bar)
    return filled


def copy_nearest(task: Task, shelf: Shelf) -> Notes:
    """The nearest sounding bar of the same track."""
    taken = set(task.cells)
    filled = {}
    for track, bar in task.cells:
        bars = task.score.tracks[track].bars
        others = [b for b in range(len(bars)) if bars[b].notes and (track, b) not in taken]
        nearest = min(others, key=lambda b: (abs(b - bar), b), default=None)
        filled[track, bar] = [] if nearest is None else _fit(bars[nearest].notes, task.score, (track, bar))
    return filled


def random_in_key(task: Task, shelf: Shelf) -> Notes:
    """A random bar of another song, moved into this song's key; nothing where there is no other song."""
    random = np.random.Generator(np.random.PCG64(task.seed))
    key = key_of(task.score, task.cells) or (0, 0)
    drums = [entry for entry in shelf.drums if entry[0] != task.file]
    others = [entry for entry in shelf.melodic if entry[0] != task.file]
    melodic = [entry for entry in others if entry[2][1] == key[1]] or others
    filled = {}
    for cell in task.cells:
        if task.score.tracks[cell[0]].track_type == DRUM:
            _, resolution, notes = drums[int(random.integers(len(drums)))] if drums else ("", 480, [])
            shift = 0
        else:
            _, resolution, other, notes = melodic[int(random.integers(len(melodic)))] if melodic else ("", 480, key, [])
            shift = (key[0] - other[0] + 6) % 12 - 6
        scale = task.score.resolution / resolution
        moved = [
            replace(
                n,
                pitch=min(127, max(0, n.pitch + shift)),
                onset_ticks=round(n.onset_ticks * scale),
                duration_ticks=max(1, round(n.duration_ticks * scale)),
            )
            for n in notes
        ]
        filled[cell] = _fit(moved, task.score, cell)
    return filled


def silence(task: Task, shelf: Shelf) -> Notes:
    """Nothing."""
    return {cell: [] for cell in task.cells}


def original(task: Task, shelf: Shelf) -> Notes:
    """What stood there: the ceiling."""
    return Passage(task.score, task.cells).original()


FLOORS: Mapping[str, Callable[[Task, Shelf], Notes]] = {
    "copy previous bars": copy_previous,
    "copy nearest bar": copy_nearest,
    "random bar in key": random_in_key,
    "silence": silence,
    "original": original,
}


def _bar(passage: Passage, source: Cell, bar: int) -> list[Note]:
    track, place = source
    if place < 0 or (track, place) in passage.cells:
        return []
    return _fit(passage.score.tracks[track].bars[place].notes, passage.score, (track, bar))


def _fit(notes: Sequence[Note], score: Score, cell: Cell) -> list[Note]:
    """The notes that begin inside the bar."""
    length = score.tracks[cell[0]].bars[cell[1]].beat_length * score.resolution
    return [note for note in notes if note.onset_ticks < length]
