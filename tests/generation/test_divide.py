"""Steps that are too long divide by themselves: by tracks, then by bars, and context goes by relevance."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny import engine, request, song

from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.plan.divide import Division, divided
from midigpt_core.plan.steps import Step
from midigpt_core.score import Score

STEP = Step(0, 8, False, frozenset((track, bar) for track in range(6) for bar in range(4)), 8)


def fits(most: int) -> Division:
    return Division(lambda step: len(step.cells) <= most)


@pytest.mark.parametrize("most", [1, 2, 3, 5, 11, 24])
def test_every_cell_is_written_once_and_every_part_fits(most: int) -> None:
    parts = divided(STEP, fits(most))
    assert sorted(cell for part in parts for cell in part.cells) == sorted(STEP.cells)
    assert all(len(part.cells) <= most for part in parts)


def test_tracks_are_divided_before_bars() -> None:
    assert {len({bar for _, bar in part.cells}) for part in divided(STEP, fits(4))} == {4}
    assert {len({track for track, _ in part.cells}) for part in divided(STEP, fits(2))} == {1}


def test_what_is_not_left_to_the_plan_is_not_divided() -> None:
    assert len(divided(STEP, replace(fits(1), by_bars=False))) == 6
    assert len(divided(STEP, replace(fits(1), by_tracks=False, by_bars=False))) == 1
    assert divided(replace(STEP, autoregressive=True), fits(1)) == [replace(STEP, autoregressive=True)]


def many(count: int) -> Score:
    """A song of many tracks: those of a small one, again and again."""
    score = song(8)
    return replace(score, tracks=[replace(score.tracks[1 + i % 2], name=f"Part {i}") for i in range(count)])


@pytest.mark.parametrize("count", [24, 100])
def test_a_bar_of_a_hundred_tracks_is_planned_in_steps_that_fit(count: int) -> None:
    score, tokenizer = many(count), engine().tokenizer
    cells = [(track, 4) for track in range(count)]
    steps = fitting_plan(request(score, {t: [4] for t in range(count)}), score, cells, tokenizer, 0, 1024)
    assert len(steps) > 1
    assert sorted(cell for step in steps for cell in step.cells) == cells
    for number, step in enumerate(steps):
        later = {cell for other in steps[number + 1 :] for cell in other.cells}
        assert step.pending == later
