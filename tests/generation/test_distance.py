"""Distance is from what stood in the bars before the run, on the model's grid; candidates keep part of just that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny import engine, request, song

from midigpt_core.constraints.masks import Scheduled
from midigpt_core.generation.distance_from_original import Origin, is_partly_kept, stray
from midigpt_core.generation.lane_constraints import build_constraints
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.step_prompt import prepare_step
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Score

CELL = (1, 4)


def without_notes(score: Score) -> Score:
    """The same with a silent bar 4 of the bass, as a pass might have left it."""
    bars = list(score.tracks[1].bars)
    bars[4] = replace(bars[4], notes=[])
    return replace(score, tracks=[score.tracks[0], replace(score.tracks[1], bars=bars), *score.tracks[2:]])


def kept_in(score: Score, origin: Score) -> list[Scheduled]:
    tokenizer, wish = engine().tokenizer, request(score, {1: [4]}, distance=[0.3, 0.5])
    [step] = fitting_plan(wish, score, [CELL], tokenizer, 0, 2048)
    prompt = prepare_step(tokenizer, score, step, wish, ())
    found = build_constraints(prompt, 1, 1, Origin(origin, tokenizer.config).bars(prompt))
    return [rule for rule in found if isinstance(rule, Scheduled)]


def test_part_of_the_original_is_kept_whatever_a_pass_has_made_of_it() -> None:
    score = song()
    for now in (score, without_notes(score)):
        [rule] = kept_in(now, score)
        slots = [slot for _, here in rule.by_cell[0] for slot in here]
        assert len(slots) == 3
        assert [slot.pitch is None for slot in slots].count(True) == 1  # a third is within 0.3 to 0.5


def test_distance_counts_equal_notes_on_the_sixteenth_grid() -> None:
    score, encoder = song(), engine().tokenizer.config
    assert Origin(score, encoder).distance_of(score, [CELL]) == 0
    assert Origin(score, encoder).distance_of(without_notes(score), [CELL]) == 1
    assert Origin(score, encoder).distance_of(without_notes(score), [CELL, (1, 5)]) == pytest.approx(1 - 2 * 3 / 9)


def test_every_other_candidate_keeps_a_part_and_a_second_attempt_turns_them_round() -> None:
    config = InferenceConfig(distance=[0.2, 0.6])
    assert [is_partly_kept(config, 1, version) for version in range(4)] == [False, True, False, True]
    assert [is_partly_kept(config, 2, version) for version in range(2)] == [True, False]
    assert not is_partly_kept(InferenceConfig(), 1, 1)


def test_a_distance_in_its_range_strays_by_nothing() -> None:
    config = InferenceConfig(distance=[0.2, 0.6])
    assert [stray(d, config) for d in (0.2, 0.6, 0.9)] == pytest.approx([0, 0, 0.3])
    assert stray(1.0, InferenceConfig()) == 0
