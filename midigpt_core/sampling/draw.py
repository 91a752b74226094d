"""Turn one row of logits per lane into one token per lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_core.compiled import compiled
from midigpt_core.model.base import log_softmax

FAST_DRAW: Any = compiled("draw")

Rows = npt.NDArray[np.float32]  # (lanes, vocabulary)


@dataclass(frozen=True)
class Knobs:
    """One lane's sampling settings, in the order they act."""

    temperature: float = 1.0
    top_k: int = 0  # keep the k most likely (0: off)
    top_p: float = 1.0  # keep the smallest set holding this probability (1: off)
    mask_k: int = 0  # then remove the k most likely (0: off)
    mask_p: float = 0.0  # then remove the most likely holding this probability (0: off)

    @property
    def filters(self) -> bool:
        """Whether any filter beside the temperature is on."""
        return bool(self.top_k or self.mask_k or self.top_p < 1.0 or self.mask_p > 0.0)


def believe(logits: Sequence[npt.NDArray[np.float32]], legal: Sequence[npt.NDArray[np.bool_]]) -> Rows:
    """The model's log-probabilities of the legal tokens among themselves, -inf elsewhere: one row per lane."""
    if FAST_DRAW is not None:
        found: Rows = FAST_DRAW.believe(list(logits), list(legal))
        return found
    return log_softmax(np.where(np.stack(legal), np.stack(logits), np.float32(-np.inf)))


def draw(
    belief: Rows, bias: Rows | None, knobs: Sequence[Knobs], uniforms: Sequence[float], droppable: npt.NDArray[np.bool_]
) -> tuple[list[int], list[float]]:
    """Draw one token per row.

    belief: the model's log-probabilities, -inf where illegal, something legal per row; bias: the same shape or None,
    added to it; uniforms: one number in [0, 1) per row; droppable: (vocabulary,), tokens that mask_k and mask_p may
    remove (notes, never structure).
    Returns the tokens, and the model's own log-probability of each.
    """
    filters = any(knob.filters for knob in knobs)
    heat = [knob.temperature for knob in knobs]
    if FAST_DRAW is not None and not filters:
        found: tuple[list[int], list[float]] = FAST_DRAW.draw(belief, bias, heat, list(uniforms))
        return found
    scores = belief if bias is None else belief + bias
    probabilities = _softmax(scores / np.array(heat, dtype=np.float32)[:, None])
    if filters:
        probabilities = _filtered(probabilities, knobs, droppable)
    tokens = []
    for row, uniform in zip(probabilities, uniforms, strict=True):
        cumulative = row.cumsum()
        token = min(int(cumulative.searchsorted(uniform * cumulative[-1], side="right")), len(row) - 1)
        tokens.append(token if row[token] > 0 else int(row.argmax()))  # rounding at the very end of the sum
    return tokens, [float(own[token]) for own, token in zip(belief, tokens, strict=True)]


def _softmax(logits: Rows) -> Rows:
    found: Rows = np.exp(logits - logits.max(-1, keepdims=True))
    found /= found.sum(-1, keepdims=True)
    return found


def _filtered(probabilities: Rows, knobs: Sequence[Knobs], droppable: npt.NDArray[np.bool_]) -> Rows:
    """top_k, then top_p, then mask_k, then mask_p; a filter that would leave nothing is skipped for that row."""
    vocabulary = probabilities.shape[1]
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, -1)

    def column(values: list[float]) -> npt.NDArray[np.float64]:
        return np.array(values)[:, None]

    rank = np.arange(vocabulary)[None]
    top_k, top_p = column([k.top_k or vocabulary for k in knobs]), column([k.top_p for k in knobs])
    before = ranked.cumsum(-1) - ranked  # probability of everything likelier
    keep = (rank < top_k) & ((before < top_p) | (rank == 0)) & (ranked > 0)

    pool = ranked * keep
    pool /= pool.sum(-1, keepdims=True)
    before = pool.cumsum(-1) - pool
    mask_k, mask_p = column([k.mask_k for k in knobs]), column([k.mask_p for k in knobs])
    alive = keep.sum(-1, keepdims=True)
    drop = ((rank < mask_k) & (mask_k < alive)) | ((before < mask_p) & (rank < alive - 1))
    left = keep & ~(drop & droppable[order])
    left = np.where(left.any(-1, keepdims=True), left, keep)
    found = np.zeros_like(probabilities)
    np.put_along_axis(found, order, ranked * left, -1)
    return found
