"""Cut what is to be written into parts, each of which is written after the others and hears them as they then stand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import numpy as np

from midigpt_core.plan.steps import Cell

PARTS = 3  # that bars are cut into, in turn or at random

Parts = list[frozenset[Cell]]


def _whole(cells: Collection[Cell], random: np.random.Generator) -> Parts:
    return [frozenset(cells)]


def _thirds(cells: Collection[Cell], random: np.random.Generator) -> Parts:
    """Every third bar, so that each has neighbours that stay."""
    bars = sorted({bar for _, bar in cells})
    turns = [set(bars[i::PARTS]) for i in range(PARTS)]
    return [frozenset(cell for cell in cells if cell[1] in turn) for turn in turns]


def _tracks(cells: Collection[Cell], random: np.random.Generator) -> Parts:
    return _grouped(cells, 0)


def _bars(cells: Collection[Cell], random: np.random.Generator) -> Parts:
    return _grouped(cells, 1)


def _grouped(cells: Collection[Cell], place: int) -> Parts:
    """The cells that share a track (place 0) or a bar (1), in order."""
    found: dict[int, set[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: cell[place]):
        found.setdefault(cell[place], set()).add(cell)
    return [frozenset(part) for part in found.values()]


def _random(cells: Collection[Cell], random: np.random.Generator) -> Parts:
    """Thirds of the cells, drawn anew for every round."""
    order = sorted(cells)
    drawn = [order[i] for i in random.permutation(len(order))]
    return [frozenset(drawn[i::PARTS]) for i in range(PARTS)]


WAYS: Mapping[str, Callable[[Collection[Cell], np.random.Generator], Parts]] = {
    "off": _whole,
    "thirds": _thirds,
    "tracks": _tracks,
    "bars": _bars,
    "random": _random,
}


def parts_of(cells: Collection[Cell], continued: Iterable[int], way: str, rounds: int, seed: int) -> Parts:
    """The parts in the order they are written, each round all of them; tracks that are continued come first, once."""
    forward = set(continued)
    once = frozenset(cell for cell in cells if cell[0] in forward)
    filled = frozenset(cells) - once
    random = np.random.Generator(np.random.PCG64([seed, 5]))
    rounded = [part for _ in range(rounds) for part in WAYS[way](filled, random)]
    return [part for part in (once, *rounded) if part]
