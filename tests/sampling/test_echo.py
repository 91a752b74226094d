"""The echo leans towards what a track does in the bars around, and only there."""

from __future__ import annotations

import numpy as np
from tiny import engine, request, song

from midigpt_core.planning import fitting_plan
from midigpt_core.prompting import echo_strength, prepare_step
from midigpt_core.reading import original_tokens
from midigpt_core.sampling.echo import Echo, bodies_of, weighted
from midigpt_core.sampling.rules import Cursor


def step_prompt(score=None, **config):
    score = score or song()
    tokenizer = engine().tokenizer
    wish = request(score, {1: [4]}, **config)
    [step] = fitting_plan(wish, score, [(1, 4)], tokenizer, 0, 2048)
    return prepare_step(tokenizer, score, step, wish, ())


def test_bars_around_are_those_the_prompt_shows() -> None:
    prompt = step_prompt()
    shown = bodies_of(prompt.prompt.tokens, prompt.tokenizer.vocabulary)
    assert len(shown) == 3
    [(track, bar)] = prompt.local_cells
    assert bar not in shown[track]
    assert len(shown[track]) == 7


def test_a_bar_like_its_neighbours_becomes_likelier() -> None:
    prompt = step_prompt()
    vocabulary = prompt.tokenizer.vocabulary
    echo, at = Echo(vocabulary, prompt._around(), 1.0), Cursor()
    grammar = prompt.grammar()
    gains = []
    for token in original_tokens(prompt):
        lean = echo.lean(at)
        assert lean is not None
        legal = grammar.legal()
        gains.append(lean[token] - np.log(np.mean(np.exp(lean[legal]))))
        kind, value = vocabulary.decode(token)
        at.advance(kind, value, False)
        echo.advance(kind, value, at)
        grammar.advance(token)
    assert min(gains) > 0


def test_without_a_sounding_bar_around_there_is_no_lean() -> None:
    score = song()
    for bar in score.tracks[1].bars:
        bar.notes = []
    prompt = step_prompt(score)
    assert Echo(prompt.tokenizer.vocabulary, prompt._around(), 1.0).lean(Cursor()) is None


def test_nearer_bars_and_bars_a_phrase_away_weigh_more() -> None:
    weights = dict(zip(range(9), (w for w, _ in weighted({b: [b] for b in range(9)}, 4)), strict=True))
    assert weights[3] > weights[1]
    assert weights[8] > weights[7]


def test_strength_zero_is_off_and_minus_one_asks_the_checkpoint() -> None:
    prompt = step_prompt(echo=0.0)
    assert not any(rule.name == "echo" for rule in prompt.rules(1))
    assert any(rule.name == "echo" for rule in step_prompt(echo=0.5).rules(1))
    asked = step_prompt().request
    recommended = float(prompt.tokenizer.config.extra.get("echo", 0.0))
    assert echo_strength(prompt.tokenizer, asked) == recommended


def test_a_strong_echo_keeps_a_random_model_near_the_track() -> None:
    score = song()
    usual = {n.pitch for bar in score.tracks[1].bars for n in bar.notes}

    def strangers(echo: float) -> int:
        found = engine().session(score, request(score, {1: [4, 5]}, echo=echo, seed=3)).run_takes().takes[0].score
        return sum(n.pitch not in usual for b in (4, 5) for n in found.tracks[1].bars[b].notes)

    assert strangers(3.0) < strangers(0.0)
