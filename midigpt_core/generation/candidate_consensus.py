"""Of several candidates for the same bars, prefer the one that is most like the others.

What many candidates agree on is what the music around asks for; what a single one has is chance. Log-probability is no
help here: the likeliest candidate is often the emptiest (`benchmarks/results/consensus.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from midigpt_core.music import sixteenth_of
from midigpt_core.plan.steps import Cell
from midigpt_core.score import Note

SAMENESS = 0.05  # of agreement, that a candidate loses whose sounding bars all stand elsewhere in their tracks
APART = 0.8  # note F1 above which two takes are too much alike, where another one can be had

Notes = Mapping[Cell, Sequence[Note]]
Table = npt.NDArray[np.float64]


def note_f1(candidates: Sequence[Notes], resolution: int) -> Table:
    """Of each pair, twice the notes that are equal (cell, sixteenth, pitch) over those of both; 1 where both are empty.

    resolution: ticks per quarter note. Shape (candidates, candidates).
    """
    sets = [_note_set(notes, resolution) for notes in candidates]
    column = {place: i for i, place in enumerate(set().union(*sets))}
    has = np.zeros((len(sets), len(column)))
    for row, places in zip(has, sets, strict=True):
        row[[column[place] for place in places]] = 1
    size = has.sum(axis=1)
    both = size[:, None] + size
    table: Table = np.where(both > 0, 2 * (has @ has.T) / np.maximum(both, 1), 1.0)
    return table


def _note_set(notes: Notes, resolution: int) -> set[tuple[Cell, int, int]]:
    return {
        (cell, sixteenth_of(note.onset_ticks, resolution), note.pitch)
        for cell, found in notes.items()
        for note in found
    }


def agreement(table: Table) -> Table:
    """How much each candidate agrees with the others, 0 to 1; alone, one agrees with itself."""
    if len(table) == 1:
        return np.ones(1)
    mean: Table = (table.sum(axis=1) - table.diagonal()) / (len(table) - 1)
    return mean


def differing(order: Sequence[int], table: Table, taken: Sequence[int]) -> int:
    """The first candidate of `order` that differs enough from those taken, or the one that is least like them."""

    def nearest(candidate: int) -> float:
        return max((float(table[candidate, other]) for other in taken), default=0.0)

    return next((one for one in order if nearest(one) <= APART), min(order, key=nearest))


def sameness(notes: Notes, stands_elsewhere: Callable[[Cell, Sequence[Note]], bool]) -> float:
    """Share of the sounding bars that stand elsewhere in their tracks."""
    found = [stands_elsewhere(cell, bar) for cell, bar in notes.items() if bar]
    return sum(found) / max(1, len(found))
