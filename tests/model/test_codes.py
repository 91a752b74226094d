"""Weights as 8-bit codes: the compiled twin gives the reference's bits."""

from __future__ import annotations

import numpy as np
import pytest

from midigpt_core.compiled import compiled
from midigpt_core.errors import CheckpointError
from midigpt_core.model import weight_codes

pytestmark = pytest.mark.skipif(compiled("codes") is None, reason="the compiled codes are not built")

SHAPES = [(512, 192, 64), (100, 70, 64), (64, 200, 16), (48, 130, 48), (1, 1, 16)]  # inputs, outputs, inputs of a group


def both_ways(monkeypatch, weight, group):
    quick = weight_codes.codes(weight, group)
    with monkeypatch.context() as without:
        without.setattr(weight_codes, "compiled", lambda name: None)
        return quick, weight_codes.codes(weight, group)


def same(quick, readable):
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(quick, readable, strict=True))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("inputs", "outputs", "group"), SHAPES)
def test_compiled_codes_are_those_of_the_reference(monkeypatch, inputs, outputs, group, kind):
    dice = np.random.default_rng(inputs)
    sizes = dice.choice([1e-6, 1e-3, 1.0, 100.0], (inputs, outputs))
    weight = (dice.standard_normal((inputs, outputs)) * sizes).astype(kind)
    assert same(*both_ways(monkeypatch, weight, group))
    assert same(*both_ways(monkeypatch, np.asfortranarray(weight), group))


def test_every_half_precision_number_comes_to_the_same_code(monkeypatch):
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    numbers = every[np.isfinite(every)].reshape(-1, 64)
    assert same(*both_ways(monkeypatch, numbers, 16))


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
def test_weights_that_are_not_finite_numbers_are_refused_by_both(monkeypatch, number, kind):
    weight = np.zeros((64, 64), kind)
    weight[3, 5] = number
    with pytest.raises(CheckpointError, match="not finite numbers"):
        weight_codes.codes(weight)
    monkeypatch.setattr(weight_codes, "compiled", lambda name: None)
    with pytest.raises(CheckpointError, match="not finite numbers"):
        weight_codes.codes(weight)
