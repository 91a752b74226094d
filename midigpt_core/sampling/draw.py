"""Turn one row of logits per lane into one token per lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


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


def draw(
    belief: Tensor, bias: Tensor | None, knobs: Sequence[Knobs], uniforms: Tensor, droppable: Tensor
) -> tuple[list[int], list[float]]:
    """Draw one token per row.

    belief: (lanes, vocabulary) float32, the model's log-probabilities, -inf where illegal, something legal per row;
    bias: same shape or None, added to it; uniforms: (lanes,) in [0, 1); droppable: (vocabulary,) bool, tokens that
    mask_k and mask_p may remove (notes, never structure).
    Returns the tokens, and the model's own log-probability of each.
    """
    heat = torch.tensor([knob.temperature for knob in knobs], dtype=torch.float32, device=belief.device)
    shaped = belief if bias is None else belief + bias
    probabilities = (shaped / heat[:, None]).softmax(-1)
    if any(knob.filters for knob in knobs):
        probabilities = _filtered(probabilities, knobs, droppable)
    cumulative = probabilities.cumsum(-1)
    aim = uniforms.to(cumulative.device)[:, None] * cumulative[:, -1:]
    tokens = torch.searchsorted(cumulative, aim, right=True).clamp_(max=belief.shape[1] - 1)
    tokens = _nearest_possible(tokens, probabilities)
    return tokens[:, 0].tolist(), belief.gather(1, tokens)[:, 0].tolist()


def _nearest_possible(tokens: Tensor, probabilities: Tensor) -> Tensor:
    """Rounding at the very end of the cumulative sum may point at an impossible token: take the likeliest instead."""
    impossible = probabilities.gather(1, tokens) <= 0
    return torch.where(impossible, probabilities.argmax(-1, keepdim=True), tokens)


def _filtered(probabilities: Tensor, knobs: Sequence[Knobs], droppable: Tensor) -> Tensor:
    """top_k, then top_p, then mask_k, then mask_p; a filter that would leave nothing is skipped for that row."""
    device = probabilities.device
    vocabulary = probabilities.shape[1]
    order = probabilities.argsort(dim=-1, descending=True, stable=True)
    ranked = probabilities.gather(1, order)

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, device=device)[:, None]

    rank = torch.arange(vocabulary, device=device)[None]
    top_k = column([knob.top_k or vocabulary for knob in knobs])
    top_p = column([knob.top_p for knob in knobs])
    before = ranked.cumsum(-1) - ranked  # probability of everything likelier
    keep = (rank < top_k) & ((before < top_p) | (rank == 0)) & (ranked > 0)

    pool = ranked * keep
    pool = pool / pool.sum(-1, keepdim=True)
    before = pool.cumsum(-1) - pool
    mask_k = column([float(knob.mask_k) for knob in knobs])
    mask_p = column([knob.mask_p for knob in knobs])
    alive = keep.sum(-1, keepdim=True)
    drop = ((rank < mask_k) & (mask_k < alive)) | ((before < mask_p) & (rank < alive - 1))
    drop &= droppable[order]
    left = keep & ~drop
    left = torch.where(left.any(-1, keepdim=True), left, keep)
    return torch.zeros_like(probabilities).scatter(1, order, ranked * left)
