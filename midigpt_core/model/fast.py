"""The compiled network: the same lanes and rules as the reference, several times faster on a processor, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from midigpt_core.compiled import compiled
from midigpt_core.errors import CheckpointError
from midigpt_core.model.base import PromptLayout, Spans, TorchNetwork, lay_out
from midigpt_core.model.shape import HARMONY_HEAD, PLACE_TABLES, GPT2Config, Shaped
from midigpt_core.model.slots import SlotTable
from midigpt_core.model.threads import threads
from midigpt_core.tokens.places import Place, Places

_BLOCK = 64  # outputs that stand together in a packed matrix; also inputs that share a scale
_HEAD_STEP = 16  # a head's room is a multiple of this
_PRODUCTS = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
_COPY_LIMIT = 64  # a fork copies up to this many slots of its source's own; a longer run becomes a shared prefix
_NOT_FINITE = "weights that are no finite numbers; the file is damaged, or its training ran away"
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


def pack(config: GPT2Config, weights: Mapping[str, npt.NDArray[Any]], kernels: ModuleType) -> Any:
    """A compiled decoder with these weights: matrices as 8-bit codes, tables in what the instruction set stores."""
    name, size = kernels.instruction_set()
    group = _head_group(config)

    def vector(bias: npt.NDArray[Any]) -> Any:
        found = np.zeros(len(bias) + -len(bias) % _BLOCK, np.float32)
        found[: len(bias)] = bias
        return found

    def table(weight: npt.NDArray[Any]) -> Any:
        padded = weight if weight.shape[1] % _BLOCK == 0 else np.pad(weight, ((0, 0), (0, -weight.shape[1] % _BLOCK)))
        return np.ascontiguousarray(padded, np.float16 if size == 2 else np.float32)

    def layer(at: int) -> dict[str, list[Any]]:
        part = {name.split(f"h.{at}.", 1)[1]: w for name, w in weights.items() if f".h.{at}." in name}
        entry, projection, expansion, contraction = (part[f"{product}.weight"] for product in _PRODUCTS)
        return {
            "norm": [vector(part["ln_1.weight"]), vector(part["ln_2.weight"])],
            "shift": [vector(part["ln_1.bias"]), vector(part["ln_2.bias"])],
            "weight": [codes(entry), codes(_of_heads(config, projection), group), codes(expansion), codes(contraction)],
            "bias": [vector(part[f"{product}.bias"]) for product in _PRODUCTS],
        }

    arrays = {
        "wte": table(weights["transformer.wte.weight"]),
        "wpe": table(weights["transformer.wpe.weight"]),
        "norm": vector(weights["transformer.ln_f.weight"]),
        "shift": vector(weights["transformer.ln_f.bias"]),
        "head": codes(weights["lm_head.weight"].T),
        "head_bias": vector(np.zeros(config.vocab_size)),
    }
    if config.places:
        arrays["places"] = [table(weights[f"{PLACE_TABLES}.{name}"]) for name in config.places.tables()]
        arrays["harmony_head"] = np.stack([vector(row) for row in weights[HARMONY_HEAD]])
    shape = {"isa": name, "width": config.n_embd, "heads": config.n_head, "group": group, "vocab": config.vocab_size}
    return kernels.Decoder(shape, arrays, [layer(at) for at in range(config.n_layer)], threads())


def codes(weight: npt.NDArray[Any], group: int = _BLOCK) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """A matrix (inputs, outputs) as 8-bit codes, and what a code is worth: one scale per `group` inputs and output.

    Codes: (blocks of outputs, pairs of inputs, outputs of a block, 2). Scales: (blocks, groups, outputs of a block).
    Raises CheckpointError for weights that are no finite numbers.
    """
    twin = compiled("codes")
    if twin is not None:
        found: tuple[Any, Any] | None = twin.codes(_readable(weight), group)
        if found is None:
            raise CheckpointError(_NOT_FINITE)
        return found
    padded, scale = _in_codes(weight, group)
    code = padded.astype(np.int8).reshape(len(padded), -1, _BLOCK)
    ordered = np.empty((code.shape[1], len(code) // 2, _BLOCK, 2), np.int8)
    for place in (0, 1):
        ordered[..., place] = code[place::2].transpose(1, 0, 2)
    return ordered, np.ascontiguousarray(scale.reshape(len(scale), -1, _BLOCK).transpose(1, 0, 2))


def rounded(config: GPT2Config, weights: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """The weights as a decoder holds them, in their own types: with these it computes what the reference computes."""
    found = dict(weights)
    for name, weight in weights.items():
        if name == "lm_head.weight":
            found[name] = _through_codes(weight.T, _BLOCK).T.astype(weight.dtype)
        elif name.endswith("attn.c_proj.weight"):
            heads = _through_codes(_of_heads(config, weight), _head_group(config)).reshape(
                config.n_head, -1, config.n_embd
            )
            found[name] = heads[:, : config.head_dim].reshape(weight.shape).astype(weight.dtype)
        elif name.endswith(tuple(f"{product}.weight" for product in _PRODUCTS)):
            found[name] = _through_codes(weight, _BLOCK).astype(weight.dtype)
    return found


def _in_codes(weight: npt.NDArray[Any], group: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The matrix, padded, in whole numbers from -127 to 127; the scales, (groups, outputs). Raises CheckpointError."""
    padded = np.pad(weight.astype(np.float32), ((0, -weight.shape[0] % group), (0, -weight.shape[1] % _BLOCK)))
    grouped = padded.reshape(-1, group, padded.shape[1])
    scale = np.maximum(grouped.max(1), -grouped.min(1)) / np.float32(127)
    if not np.isfinite(scale).all():
        raise CheckpointError(_NOT_FINITE)
    grouped *= (1 / np.where(scale, scale, 1))[:, None]
    return np.rint(padded, out=padded), scale


def _readable(weight: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The weights in a type the compiled twin reads."""
    return weight if weight.dtype in (np.float16, np.float32) else weight.astype(np.float32)


def _through_codes(weight: npt.NDArray[Any], group: int) -> npt.NDArray[np.float32]:
    code, scale = _in_codes(weight, group)
    values = (code.reshape(-1, group, code.shape[1]) * scale[:, None]).reshape(code.shape)
    return values[: weight.shape[0], : weight.shape[1]]


def _head_room(config: GPT2Config) -> int:
    """Inputs that a head takes in the projection: its dimensions and padding."""
    return config.head_dim + -config.head_dim % _HEAD_STEP


def _head_group(config: GPT2Config) -> int:
    """Inputs of a head that share a scale."""
    return max(group for group in range(_HEAD_STEP, _BLOCK + 1, _HEAD_STEP) if _head_room(config) % group == 0)


def _of_heads(config: GPT2Config, weight: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Inputs of the projection with each head's padded to its room."""
    heads = weight.reshape(config.n_head, config.head_dim, -1)
    room = _head_room(config)
    if room == config.head_dim:
        return weight
    return np.pad(heads, ((0, 0), (0, room - config.head_dim), (0, 0))).reshape(config.n_head * room, -1)


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
        """One more token of a lane, noted in the ledger."""
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
