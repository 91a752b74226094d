"""Keep part of what stood in the bars of a step and change the rest, for candidates at a stated distance from it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from midigpt_core.constraints.masks import Allowed, Scheduled, Slot
from midigpt_core.music import sixteenth_of
from midigpt_core.score import Bar
from midigpt_core.tokens.vocabulary import Vocabulary

NAME = "distance"
_CLOSE = 1e-9  # so far two shares are the same


def partly_kept(
    vocabulary: Vocabulary,
    bars: Mapping[int, Bar],
    distance: tuple[float, float],
    seed: int,
    within: Mapping[int, Allowed],
) -> Scheduled:
    """The onsets of these bars, by cell and on the grid; so many pitches of all of them together are new that the
    distance lies in its range, how many and which is drawn."""
    random = np.random.Generator(np.random.PCG64([seed, 4]))
    places = {(cell, n.onset_ticks, n.pitch): n.duration_ticks for cell in bars for n in bars[cell].notes}
    notes, resolution = sorted(places), vocabulary.config.resolution
    stood: dict[tuple[int, int], set[int]] = {}
    for cell, tick, pitch in notes:
        stood.setdefault((cell, sixteenth_of(tick, resolution)), set()).add(pitch)
    changed = set(random.permutation(len(notes))[: _count(len(notes), distance, random)].tolist())
    slots: dict[int, dict[int, list[Slot]]] = {}
    for i, (cell, tick, pitch) in enumerate(notes):
        slot = Slot(pitch, places[cell, tick, pitch])
        if i in changed:
            slot = Slot(other_than=stood[cell, sixteenth_of(tick, resolution)])
        slots.setdefault(cell, {}).setdefault(tick, []).append(slot)
    return Scheduled(vocabulary, {cell: sorted(of_bar.items()) for cell, of_bar in slots.items()}, NAME, within)


def _count(notes: int, distance: tuple[float, float], random: np.random.Generator) -> int:
    """How many of so many notes are changed: one at least."""
    low, high = max(1, math.ceil(distance[0] * notes - _CLOSE)), math.floor(distance[1] * notes + _CLOSE)
    return int(random.integers(low, high + 1)) if low <= high else max(1, round(sum(distance) / 2 * notes))
