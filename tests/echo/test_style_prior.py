"""A track keeps to its register and its ways, except where the caller asks for something else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real import engine as open_engine
from real import sample
from tiny import engine, request, song

from midigpt_core.compiled import compiled
from midigpt_core.constraints.masks import Cursor
from midigpt_core.echo.echo_constraint import Echo
from midigpt_core.echo.mixture import KEPT, SLIP, StyleBias, Tokens, style_bias
from midigpt_core.generation.lane_constraints import build_constraints
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.step_prompt import prepare_step
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.tokens.types import TokenType

ONSET, PLACE, LENGTH, VELOCITY = (
    TokenType.NOTE_ONSET,
    TokenType.TIME_ABSOLUTE_POS,
    TokenType.NOTE_DURATION,
    TokenType.VELOCITY_LEVEL,
)


def style_of(track=1, attributes=None, score=None, **controls) -> StyleBias:
    """The style of one track of the made-up song, bar 5 of which is to be written."""
    score = score or song()
    wish = request(score, {track: [4]}, controls, echo=1.0)
    wish.tracks[track] = replace(wish.tracks[track], attributes=attributes or {})
    tokenizer = engine().tokenizer
    [step] = fitting_plan(wish, score, [(track, 4)], tokenizer, 0, 2048)
    return prepare_step(tokenizer, score, step, wish, ()).known.styles[0]


def kinds(style: StyleBias) -> set[TokenType]:
    vocabulary = engine().tokenizer.vocabulary
    return {vocabulary.types[first] for first, _ in style.kinds}


def values(style: StyleBias, kind: TokenType):
    first, last = engine().tokenizer.vocabulary.range(kind)
    return style.bias[first:last]


def test_pitches_of_the_track_come_before_their_neighbours_and_those_before_other_registers() -> None:
    bias = values(style_of(), ONSET)  # of roots between 36 and 43, their fifths and octaves
    assert min(bias[[36, 38, 41]]) > bias[39] > bias[84] + 2
    assert bias[39] > bias[30] > bias[20]


def test_places_lengths_and_velocities_of_the_track_come_first() -> None:
    style = style_of()
    places, lengths = values(style, PLACE), values(style, LENGTH)
    assert set(np.argsort(-places)[:2]) == {12, 24}  # a bar begins at 0, which is not written
    assert lengths.argmax() == 4  # 200 of 480 ticks are five of twelve; the first token is a length of one
    assert len(set(values(style, VELOCITY))) == 2


def test_drums_have_no_register_and_are_free_to_move_in_the_bar() -> None:
    style = style_of(track=0)
    bias = values(style, ONSET)
    assert kinds(style) == {ONSET, VELOCITY}
    assert bias[37] == bias[100]
    assert bias[42] > bias[37]


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({"controls": {"pitch_mask": {"range": [60, 72]}}}, {PLACE, LENGTH, VELOCITY}),
        ({"controls": {"rhythm_mask": {"grid": {"unit": "eighth"}}}}, {ONSET, LENGTH, VELOCITY}),
        ({"attributes": {"note_density": 9}}, {ONSET, LENGTH, VELOCITY}),
        ({"attributes": {"min_note_duration": 5}}, {ONSET, PLACE, VELOCITY}),
        ({"attributes": {"pitch_range": 30}}, {PLACE, LENGTH, VELOCITY}),
        ({}, {ONSET, PLACE, LENGTH, VELOCITY}),
    ],
)
def test_no_habit_speaks_against_what_the_caller_asks_for(asked, left) -> None:
    assert kinds(style_of(attributes=asked.get("attributes"), **asked.get("controls", {}))) == left


def test_a_track_without_notes_has_no_habits() -> None:
    score = song()
    for bar in score.tracks[1].bars:
        bar.notes = []
    style = style_of(score=score)
    assert not style.kinds
    assert not style.bias.any()


def test_nothing_is_learnt_from_the_bars_that_are_replaced() -> None:
    score = song()
    for note in score.tracks[1].bars[4].notes:
        note.pitch = 100
    assert np.array_equal(style_of(score=score).bias, style_of().bias)


def test_strength_zero_leaves_the_network_alone() -> None:
    score = song()
    wish = request(score, {1: [4]}, echo=0.0)
    tokenizer = engine().tokenizer
    [step] = fitting_plan(wish, score, [(1, 4)], tokenizer, 0, 2048)
    constraints = build_constraints(prepare_step(tokenizer, score, step, wish, ()), 1)
    assert not any(isinstance(constraint, Echo) for constraint in constraints)


@settings(deadline=None)
@given(st.data())
def test_every_kind_of_token_stays_as_likely_as_it_is(data) -> None:
    size, number = 12, st.floats(-9, 0, width=32)
    logits = np.array(data.draw(st.lists(number, min_size=size, max_size=size)), np.float32)
    legal = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    legal[data.draw(st.integers(0, size - 1))] = True
    logprobs = np.where(legal, logits - np.logaddexp.reduce(logits[legal]), -np.inf).astype(np.float32)
    bias = np.array(data.draw(st.lists(number, min_size=size, max_size=size)), np.float32)
    spans = ((0, 4), (5, 11))
    factors = np.exp(bias, dtype=np.float64)
    found = style_bias(logprobs, bias, factors, spans)
    assert np.isfinite(found).all()
    for first, last in spans:
        before, after = (np.exp(row[first:last].astype(np.float64)).sum() for row in (logprobs, logprobs + found))
        assert after == pytest.approx(before, rel=1e-4)
    assert not found[[4, 11]].any()
    if compiled("echo") is not None:
        tokens = Tokens([], 0, 4, [ONSET] * size)
        alone = compiled("echo").Mixture([], [1.0], StyleBias(bias, factors, spans), tokens, (SLIP, KEPT))
        assert np.array_equal(found, alone.bias(logprobs))


def test_the_mixture_is_of_the_leaning_network() -> None:
    vocabulary = engine().tokenizer.vocabulary
    echo = Echo(vocabulary, {}, 1.0, {0: style_of()})
    logprobs = np.full(vocabulary.size, -np.log(vocabulary.size), np.float32)
    biased = logprobs + echo.bias(Cursor(), logprobs)
    first, last = vocabulary.range(ONSET)
    assert biased[first + 36] > logprobs[first + 36] > biased[first + 100]
    assert np.exp(biased[first:last]).sum() == pytest.approx((last - first) / vocabulary.size, rel=1e-4)


def test_both_hands_of_a_piano_keep_their_registers_when_they_are_written_at_once() -> None:
    score, bars = sample("nocturne"), [4, 5, 6, 7]
    prompts = [TrackPrompt(t, bars) for t in range(len(score.tracks))]
    asked = GenerationRequest(prompts, InferenceConfig(seed=0, num_candidates=2))
    for take in open_engine().session(score, asked).run_takes().takes:
        for before, after in zip(score.tracks, take.score.tracks, strict=True):
            usual = [n.pitch for b, bar in enumerate(before.bars) for n in bar.notes if b not in bars]
            means = [np.mean([n.pitch for n in after.bars[b].notes]) for b in bars if after.bars[b].notes]
            assert len(means) >= 2
            assert min(usual) <= min(means) <= max(means) <= max(usual)
