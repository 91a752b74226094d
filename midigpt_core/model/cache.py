"""The reference cache: static keys and values per lane, in plain PyTorch, on any device and dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from midigpt_core.errors import GenerationError
from midigpt_core.model.base import SENTINEL, Layout, Spans, lay_out

if TYPE_CHECKING:
    from midigpt_core.model.gpt2 import GPT2

_EMPTY_KEY = -1e4  # what "attention_approx" leaves in place of a hidden key

Slot = tuple[int, int, int]  # token id (or SENTINEL), its position, the position of whatever comes after it


class Ledger:
    """What stands in each slot of each lane: the book-keeping every cache shares, whatever holds its numbers."""

    def __init__(self, lanes: int, capacity: int, n_positions: int) -> None:
        self.lanes, self.capacity, self.n_positions = lanes, capacity, n_positions
        self.slots: list[list[Slot]] = [[] for _ in range(lanes)]
        self.prefilled = 0

    def length(self, lane: int) -> int:
        return len(self.slots[lane])

    def next_position(self, lane: int) -> int:
        slots = self.slots[lane]
        return slots[-1][2] if slots else 0

    def room(self, lane: int) -> int:
        return min(self.capacity - self.length(lane), self.n_positions - self.next_position(lane))

    def truncate(self, lane: int, length: int) -> None:
        del self.slots[lane][max(length, 0) :]

    def reuse(self, lane: int, layout: Layout) -> int:
        """Keep the prefix that lane and prompt share, forget the rest; its length (the last token is always redone)."""
        shared = 0
        limit = len(layout.tokens) - (layout.probe is None)
        held = self.slots[lane]
        for slot, token, position in zip(held, layout.tokens[:limit], layout.positions, strict=False):
            if slot[:2] != (token, position):
                break
            shared += 1
        self.truncate(lane, shared)
        return shared

    def admit(self, layout: Layout) -> None:
        """Refuse a prompt that leaves no room: raises GenerationError."""
        slots = len(layout.tokens) + layout.sentinels + (layout.probe is not None)
        if slots > self.capacity or layout.next_position > self.n_positions:
            limit = min(self.capacity, self.n_positions)
            needed = max(slots, layout.next_position)
            raise GenerationError(f"the prompt is {needed} tokens, the model reads {limit}; take fewer bars or tracks")

    def write(self, lane: int, layout: Layout, start: int) -> None:
        """Note a prompt's slots from `start` on, sentinels behind."""
        tail = [(t, p, p + 1) for t, p in zip(layout.tokens[start:], layout.positions[start:], strict=True)]
        tail += [(SENTINEL, SENTINEL, 0)] * layout.sentinels
        self.slots[lane] += tail
        self.slots[lane][-1] = (*self.slots[lane][-1][:2], layout.next_position)
        self.prefilled += len(layout.tokens) - start

    def append(self, lane: int, token: int) -> int:
        """Note one more token; its position. Raises GenerationError when the lane is full."""
        position = self.next_position(lane)
        if self.room(lane) < 1:
            raise GenerationError(f"the context is full at {position} tokens; take fewer bars or tracks per step")
        self.slots[lane].append((token, position, position + 1))
        return position


class TorchCache(Ledger):
    """Keys and values of shape (layers, 2, lanes, heads, capacity, head_dim), advanced by the model itself."""

    def __init__(self, model: GPT2, lanes: int, capacity: int) -> None:
        super().__init__(lanes, capacity, model.n_positions)
        config = model.config
        shape = (config.n_layer, 2, lanes, config.n_head, capacity, config.head_dim)
        self.model = model
        self.kv = _zeros(shape, model.device, model.dtype)

    @torch.no_grad()
    def prefill(self, lane: int, ids: Sequence[int], hidden_spans: Spans = (), masking: str = "attention") -> Tensor:
        """See LaneCache.prefill."""
        layout = lay_out(ids, hidden_spans, masking)
        self.admit(layout)
        start = self.reuse(lane, layout)
        probe = () if layout.probe is None else (layout.probe,)
        tokens = self._row(layout.tokens[start:] + tuple(token for token, _ in probe))
        positions = self._row(layout.positions[start:] + tuple(position for _, position in probe))
        memory = _PromptMemory(self.kv[:, :, lane], start, deaf_to_last=bool(probe))
        x = self.model.hidden(tokens, positions, memory)
        end = len(layout.tokens)
        self.kv[:, 0, lane, :, end : end + layout.sentinels] = _EMPTY_KEY
        self.kv[:, 1, lane, :, end : end + layout.sentinels] = 0.0
        self.write(lane, layout, start)
        return self._head(x[0, -1])

    def fork(self, source: int, targets: Sequence[int]) -> None:
        """See LaneCache.fork."""
        length = self.length(source)
        for target in targets:
            if target != source:
                self.slots[target] = list(self.slots[source])
                self.kv[:, :, target, :, :length] = self.kv[:, :, source, :, :length]

    @torch.no_grad()
    def step(self, lanes: Sequence[int], ids: Sequence[int]) -> Tensor:
        """See LaneCache.step."""
        lengths = [self.length(lane) for lane in lanes]
        positions = [self.append(lane, token) for lane, token in zip(lanes, ids, strict=True)]
        memory = _StepMemory(self.kv, list(lanes), lengths)
        x = self.model.hidden(self._row(ids).T, self._row(positions).T, memory)
        return self._head(x[:, -1])

    def _head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model.lm_head(x)
        return logits.float()

    def _row(self, values: Sequence[int]) -> Tensor:
        return torch.tensor([list(values)], dtype=torch.long, device=self.model.device)


def _zeros(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Zeros; in main memory, pages that cost nothing until a lane first writes to them."""
    if device.type != "cpu":
        return torch.zeros(shape, device=device, dtype=dtype)
    return torch.from_numpy(np.zeros(math.prod(shape) * dtype.itemsize, np.uint8)).view(dtype).view(shape)


class _PromptMemory:
    """Many new positions of one lane: each hears what stood before the prompt's new part, and the part up to itself."""

    def __init__(self, kv: Tensor, start: int, deaf_to_last: bool) -> None:
        self.kv, self.start, self.deaf_to_last = kv, start, deaf_to_last

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        new, end = q.shape[2], self.start + q.shape[2]
        self.kv[layer, 0, :, self.start : end] = k[0]
        self.kv[layer, 1, :, self.start : end] = v[0]
        if self.start == 0 and not self.deaf_to_last:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        heard = torch.ones(new, end, dtype=torch.bool, device=q.device).tril(self.start)
        if self.deaf_to_last:
            heard[-1, -1] = False
        keys, values = self.kv[layer, :, None, :, :end]
        return F.scaled_dot_product_attention(q, keys, values, attn_mask=heard)


class _StepMemory:
    """One new position in each of several lanes, every lane with its own length."""

    def __init__(self, kv: Tensor, lanes: list[int], lengths: list[int]) -> None:
        self.kv, self.end = kv, max(lengths) + 1
        self.lanes = torch.tensor(lanes, device=kv.device)
        self.lengths = torch.tensor(lengths, device=kv.device)
        self.in_order = lanes == list(range(lanes[0], lanes[0] + len(lanes)))
        self.window = slice(lanes[0], lanes[0] + len(lanes))
        slots = torch.arange(self.end, device=kv.device)
        even = min(lengths) == max(lengths)
        self.heard = None if even else (slots <= self.lengths[:, None])[:, None, None]

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        kv = self.kv[layer]
        kv[0, self.lanes, :, self.lengths] = k[:, :, 0]
        kv[1, self.lanes, :, self.lengths] = v[:, :, 0]
        chosen = kv[:, self.window, :, : self.end] if self.in_order else kv[:, self.lanes, :, : self.end]
        return F.scaled_dot_product_attention(q, chosen[0], chosen[1], attn_mask=self.heard)
