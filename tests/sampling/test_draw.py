"""A token is drawn with its probability, among what is legal; the compiled draw gives what the reference gives."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from midigpt_core.compiled import compiled
from midigpt_core.request import InferenceConfig
from midigpt_core.sampling import draw as drawing
from midigpt_core.sampling.draw import SamplingParameters, draw, to_logprobs

VOCABULARY = 90
NOTHING = np.zeros(VOCABULARY, bool)


@pytest.fixture(params=["reference", "compiled"])
def either(request, monkeypatch):
    """Both ways to draw, one after the other."""
    fast = compiled("draw")
    if request.param == "compiled" and fast is None:
        pytest.skip("the compiled draw is not built")
    monkeypatch.setattr(drawing, "FAST_DRAW", fast if request.param == "compiled" else None)


def rows(lanes, seed=0):
    """Logits, and what is legal: at least one token of each row."""
    dice = np.random.default_rng(seed)
    logits = dice.normal(0, 4, (lanes, VOCABULARY)).astype(np.float32)
    legal = dice.random((lanes, VOCABULARY)) < 0.3
    legal[:, 7] = True
    return list(logits), list(legal)


def logprobs_of(logits, legal):
    return [one_row_of(row, may) for row, may in zip(logits, legal, strict=True)]


def one_row_of(logits, legal):
    model_logprobs = logits.copy()
    to_logprobs(model_logprobs, legal)
    return model_logprobs


def test_belief_is_shared_out_among_the_legal_tokens(either):
    logits, legal = rows(5)
    for model_logprobs, row, may in zip(logprobs_of(logits, legal), logits, legal, strict=True):
        assert model_logprobs.dtype == np.float32
        assert np.isneginf(model_logprobs[~may]).all()
        assert np.exp(model_logprobs[may].astype(float)).sum() == pytest.approx(1, abs=1e-5)
        assert np.allclose(np.diff(model_logprobs[may]), np.diff(row[may]), atol=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("biased", [False, True])
def test_tokens_come_as_often_as_their_probability_says(either, temperature, biased):
    [model_logprobs] = logprobs_of(*rows(1, 3))
    bias = np.linspace(-1, 1, VOCABULARY, dtype=np.float32) if biased else None
    scores = (model_logprobs + (0 if bias is None else bias)).astype(float) / temperature
    wanted = np.exp(scores) / np.exp(scores).sum()
    steps = (np.arange(4000) + 0.5) / 4000
    drawn = [draw(model_logprobs, bias, SamplingParameters(temperature), step, NOTHING)[0] for step in steps]
    assert np.abs(np.bincount(drawn, minlength=VOCABULARY) / 4000 - wanted).max() < 1 / 2000


@pytest.mark.parametrize("uniform", [0.0, 1e-12, 1 - 1e-16])
def test_the_ends_of_the_dice_draw_something_legal(either, uniform):
    for model_logprobs in logprobs_of(*rows(20, 5)):
        token, logprob = draw(model_logprobs, None, SamplingParameters(), uniform, NOTHING)
        assert model_logprobs[token] > -np.inf
        assert logprob == model_logprobs[token]


def test_only_token_left_is_drawn(either):
    logits, _ = rows(2)
    for row, token, uniform in zip(logits, (11, 89), (0.4, 0.9), strict=True):
        model_logprobs = one_row_of(row, np.eye(VOCABULARY, dtype=bool)[token])
        assert draw(model_logprobs, None, SamplingParameters(), uniform, NOTHING) == (token, 0.0)


FILTERS = [
    (SamplingParameters(top_k=2), {0, 1}),
    (SamplingParameters(top_p=0.8), {0, 1}),
    (SamplingParameters(top_p=0.81), {0, 1, 2}),
    (SamplingParameters(top_k=3, mask_k=1), {1, 2}),
    (SamplingParameters(mask_p=0.4), {1, 2, 3}),
    (SamplingParameters(mask_p=0.99), {3}),
    (SamplingParameters(top_k=1, mask_k=1), {0}),  # a filter that would leave nothing is skipped
]


@pytest.mark.parametrize(("parameters", "left"), FILTERS)
def test_filters_leave_the_likeliest_or_take_them_away(either, parameters, left):
    model_logprobs = np.log(
        np.array([0.5, 0.3, 0.15, 0.05, 0], np.float32), where=np.arange(5) < 4, out=np.full(5, -np.inf, np.float32)
    )
    drawn = {draw(model_logprobs, None, parameters, step, np.ones(5, bool))[0] for step in (np.arange(400) + 0.5) / 400}
    assert drawn == left


@pytest.mark.skipif(compiled("draw") is None, reason="the compiled draw is not built")
def test_compiled_draw_is_the_reference(monkeypatch):
    logits, legal = rows(300, 9)
    dice = np.random.default_rng(1)
    biases = [None, *dice.normal(0, 2, (299, VOCABULARY)).astype(np.float32)]
    temperatures, uniforms = dice.uniform(0.4, 1.5, 300).tolist(), dice.random(300).tolist()
    settings, found = list(map(SamplingParameters, temperatures)), []
    for way in (None, compiled("draw")):
        monkeypatch.setattr(drawing, "FAST_DRAW", way)
        model_logprobs = logprobs_of(logits, legal)
        drawn = [draw(*given, NOTHING) for given in zip(model_logprobs, biases, settings, uniforms, strict=True)]
        found.append((model_logprobs, *zip(*drawn, strict=True)))
    (model_logprobs, tokens, logprobs), (other, others, other_logprobs) = found
    assert np.allclose(model_logprobs, other, atol=1e-5)
    assert tokens == others
    assert np.allclose(logprobs, other_logprobs, atol=1e-5)


def test_top_p_stops_with_the_token_that_reaches_it(either):
    model_logprobs = np.log(np.full(4, 0.25, np.float32))
    drawn = {draw(model_logprobs, None, SamplingParameters(top_p=0.5), step / 40, NOTHING[:4])[0] for step in range(40)}
    assert drawn == {0, 1}


def test_what_a_lane_is_not_told_is_as_a_request_that_does_not_say():
    usual = InferenceConfig()
    assert all(getattr(usual, row.name) == row.default for row in fields(SamplingParameters))
