"""Turn a row of logits into a token."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_core.compiled import compiled
from midigpt_core.model.base import log_softmax

FAST_DRAW: Any = compiled("draw")

Row = npt.NDArray[np.float32]  # (vocabulary,)


@dataclass(frozen=True)
class SamplingParameters:
    """One lane's sampling settings, in the order they act."""

    temperature: float = 1.0
    top_k: int = 0  # keep the k most likely (0: off)
    top_p: float = 1.0  # keep the smallest set holding this probability (1: off)
    mask_k: int = 0  # then remove the k most likely (0: off)
    mask_p: float = 0.0  # then remove the most likely holding this probability (0: off)

    @cached_property
    def filters(self) -> bool:
        """Whether any filter beside the temperature is on."""
        return bool(self.top_k or self.mask_k or self.top_p < 1.0 or self.mask_p > 0.0)


def to_logprobs(logits: Row, legal: npt.NDArray[np.bool_]) -> None:
    """Logits become the model's log-probabilities of the legal tokens among themselves, -inf elsewhere."""
    if FAST_DRAW is not None:
        FAST_DRAW.to_logprobs(logits, legal)
    else:
        logits[:] = log_softmax(np.where(legal, logits, np.float32(-np.inf)))


def draw(
    logprobs: Row, bias: Row | None, parameters: SamplingParameters, uniform: float, droppable: npt.NDArray[np.bool_]
) -> tuple[int, float]:
    """Draw a token; returns it, and the model's own log-probability of it.

    logprobs: the model's log-probabilities, -inf where illegal, something legal; bias: added to them; uniform: a number
    in [0, 1); droppable: (vocabulary,), tokens that mask_k and mask_p may remove (notes, never structure).
    """
    if FAST_DRAW is not None and not parameters.filters:
        found: tuple[int, float] = FAST_DRAW.draw(logprobs, bias, parameters.temperature, uniform)
        return found
    scores = logprobs if bias is None else logprobs + bias
    probabilities = _softmax(scores / np.float32(parameters.temperature))
    if parameters.filters:
        probabilities = _filtered(probabilities, parameters, droppable)
    cumulative = probabilities.cumsum()
    token = min(int(cumulative.searchsorted(uniform * cumulative[-1], side="right")), len(cumulative) - 1)
    if probabilities[token] <= 0:  # rounding at the very end of the sum
        token = int(probabilities.argmax())
    return token, float(logprobs[token])


def _softmax(logits: Row) -> Row:
    found: Row = np.exp(logits - logits.max())
    found /= found.sum()
    return found


def _filtered(probabilities: Row, parameters: SamplingParameters, droppable: npt.NDArray[np.bool_]) -> Row:
    """top_k, then top_p, then mask_k, then mask_p; a filter that would leave nothing is skipped."""
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    rank = np.arange(len(order))
    before = ranked.cumsum() - ranked  # probability of everything likelier
    keep = (
        (rank < (parameters.top_k or len(order)))
        & ((before < np.float64(parameters.top_p)) | (rank == 0))
        & (ranked > 0)
    )

    pool = ranked * keep
    pool /= pool.sum()
    before = pool.cumsum() - pool
    alive = keep.sum()
    drop = (before < np.float64(parameters.mask_p)) & (rank < alive - 1)
    if parameters.mask_k < alive:
        drop[: parameters.mask_k] = True
    left = keep & ~(drop & droppable[order])
    found = np.zeros_like(probabilities)
    found[order] = ranked * (left if left.any() else keep)
    return found
