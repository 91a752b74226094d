"""The compiled cache: the same lanes and rules as the reference, several times faster on a processor."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from midigpt_core.compiled import compiled
from midigpt_core.model.base import Layout, Spans, lay_out
from midigpt_core.model.cache import Ledger

if TYPE_CHECKING:
    from midigpt_core.model.gpt2 import GPT2

_BLOCK = 64  # outputs that stand together in a packed matrix
_COPY_LIMIT = 64  # a fork copies up to this many slots of its source's own; a longer run becomes a shared prefix
_PACKED: WeakKeyDictionary[GPT2, tuple[Any, Any]] = WeakKeyDictionary()  # model -> (what it was packed from, decoder)

Row = tuple[int, int, int, int, int, int, Any, Any]


def fast_cache(model: GPT2, lanes: int, capacity: int) -> FastCache | None:
    """A compiled cache, or None: not built, not wanted (MIDIGPT_PURE=1), not on a processor, model too large."""
    kernels = compiled("decoder")
    if kernels is None or model.device.type != "cpu" or model.dtype == torch.float64:
        return None
    if model.n_positions > kernels.MAX_SLOTS or model.config.head_dim > kernels.MAX_HEAD:
        return None
    return FastCache(_decoder_of(model, kernels), kernels, lanes, capacity, model.n_positions)


def threads() -> int:
    """Threads a decoder uses: as many as torch was told to, at most one per processor."""
    return max(1, min(torch.get_num_threads(), os.cpu_count() or 1))


def _decoder_of(model: GPT2, kernels: ModuleType) -> Any:
    """The model's packed weights, packed once for as long as weights and thread count stay what they are."""
    key = (threads(), kernels.instruction_set(), *((p.data_ptr(), p._version) for p in model.parameters()))
    held = _PACKED.get(model)
    if held is None or held[0] != key:
        held = _PACKED[model] = (key, pack(model, kernels))
    return held[1]


@torch.no_grad()
def pack(model: GPT2, kernels: ModuleType) -> Any:
    """A compiled decoder with the model's weights: half precision where the processor reads it at full speed."""
    name, size = kernels.instruction_set()
    stored = torch.float16 if size == 2 else torch.float32
    body: Any = model.transformer

    def blocks(weight: Tensor) -> Any:
        """(inputs, outputs) -> (blocks of outputs, inputs, outputs of a block), padded with zeros."""
        padded = torch.nn.functional.pad(weight.float(), (0, -weight.shape[1] % _BLOCK))
        return padded.view(weight.shape[0], -1, _BLOCK).transpose(0, 1).to(stored).contiguous().numpy()

    def vector(bias: Tensor) -> Any:
        return torch.nn.functional.pad(bias.float(), (0, -bias.shape[0] % _BLOCK)).contiguous().numpy()

    def table(weight: Tensor) -> Any:
        return torch.nn.functional.pad(weight.float(), (0, -weight.shape[1] % _BLOCK)).to(stored).contiguous().numpy()

    layers = []
    for block in body.h:
        products = (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj)
        layers.append(
            {
                "norm": [vector(block.ln_1.weight), vector(block.ln_2.weight)],
                "shift": [vector(block.ln_1.bias), vector(block.ln_2.bias)],
                "weight": [blocks(product.weight) for product in products],
                "bias": [vector(product.bias) for product in products],
            }
        )
    arrays = {
        "wte": table(body.wte.weight),
        "wpe": table(body.wpe.weight),
        "norm": vector(body.ln_f.weight),
        "shift": vector(body.ln_f.bias),
        "head": blocks(model.lm_head.weight.t()),
        "head_bias": vector(torch.zeros(model.vocab_size)),
    }
    shape = {"isa": name, "width": model.config.n_embd, "heads": model.config.n_head, "vocab": model.vocab_size}
    return kernels.Decoder(shape, arrays, layers, threads())


class FastCache(Ledger):
    """Lanes whose slots are a shared, unchanging prefix (or none) and a tail of their own."""

    def __init__(self, decoder: Any, kernels: ModuleType, lanes: int, capacity: int, n_positions: int) -> None:
        super().__init__(lanes, capacity, n_positions)
        self.decoder, self.kernels = decoder, kernels
        self._prefix: list[Any] = [None] * lanes
        self._used = [0] * lanes  # slots of the lane that stand in its prefix
        self._tail: list[Any] = [None] * lanes

    def prefill(self, lane: int, ids: Sequence[int], hidden_spans: Spans = (), masking: str = "attention") -> Tensor:
        """See LaneCache.prefill."""
        layout = lay_out(ids, hidden_spans, masking)
        self.admit(layout)
        start = self.reuse(lane, layout)
        rows = self._prompt_rows(lane, layout, start)
        step = self.kernels.MAX_ROWS
        for at in range(0, len(rows), step):
            part = rows[at : at + step]
            logits = self.decoder.run(part, [len(part) - 1] if at + step >= len(rows) else [])
        self.write(lane, layout, start)
        if layout.sentinels:
            own = len(layout.tokens) - self._used[lane]
            self.decoder.empty_slots(self._tail[lane], own, own + layout.sentinels)
        return torch.from_numpy(logits)[0]

    def logits(self, lane: int, ids: Sequence[int]) -> Tensor:
        """Float32 logits after every position of a sequence, (positions, vocabulary), with the bits decoding gives."""
        self.truncate(lane, 0)
        layout = lay_out(ids)
        self.admit(layout)
        rows, step = self._prompt_rows(lane, layout, 0), self.kernels.MAX_ROWS
        parts = [rows[at : at + step] for at in range(0, len(rows), step)]
        found = [torch.from_numpy(self.decoder.run(part, list(range(len(part))))) for part in parts]
        self.write(lane, layout, 0)
        return torch.cat(found)

    def _prompt_rows(self, lane: int, layout: Layout, start: int) -> list[Row]:
        tail = self._tail_of(lane)
        used, prefix = self._used[lane], self._prefix[lane]
        new = zip(layout.tokens[start:], layout.positions[start:], strict=True)
        rows = [(token, at, slot, slot + 1, 1, used, prefix, tail) for slot, (token, at) in enumerate(new, start)]
        if layout.probe is not None:
            end = len(layout.tokens)
            rows.append((*layout.probe, end, end, 0, used, prefix, tail))
        return rows

    def truncate(self, lane: int, length: int) -> None:
        """See LaneCache.truncate."""
        super().truncate(lane, length)
        self._used[lane] = min(self._used[lane], self.length(lane))
        if not self._used[lane]:
            self._prefix[lane] = None

    def fork(self, source: int, targets: Sequence[int]) -> None:
        """See LaneCache.fork. The source's slots become a prefix that all of them read."""
        others = [target for target in targets if target != source]
        if not others or not self.length(source):
            for target in others:
                self.truncate(target, 0)
            return
        own = self.length(source) - self._used[source]
        if self._prefix[source] is None:
            self._share(source, self._tail[source])
        elif own > _COPY_LIMIT:
            self._share(source, self._joined(source))
        used, own = self._used[source], self.length(source) - self._used[source]
        for target in others:
            self.slots[target] = list(self.slots[source])
            self._prefix[target], self._used[target] = self._prefix[source], used
            self.decoder.copy_slots(self._tail_of(source), self._tail_of(target), 0, 0, own)

    def step(self, lanes: Sequence[int], ids: Sequence[int]) -> Tensor:
        """See LaneCache.step."""
        if len(lanes) > self.kernels.MAX_ROWS:
            half = len(lanes) // 2
            return torch.cat([self.step(lanes[:half], ids[:half]), self.step(lanes[half:], ids[half:])])
        order = sorted(range(len(lanes)), key=lambda i: (id(self._prefix[lanes[i]]), self._used[lanes[i]], i))
        rows, place = [], [0] * len(lanes)
        for at, i in enumerate(order):
            lane, token, place[i] = lanes[i], ids[i], at
            slot = self.length(lane)
            position = self.append(lane, token)
            tail = self._tail_of(lane)
            rows.append((token, position, slot, slot + 1, 1, self._used[lane], self._prefix[lane], tail))
        return torch.from_numpy(self.decoder.run(rows, place))

    def _tail_of(self, lane: int) -> Any:
        if self._tail[lane] is None:
            self._tail[lane] = self.kernels.Memory(self.decoder, self.capacity)
        return self._tail[lane]

    def _share(self, lane: int, memory: Any) -> None:
        """All of the lane's slots stand in `memory` now, which nobody writes to any more."""
        if self._tail[lane] is memory:
            self._tail[lane] = None
        self._prefix[lane], self._used[lane] = memory, self.length(lane)

    def _joined(self, lane: int) -> Any:
        """The lane's slots, prefix and tail, copied into one memory."""
        used, length = self._used[lane], self.length(lane)
        memory = self.kernels.Memory(self.decoder, self.capacity)
        self.decoder.copy_slots(self._prefix[lane], memory, 0, 0, used)
        self.decoder.copy_slots(self._tail[lane], memory, 0, used, length - used)
        return memory
