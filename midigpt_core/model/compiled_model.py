"""The compiled network: the same lanes and rules as the reference, several times faster on a processor, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from midigpt_core.compiled import compiled
from midigpt_core.model.base import PromptLayout, Spans, TorchNetwork, lay_out
from midigpt_core.model.shape import GPT2Config, Shaped
from midigpt_core.model.slots import SlotTable
from midigpt_core.model.threads import threads
from midigpt_core.model.weight_codes import pack
from midigpt_core.tokens.places import Place, Places

_COPY_LIMIT = 64  # a fork copies up to this many slots of its source's own; a longer run becomes a shared prefix
_PACKED: WeakKeyDictionary[TorchNetwork, tuple[Any, Any]] = (
    WeakKeyDictionary()
)  # model -> (what it was packed from, decoder)

Row = tuple[int, int, int, int, int, int, Any, Any, Place | None]
Logits = npt.NDArray[np.float32]


class FastModel(Shaped):
    """A network held by the compiled decoder alone. Its caches, and `logits`, give float32 arrays."""

    def __init__(
        self,
        config: GPT2Config,
        weights: Mapping[str, npt.NDArray[Any]],
        kernels: ModuleType,
        places: Places | None = None,
    ) -> None:
        """`weights` by the names of `GPT2Config.weights`, any floating type; `places` where it is told them."""
        self.config = config
        self.places = places
        self._kernels = kernels
        self._decoder = pack(config, weights, kernels)

    def logits(self, ids: Sequence[int]) -> Logits:
        """Float32 logits of one whole sequence, shape (positions, vocabulary)."""
        return self.new_cache(1, len(ids)).logits(0, ids)

    def new_cache(self, lanes: int = 1, capacity: int | None = None) -> FastCache:
        """An empty cache for `lanes` sequences of up to `capacity` positions (default: the whole context)."""
        return FastCache(
            self._decoder, self._kernels, (lanes, capacity or self.n_positions, self.n_positions, self.places)
        )


def kernels_for(config: GPT2Config) -> ModuleType | None:
    """The compiled decoder, or None: not built, not wanted (MIDIGPT_PURE=1), or the network too large for it."""
    kernels = compiled("decoder")
    if kernels is None or config.n_positions > kernels.MAX_SLOTS or config.head_dim > kernels.MAX_HEAD:
        return None
    return kernels


def fast_cache(model: TorchNetwork, lanes: int, capacity: int) -> FastCache | None:
    """A compiled cache for a network of torch's, or None where it cannot have one (see `kernels_for`)."""
    import torch

    kernels = kernels_for(model.config)
    if kernels is None or model.device.type != "cpu" or model.dtype == torch.float64:
        return None
    return FastCache(_decoder_of(model, kernels), kernels, (lanes, capacity, model.n_positions, model.places))


def _decoder_of(model: TorchNetwork, kernels: ModuleType) -> Any:
    """The model's packed weights, packed once for as long as weights and thread count stay what they are."""
    key = (threads(), kernels.instruction_set(), *((p.data_ptr(), p._version) for p in model.parameters()))
    held = _PACKED.get(model)
    if held is None or held[0] != key:
        weights = {name: weight.detach().float().numpy() for name, weight in model.state_dict().items()}
        held = _PACKED[model] = (key, pack(model.config, weights, kernels))
    return held[1]


class FastCache(SlotTable):
    """Lanes whose slots are a shared, unchanging prefix (or none) and a tail of their own."""

    def __init__(self, decoder: Any, kernels: ModuleType, size: tuple[int, int, int, Places | None]) -> None:
        """size: lanes, capacity, n_positions and places, as `SlotTable` takes them."""
        super().__init__(*size)
        lanes = self.lanes
        self.decoder, self.kernels = decoder, kernels
        self._prefix: list[Any] = [None] * lanes
        self._used = [0] * lanes  # slots of the lane that stand in its prefix
        self._tail: list[Any] = [None] * lanes
        self._order: tuple[list[int], list[int], list[int]] | None = None  # lanes, and how a step takes them

    def prefill(self, lane: int, ids: Sequence[int], hidden_spans: Spans = (), masking: str = "attention") -> Logits:
        """See LaneCache.prefill."""
        layout = lay_out(ids, hidden_spans, masking)
        self.admit(layout)
        start = self.reuse(lane, layout)
        rows = self._prompt_rows(lane, ids, layout, start)
        step = self.kernels.MAX_ROWS
        for at in range(0, len(rows), step):
            part = rows[at : at + step]
            logits: Logits = self.decoder.run(part, [len(part) - 1] if at + step >= len(rows) else [])
        self.write(lane, layout, start)
        if layout.sentinels:
            own = len(layout.tokens) - self._used[lane]
            self.decoder.empty_slots(self._tail[lane], own, own + layout.sentinels)
        last: Logits = logits[0]
        return last

    def logits(self, lane: int, ids: Sequence[int]) -> Logits:
        """Float32 logits after every position of a sequence, (positions, vocabulary), with the bits decoding gives."""
        self.truncate(lane, 0)
        layout = lay_out(ids)
        self.admit(layout)
        rows, step = self._prompt_rows(lane, ids, layout, 0), self.kernels.MAX_ROWS
        parts = [rows[at : at + step] for at in range(0, len(rows), step)]
        found = [self.decoder.run(part, list(range(len(part)))) for part in parts]
        self.write(lane, layout, 0)
        return np.concatenate(found)

    def _prompt_rows(self, lane: int, ids: Sequence[int], layout: PromptLayout, start: int) -> list[Row]:
        tail = self._tail_of(lane)
        used, prefix = self._used[lane], self._prefix[lane]
        places, end = self.read_prompt(lane, ids, layout), len(layout.tokens)
        new = enumerate(zip(layout.tokens[start:], layout.positions[start:], places[start:end], strict=True), start)
        rows = [(token, at, slot, slot + 1, 1, used, prefix, tail, place) for slot, (token, at, place) in new]
        if layout.probe is not None:
            rows.append((*layout.probe, end, end, 0, used, prefix, tail, places[end]))
        return rows

    def truncate(self, lane: int, length: int) -> None:
        """See LaneCache.truncate."""
        super().truncate(lane, length)
        self._order = None
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
        self._order = None
        used, own = self._used[source], self.length(source) - self._used[source]
        for target in others:
            self.slots[target] = list(self.slots[source])
            self.share_reader(source, target)
            self._prefix[target], self._used[target] = self._prefix[source], used
            self.decoder.copy_slots(self._tail_of(source), self._tail_of(target), 0, 0, own)

    def step(self, lanes: Sequence[int], ids: Sequence[int]) -> Logits:
        """See LaneCache.step."""
        if len(lanes) > self.kernels.MAX_ROWS:
            half = len(lanes) // 2
            both = [self.step(lanes[:half], ids[:half]), self.step(lanes[half:], ids[half:])]
            return np.concatenate(both)
        order, place = self._side_by_side(lanes)
        found: Logits = self.decoder.run([self._row(lanes[i], ids[i]) for i in order], place)
        return found

    def _row(self, lane: int, token: int) -> Row:
        """One more token of a lane, noted in the slot table."""
        slot = len(self.slots[lane])
        position, tail = self.append(lane, token), self._tail[lane] or self._tail_of(lane)
        return token, position, slot, slot + 1, 1, self._used[lane], self._prefix[lane], tail, self.read(lane, token)

    def _side_by_side(self, lanes: Sequence[int]) -> tuple[list[int], list[int]]:
        """An order in which lanes that share a prefix stand together, and the place of each lane in it.

        It stays from step to step, until other lanes are asked for or a prefix changes."""
        if self._order is None or self._order[0] != lanes:
            order = sorted(range(len(lanes)), key=lambda i: (id(self._prefix[lanes[i]]), self._used[lanes[i]], i))
            self._order = list(lanes), order, sorted(range(len(lanes)), key=order.__getitem__)
        return self._order[1:]

    def _tail_of(self, lane: int) -> Any:
        if self._tail[lane] is None:
            self._tail[lane] = self.kernels.Memory(self.decoder, self.capacity)
        return self._tail[lane]

    def _share(self, lane: int, memory: Any) -> None:
        """All of the lane's slots stand in `memory` now, which nobody writes to any more."""
        if self._tail[lane] is memory:
            self._tail[lane] = None
        self._order = None
        self._prefix[lane], self._used[lane] = memory, self.length(lane)

    def _joined(self, lane: int) -> Any:
        """The lane's slots, prefix and tail, copied into one memory."""
        used, length = self._used[lane], self.length(lane)
        memory = self.kernels.Memory(self.decoder, self.capacity)
        self.decoder.copy_slots(self._prefix[lane], memory, 0, 0, used)
        self.decoder.copy_slots(self._tail[lane], memory, 0, used, length - used)
        return memory
