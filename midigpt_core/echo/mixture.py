"""The model and bars that may be repeated, as experts of one mixture: what each expects, and its weight.

`Mixture` is one bar's; its compiled twin is in cython_ext/echo.pyx.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, log1p
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from midigpt_core.compiled import compiled
from midigpt_core.constraints.masks import Bias
from midigpt_core.plain_sum import plain_sum
from midigpt_core.tokens.types import TokenType

FAST_ECHO: Any = compiled("echo")

SLIP = 0.12  # probability that a repeating bar departs from its source at a token; then the model chooses
KEPT = 0.98  # share of a weight that stays from token to token; the rest returns to the prior
OFF = -np.inf
END = -1  # stands for whichever token ends a bar

Body = tuple[int, ...]  # tokens of a source


@dataclass(frozen=True)
class StyleBias:
    """What a track rather writes, kind by kind of token."""

    bias: Bias  # added to the model's log-probabilities, (vocabulary,)
    factors: npt.NDArray[np.float64]  # what that multiplies its probabilities by
    kinds: tuple[tuple[int, int], ...]  # first token and the one after the last; each kind stays as likely as it is


class Tokens(NamedTuple):
    """What a mixture knows of a vocabulary."""

    ends: list[int]  # tokens that end a bar
    first: int  # position, and the token after the last position
    last: int
    types: list[TokenType]  # by token


class Mixture:
    """The mixture for one bar: where each source stands in its own bar, and what it weighs beside the model."""

    def __init__(self, bodies: Sequence[Body], prior: Sequence[float], style: StyleBias | None, tokens: Tokens) -> None:
        """bodies: tokens of the sources, without what ends a bar; prior: weights, the model's first, that sum to 1;
        style: what its own output is biased by."""
        self.weights = list(prior)
        self._bodies = [(*body, END) for body in bodies]
        self._prior, self._style, self._tokens = prior, style, tokens
        self._at = [0] * len(bodies)

    def bias(self, logprobs: Bias) -> Bias:
        """log(mixture / model) of every token, up to a constant. `logprobs`: the model's log-probabilities."""
        own = None
        if self._style is not None:
            own = style_bias(logprobs, self._style.bias, self._style.factors, self._style.kinds)
            logprobs = logprobs + own
        self._belief = logprobs
        self._expected, bias = mixture_bias(self._bodies, self._at, self.weights, logprobs, self._tokens.ends)
        return bias if own is None else bias + own

    def follow(self, token: int) -> None:
        """Multiply every weight by how well it foresaw the token, against the model, and move on."""
        hit = SLIP + (1 - SLIP) * exp(-float(self._belief[token]))
        self.weights = judged(self.weights, self._prior, self._expected, token, hit)
        self._at = stand(self._bodies, self._at, token, self._tokens)


def mixture(bodies: Sequence[Body], prior: Sequence[float], style: StyleBias | None, tokens: Tokens) -> Mixture:
    """A mixture, compiled where that was built. See `Mixture`."""
    if FAST_ECHO is None:
        return Mixture(bodies, prior, style, tokens)
    found: Mixture = FAST_ECHO.Mixture(bodies, prior, style, tokens, (SLIP, KEPT))
    return found


def style_bias(logprobs: Bias, bias: Bias, factors: npt.NDArray[np.float64], kinds: Sequence[tuple[int, int]]) -> Bias:
    """The bias among the tokens of each kind that may be written, (vocabulary,): together they stay as likely.

    factors: exp(bias).
    """
    found = np.zeros(len(logprobs), dtype=np.float32)
    for first, last in kinds:
        there = [token for token in range(first, last) if logprobs[token] > OFF]
        before, after = 0.0, 0.0
        for token in there:
            likely = exp(float(logprobs[token]))
            before += likely
            after += likely * float(factors[token])
        shift = log(before / after) if after > 0 else 0.0
        for token in there:
            found[token] = float(bias[token]) + shift
    return found


def mixture_bias(
    bodies: Sequence[Body],
    places: Sequence[int],
    weights: Sequence[float],
    logprobs: Bias,
    ends: Sequence[int],
) -> tuple[list[int], Bias]:
    """What each source expects (-1: it may not be written), and log(mixture / model) of every token, (vocabulary,)."""
    end = next((token for token in ends if logprobs[token] > OFF), -1)
    tokens = [end if body[at] == END else body[at] for body, at in zip(bodies, places, strict=True)]
    expected = [token if token >= 0 and logprobs[token] > OFF else -1 for token in tokens]
    mass: dict[int, float] = {}
    model = weights[0]
    for weight, token in zip(weights[1:], expected, strict=True):
        model += weight if token < 0 else weight * SLIP
        if token >= 0:
            mass[token] = mass.get(token, 0.0) + weight * (1 - SLIP)
    bias = np.zeros(len(logprobs), dtype=np.float32)
    for token, share in mass.items():
        bias[token] = log1p(share / model * exp(-float(logprobs[token])))
    return expected, bias


def judged(
    weights: Sequence[float],
    prior: Sequence[float],
    expected: Sequence[int],
    token: int,
    hit: float,
) -> list[float]:
    """The weights, each times how well its source foresaw the token, and a little of the prior.

    hit: what a weight is multiplied by where the source was right.
    """
    gains = [1.0, *(1.0 if t < 0 else hit if t == token else SLIP for t in expected)]
    shares = shares_of([weight * gain for weight, gain in zip(weights, gains, strict=True)])
    return [KEPT * share + (1 - KEPT) * before for share, before in zip(shares, prior, strict=True)]


def stand(bodies: Sequence[Body], places: Sequence[int], token: int, tokens: Tokens) -> list[int]:
    """Where each source stands after a token: behind it, or behind what was put in its place.

    A position leads on to the same onset, or before the next one.
    """
    _, first, last, types = tokens
    found = []
    for body, at in zip(bodies, places, strict=True):
        expected = body[at]
        if expected == token:
            at += 1
        elif first <= token < last:
            while body[at] != END and not token <= body[at] < last:
                at += 1
            at += body[at] == token
        elif expected != END and types[expected] is types[token]:
            at += 1
        found.append(at)
    return found


def shares_of(weights: Sequence[float]) -> list[float]:
    """The same weights, summing to 1."""
    total = plain_sum(weights)
    return [weight / total for weight in weights]
