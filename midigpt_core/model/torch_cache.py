"""The reference cache: static keys and values per lane, in plain PyTorch, on any device and dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from midigpt_core.model.base import Spans, TorchNetwork, lay_out
from midigpt_core.model.slots import SlotTable
from midigpt_core.tokens.places import Place

_EMPTY_KEY = -1e4  # what "attention_approx" leaves in place of a hidden key


class TorchCache(SlotTable):
    """Keys and values of shape (layers, 2, lanes, heads, capacity, head_dim), advanced by the model itself."""

    def __init__(self, model: TorchNetwork, lanes: int, capacity: int) -> None:
        super().__init__(lanes, capacity, model.n_positions, model.places)
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
        places = self._places([self.read_prompt(lane, ids, layout)[start:]])
        x = self.model.hidden(tokens, positions, memory, places)
        end = len(layout.tokens)
        self.kv[:, 0, lane, :, end : end + layout.sentinels] = _EMPTY_KEY
        self.kv[:, 1, lane, :, end : end + layout.sentinels] = 0.0
        self.write(lane, layout, start)
        return self.model.head(x[:, -1:], None if places is None else places[:, -1:])[0, -1].float()

    def fork(self, source: int, targets: Sequence[int]) -> None:
        """See LaneCache.fork."""
        length = self.length(source)
        for target in targets:
            if target != source:
                self.slots[target] = list(self.slots[source])
                self.share_reader(source, target)
                self.kv[:, :, target, :, :length] = self.kv[:, :, source, :, :length]

    @torch.no_grad()
    def step(self, lanes: Sequence[int], ids: Sequence[int]) -> Tensor:
        """See LaneCache.step."""
        lengths = [self.length(lane) for lane in lanes]
        positions = [self.append(lane, token) for lane, token in zip(lanes, ids, strict=True)]
        memory = _StepMemory(self.kv, list(lanes), lengths)
        places = self._places([[self.read(lane, token)] for lane, token in zip(lanes, ids, strict=True)])
        x = self.model.hidden(self._row(ids).T, self._row(positions).T, memory, places)
        return self.model.head(x, places)[:, -1].float()

    def _places(self, places: Sequence[Sequence[Place | None]]) -> Tensor | None:
        return None if self.model.places is None else torch.tensor(places, dtype=torch.int32, device=self.model.device)

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
