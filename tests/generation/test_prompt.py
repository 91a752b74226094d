"""What a step's prompt says: which bars are hidden, what is measured; and what is asked before and after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import engine, request, song

import midigpt_core.tokens
from midigpt_core.constraints.avoid_original import Depart
from midigpt_core.errors import CancelledError, ScoreError
from midigpt_core.generation.lane_constraints import build_constraints
from midigpt_core.generation.request_checks import check_request
from midigpt_core.generation.step_prompt import StepPrompt, prepare_step
from midigpt_core.plan.steps import Cell, Step
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import Score
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType

ENCODER = json.loads((Path(midigpt_core.tokens.__file__).parent / "open_encoder.json").read_text())


def prepared(score: Score, cells: set[Cell], tokenizer: Tokenizer | None = None, **config: Any) -> StepPrompt:
    wish = request(score, {track: sorted(b for t, b in cells if t == track) for track, _ in cells}, **config)
    step = Step(0, 8, False, frozenset(cells), 8)
    return prepare_step(tokenizer or engine().tokenizer, score, step, wish, ())


def always_told() -> Tokenizer:
    """A checkpoint that wants to be told every control."""
    return Tokenizer.from_config({**ENCODER, "optional_controls": False})


@pytest.mark.parametrize(("attempt", "departs"), [(1, False), (2, True), (3, True)])
def test_every_attempt_after_the_first_departs_from_what_stood_there(attempt: int, departs: bool) -> None:
    step = prepared(song(), {(1, 4)}, novelty_check=True)
    assert any(isinstance(each, Depart) for each in build_constraints(step, 1, attempt)) is departs


def test_only_hidden_bars_are_hidden_and_no_span_leaves_the_prompt() -> None:
    score = song()
    prompts = [TrackPrompt(0), TrackPrompt(1, [4]), TrackPrompt(2, mask_bars=[5])]
    wish = GenerationRequest(prompts, InferenceConfig(mask_mode="attention"))
    step = Step(0, 8, False, frozenset({(1, 4)}), 8)
    tokenizer = engine().tokenizer
    prompt = prepare_step(tokenizer, score, step, wish, ()).prompt
    [(start, end)] = prompt.hidden_spans
    assert 0 < start < end <= len(prompt.tokens)
    kinds = [tokenizer.vocabulary.types[token] for token in prompt.tokens[start:end]]
    assert kinds.count(TokenType.BAR) <= 1
    assert TokenType.FILL_IN_START not in kinds


def test_attributes_are_measured_on_what_is_replaced_where_that_is_asked_for() -> None:
    tokenizer, score, other = always_told(), song(), song()
    other.tracks[1].bars[4].notes *= 5
    for source, same in (("context", True), ("original", False)):
        one, two = (prepared(each, {(1, 4)}, tokenizer, attribute_source=source).prompt for each in (score, other))
        assert (one == two) is same


def test_a_part_that_is_written_whole_has_nothing_to_be_measured_on() -> None:
    tokenizer = always_told()
    step = prepared(song(8), {(1, bar) for bar in range(8)}, tokenizer)
    assert len(step.cells) == 8


def test_a_score_of_notes_that_cannot_be_is_refused_before_any_work() -> None:
    score, tokenizer = song(), engine().tokenizer
    score.tracks[0].bars[0].notes[0].pitch = 200
    with pytest.raises(ScoreError, match="pitch"):
        check_request(request(score, {1: [4]}), score, tokenizer.config, tokenizer.attributes)


def test_a_run_that_has_not_begun_has_written_nothing() -> None:
    session = engine().session(song(), request(song(), {1: [4]}))
    session.cancel_event.set()
    assert session.token_count == 0
    with pytest.raises(CancelledError):
        session.run_takes()
