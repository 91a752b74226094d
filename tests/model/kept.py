"""A reference network that keeps keys and values as the compiled decoder does, so that only arithmetic can differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from midigpt_core.model.gpt2 import GPT2

CODES = 127  # of a key or value, on either side of zero


@contextmanager
def keys_and_values_as_codes(network: GPT2) -> Iterator[None]:
    """Within it, every head's key and value at a position are rounded to 8-bit codes with a scale of their own."""

    def coded(part: Tensor) -> Tensor:
        by_head = part.unflatten(-1, (network.config.n_head, -1))
        scale = by_head.abs().amax(-1, keepdim=True).clamp(min=1e-30) / CODES
        return ((by_head / scale).round() * scale).flatten(-2)

    def round_off(module: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> Tensor:
        q, k, v = found.chunk(3, -1)
        return torch.cat((q, coded(k), coded(v)), -1)

    hooks = [block.attn.c_attn.register_forward_hook(round_off) for block in network.transformer.h]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
