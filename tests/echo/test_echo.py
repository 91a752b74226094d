"""The echo makes bars likelier that the piece has said before, and only as far as the surroundings speak for it."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import engine, request, song

from midigpt_core.compiled import compiled
from midigpt_core.constraints.masks import Cursor
from midigpt_core.echo.echo_constraint import OTHERS, Choice, Echo, Source
from midigpt_core.echo.mixture import KEPT, SLIP, Mixture, StyleBias, Tokens, shares_of
from midigpt_core.echo.sources import WEIGHTS, Surroundings
from midigpt_core.generation.attempt_sampling import own_temperature
from midigpt_core.generation.lane_constraints import build_constraints
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.step_context import echo_strength
from midigpt_core.generation.step_prompt import prepare_step
from midigpt_core.generation.tokens_to_notes import original_tokens
from midigpt_core.sampling.draw import SamplingParameters
from midigpt_core.sampling.lane import Lane, Prompt
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType


def step_prompt(score=None, bars=(4,), **config):
    score = score or song()
    tokenizer = engine().tokenizer
    wish = request(score, {1: list(bars)}, **config)
    [step] = fitting_plan(wish, score, [(1, bar) for bar in bars], tokenizer, 0, 2048)
    return prepare_step(tokenizer, score, step, wish, ())


def indifferent(grammar, vocabulary):
    """The logprobs of a model that finds everything legal equally likely."""
    legal = grammar.legal()
    return np.where(legal, -np.log(legal.sum()), -np.inf).astype(np.float32)


def follow(prompt, echo, tokens):
    """Per token, the log of what the mixture gives it over what the model gives it."""
    vocabulary, at, grammar, gains = prompt.tokenizer.vocabulary, Cursor(), prompt.grammar(), []
    for token in tokens:
        logprobs = indifferent(grammar, vocabulary)
        bias = echo.bias(at, logprobs)
        bias = np.zeros_like(logprobs) if bias is None else bias
        mixed = logprobs + bias
        gains.append(mixed[token] - np.log(np.exp(mixed).sum()) - logprobs[token])
        kind, value = vocabulary.decode(token)
        at.advance(kind, value, False)
        echo.advance(kind, value, at)
        grammar.advance(token)
    return gains


def repeated_song():
    """A song whose bass plays its fifth bar's notes in its first bar too."""
    score = song()
    score.tracks[1].bars[0].notes = copy.deepcopy(score.tracks[1].bars[4].notes)
    return score


def test_a_bar_that_the_track_has_said_before_becomes_likelier_token_by_token() -> None:
    prompt = step_prompt(repeated_song())
    gains = follow(prompt, Echo(prompt.tokenizer.vocabulary, prompt.known.repeatable, 1.0), original_tokens(prompt))
    assert sum(gains) > 2
    assert min(gains) > 0


def test_what_departs_from_every_source_is_soon_the_models_alone() -> None:
    prompt = step_prompt()
    vocabulary = prompt.tokenizer.vocabulary
    body = original_tokens(prompt)
    other = Choice((Source(0, 1.0, tuple(token for token in body[:-1] if vocabulary.decode(token)[1] % 2)),))
    gains = follow(prompt, Echo(vocabulary, {0: other}, 1.0), body)
    assert sum(gains) > -3  # at most about the prior's share is lost, however long the bar


def test_a_lane_may_repeat_what_it_has_written_itself() -> None:
    score = song(8)
    for bar in score.tracks[1].bars:
        bar.notes = copy.deepcopy(score.tracks[1].bars[0].notes)
    bars = list(range(8))
    prompt = step_prompt(score, bars)
    assert not prompt.known.repeatable[0].sources
    assert {source.cell for source in prompt.known.repeatable[3].sources} == {0, 1, 2}
    tokens = original_tokens(prompt)
    gains = follow(prompt, Echo(prompt.tokenizer.vocabulary, prompt.known.repeatable, 1.0), tokens)
    first = tokens.index(tokens[-1]) + 1
    assert sum(gains[:first]) == pytest.approx(0, abs=1e-3)
    assert sum(gains[first:]) > 5


def test_tracks_that_are_written_together_rather_repeat_the_same_bar() -> None:
    score = song()
    for track in score.tracks[1:]:
        track.bars[4].notes = copy.deepcopy(track.bars[1].notes)
    tokenizer, cells = engine().tokenizer, [(1, 4), (2, 4)]
    wish = request(score, {1: [4], 2: [4]})
    [step] = fitting_plan(wish, score, cells, tokenizer, 0, 2048)
    prompt = prepare_step(tokenizer, score, step, wish, ())
    assert [choice.beside for choice in prompt.known.repeatable.values()] == [(), (0,)]
    tokens = original_tokens(prompt)
    second = tokens.index(tokens[-1]) + 1
    apart = {cell: replace(choice, beside=()) for cell, choice in prompt.known.repeatable.items()}
    gains = [
        follow(prompt, Echo(prompt.tokenizer.vocabulary, known, 1.0), tokens)
        for known in (prompt.known.repeatable, apart)
    ]
    assert gains[0][:second] == gains[1][:second]
    assert sum(gains[0][second:]) > sum(gains[1][second:]) + 0.5


def test_bars_to_be_written_and_hidden_ones_are_no_sources() -> None:
    score = song()
    tokenizer = engine().tokenizer
    wish = request(score, {1: [4, 5]})
    wish.tracks[1] = replace(wish.tracks[1], mask_bars=[0])
    score.tracks[1].bars[7] = replace(score.tracks[1].bars[7], future=True)
    [step] = fitting_plan(wish, score, [(1, 4), (1, 5)], tokenizer, 0, 2048)
    prompt = prepare_step(tokenizer, score, step, wish, ())
    known = {source.bar for source in prompt.known.repeatable[0].sources}
    assert known == {1, 2, 3, 6, *range(8, 12)}
    assert prompt.known.around.notes((1, 5)) is None


def test_bars_whose_surroundings_are_alike_weigh_more() -> None:
    score = song()
    for track in (0, 2):
        score.tracks[track].bars[1].notes = copy.deepcopy(score.tracks[track].bars[5].notes)
    around = Surroundings(score, {(1, 5)}, range(3))
    assert around.others(1, 5, 1) == 1.0
    sources = {bar: around.source(1, 5, bar, (), -1) for bar in (0, 1, 2, 3, 4, 6, 7)}
    weights = {bar: source.log_weight + OTHERS * source.others for bar, source in sources.items()}
    assert max(weights, key=lambda bar: weights[bar]) == 1


def test_a_source_of_another_metre_is_no_source() -> None:
    score = song()
    for track in score.tracks:
        track.bars[2] = replace(track.bars[2], ts_numerator=3, beat_length=3.0)
    assert 2 not in {source.bar for source in step_prompt(score).known.repeatable[0].sources}


def test_bars_of_other_control_values_than_asked_for_are_not_repeated() -> None:
    score = song()
    score.tracks[1].bars[2].notes = [
        replace(score.tracks[1].bars[2].notes[0], onset_ticks=120 * i, duration_ticks=60) for i in range(16)
    ]
    asked = request(score, {1: [4]}, density_hard_limit=0)
    tokenizer = engine().tokenizer
    [step] = fitting_plan(asked, score, [(1, 4)], tokenizer, 0, 2048)
    plain = prepare_step(tokenizer, score, step, asked, ()).known.repeatable[0]
    asked.tracks[1] = replace(asked.tracks[1], attributes={"note_density": 1})
    sparse = prepare_step(tokenizer, score, step, asked, ()).known.repeatable[0]
    assert 2 in {source.bar for source in plain.sources}
    assert {source.bar for source in sparse.sources} == {source.bar for source in plain.sources} - {2}


def test_a_further_attempt_says_nothing_again_that_stood_there() -> None:
    prompt = step_prompt(repeated_song(), echo=1.0)
    first, second = ({s.bar for s in _echo(prompt, n).choices[0].sources} for n in (1, 2))
    assert {0, 8} <= first  # the song's bass has the fifth bar's notes there too
    assert second == first - {0, 8}


def _echo(prompt, attempt):
    return next(constraint for constraint in build_constraints(prompt, 1, attempt) if constraint.name == "echo")


def test_strength_zero_is_off_and_minus_one_asks_the_checkpoint() -> None:
    prompt = step_prompt(echo=0.0)
    assert not any(constraint.name == "echo" for constraint in build_constraints(prompt, 1))
    assert any(constraint.name == "echo" for constraint in build_constraints(step_prompt(echo=0.5), 1))
    asked = step_prompt().request
    recommended = prompt.tokenizer.config.echo
    assert echo_strength(prompt.tokenizer, asked) == recommended


def test_a_strong_echo_keeps_a_random_model_near_the_track() -> None:
    score = song()
    usual = {n.pitch for bar in score.tracks[1].bars for n in bar.notes}

    def strangers(echo: float) -> int:
        found = engine().session(score, request(score, {1: [4, 5]}, echo=echo, seed=3)).run_takes().takes[0].score
        return sum(n.pitch not in usual for b in (4, 5) for n in found.tracks[1].bars[b].notes)

    assert strangers(20.0) < strangers(0.0)


def test_temperature_one_is_what_the_checkpoint_means_by_it(monkeypatch) -> None:
    from midigpt_core.generation import attempt_sampling

    score, temperatures = song(), []
    made = attempt_sampling.SamplingParameters

    def noted(*values: float) -> SamplingParameters:
        temperatures.append(values[0])
        return made(*values)

    monkeypatch.setattr(attempt_sampling, "SamplingParameters", noted)
    calm = copy.copy(engine())
    calm.tokenizer = Tokenizer(replace(calm.tokenizer.config, temperature=0.5))
    assert own_temperature(engine().tokenizer) == engine().tokenizer.config.temperature
    calm.session(score, request(score, {1: [4]}, temperature=1.2, seed=1)).run_takes()
    assert temperatures[0] == pytest.approx(0.6)


def test_drums_may_have_a_temperature_of_their_own() -> None:
    parameters = [SamplingParameters(temperature=temperature) for temperature in (0.9, 0.5)]
    lane = partial(Lane, Prompt((1,)), step_prompt().grammar(), drums=(False, True), parameters=parameters[0])
    assert lane(cursor=Cursor(cell=1)).parameters_here is parameters[0]
    assert lane(drum_parameters=parameters[1]).parameters_here is parameters[0]
    assert lane(drum_parameters=parameters[1], cursor=Cursor(cell=1)).parameters_here is parameters[1]
    tokenizer = Tokenizer(replace(engine().tokenizer.config, temperature=0.9, drum_temperature=0.5))
    assert (own_temperature(tokenizer), own_temperature(tokenizer, drums=True)) == (0.9, 0.5)


@pytest.mark.skipif(compiled("echo") is None, reason="the compiled echo is not built")
@settings(deadline=None)
@given(st.data())
def test_compiled_echo_is_the_reference(data):
    types = [TokenType.TIME_ABSOLUTE_POS] * 4 + [TokenType.NOTE_ONSET] * 4 + [TokenType.BAR_END]
    size, number = len(types), st.floats(-9, 0, width=32)
    bodies = data.draw(st.lists(st.lists(st.integers(0, 7), max_size=8).map(tuple), max_size=6))
    prior = shares_of([data.draw(st.floats(0.01, 1.0)) for _ in range(len(bodies) + 1)])
    bias = np.array(data.draw(st.lists(number, min_size=size, max_size=size)), np.float32)
    style = data.draw(st.sampled_from([None, StyleBias(bias, np.exp(bias, dtype=np.float64), ((0, 4), (4, 8)))]))
    given = (bodies, prior, style, Tokens([8], 0, 4, types))
    slow, fast = Mixture(*given), compiled("echo").Mixture(*given, (SLIP, KEPT))
    for token in data.draw(st.lists(st.integers(0, 8), max_size=8)):
        legal = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
        legal[token] = True
        logprobs = np.where(legal, np.linspace(-9, -0.1, size), -np.inf).astype(np.float32)
        assert np.array_equal(slow.bias(logprobs), fast.bias(logprobs))
        slow.follow(token)
        fast.follow(token)
        assert slow.weights == fast.weights


def test_bars_a_phrase_away_are_likelier_sources() -> None:
    score = song(24)
    around = Surroundings(score, {(1, 12)}, (0, 1, 2))
    assert [around.features(1, 12, bar)["phrase"] for bar in (4, 7, 8, 10, 11, 16)] == [1, 0, 1, 0, 0, 1]
    assert WEIGHTS["phrase"] > 0
    here, away = around.source(1, 12, 8, (), -1), around.source(1, 12, 7, (), -1)
    nearness = WEIGHTS["near"] * (np.log(5) - np.log(4))
    beside = {name: around.features(1, 12, 8)[name] - around.features(1, 12, 7)[name] for name in ("left", "right")}
    others = sum(WEIGHTS[name] * value for name, value in beside.items())
    assert here.log_weight - away.log_weight == pytest.approx(WEIGHTS["phrase"] + nearness + others)
