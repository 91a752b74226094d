"""The parts of a pass: every cell in exactly one of them, for every way that a request may name."""

from __future__ import annotations

import pytest

from midigpt_core.plan.passes import WAYS, parts_of
from midigpt_core.request import PASSES

CELLS = [(track, bar) for track in (0, 3, 5) for bar in (2, 3, 4, 7)]


def test_there_is_a_way_for_each_word() -> None:
    assert tuple(WAYS) == PASSES


@pytest.mark.parametrize("way", PASSES)
def test_every_cell_is_written_once_per_round_and_continued_tracks_once_in_front(way: str) -> None:
    parts = parts_of(CELLS, [3], way, 2, seed=1)
    assert parts[0] == {cell for cell in CELLS if cell[0] == 3}
    written = sorted(cell for part in parts[1:] for cell in part)
    assert written == sorted([cell for cell in CELLS if cell[0] != 3] * 2)
    assert all(parts)


def test_a_single_bar_is_one_part() -> None:
    assert parts_of([(0, 4)], [], "thirds", 1, seed=1) == [{(0, 4)}]
