"""A token is drawn with its probability, among what is legal; the compiled draw gives what the reference gives."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_core.compiled import compiled
from midigpt_core.sampling import draw as drawing
from midigpt_core.sampling.draw import Knobs, believe, draw

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


def test_belief_is_shared_out_among_the_legal_tokens(either):
    logits, legal = rows(5)
    for belief, row, may in zip(believe(logits, legal), logits, legal, strict=True):
        assert belief.dtype == np.float32
        assert np.isneginf(belief[~may]).all()
        assert np.exp(belief[may].astype(float)).sum() == pytest.approx(1, abs=1e-5)
        assert np.allclose(np.diff(belief[may]), np.diff(row[may]), atol=1e-4)


@pytest.mark.parametrize("heat", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("biased", [False, True])
def test_tokens_come_as_often_as_their_probability_says(either, heat, biased):
    logits, legal = rows(1, 3)
    belief = believe(logits, legal)
    bias = np.linspace(-1, 1, VOCABULARY, dtype=np.float32)[None] if biased else None
    scores = (belief[0] + (0 if bias is None else bias[0])).astype(float) / heat
    wanted = np.exp(scores) / np.exp(scores).sum()
    steps = (np.arange(4000) + 0.5) / 4000
    drawn = [draw(belief, bias, [Knobs(heat)], [step], NOTHING)[0][0] for step in steps]
    assert np.abs(np.bincount(drawn, minlength=VOCABULARY) / 4000 - wanted).max() < 1 / 2000


@pytest.mark.parametrize("uniform", [0.0, 1e-12, 1 - 1e-16])
def test_the_ends_of_the_dice_draw_something_legal(either, uniform):
    logits, legal = rows(20, 5)
    tokens, logprobs = draw(believe(logits, legal), None, [Knobs()] * 20, [uniform] * 20, NOTHING)
    assert all(may[token] for may, token in zip(legal, tokens, strict=True))
    assert all(np.isfinite(logprobs))


def test_only_token_left_is_drawn(either):
    logits, _ = rows(2)
    legal = [np.eye(VOCABULARY, dtype=bool)[token] for token in (11, 89)]
    assert draw(believe(logits, legal), None, [Knobs()] * 2, [0.4, 0.9], NOTHING) == ([11, 89], [0.0, 0.0])


@pytest.mark.skipif(compiled("draw") is None, reason="the compiled draw is not built")
def test_compiled_draw_is_the_reference(monkeypatch):
    logits, legal = rows(300, 9)
    dice = np.random.default_rng(1)
    bias = dice.normal(0, 2, (300, VOCABULARY)).astype(np.float32)
    knobs = [Knobs(float(heat)) for heat in dice.uniform(0.4, 1.5, 300)]
    uniforms = dice.random(300).tolist()
    found = []
    for way in (None, compiled("draw")):
        monkeypatch.setattr(drawing, "FAST_DRAW", way)
        belief = believe(logits, legal)
        found.append((belief, draw(belief, bias, knobs, uniforms, NOTHING)))
    (belief, (tokens, logprobs)), (other, (others, other_logprobs)) = found
    assert np.allclose(belief, other, atol=1e-5)
    assert tokens == others
    assert np.allclose(logprobs, other_logprobs, atol=1e-5)
