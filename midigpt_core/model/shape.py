"""The shape of a GPT-2 network and of its weights, without the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from midigpt_core.errors import CheckpointError, EncoderConfigError
from midigpt_core.tokens.places import HARMONY, PlaceSizes

NUMBERS = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
PLACE_TABLES = "transformer.places"  # name of these weights, before the table's
HARMONY_HEAD = "harmony_head"


@dataclass(frozen=True)
class GPT2Config:
    """Shape of the network; the defaults are those of the published 20 M-parameter checkpoint."""

    vocab_size: int = 647
    n_positions: int = 2048  # longest context in tokens
    n_embd: int = 512  # width
    n_layer: int = 6
    n_head: int = 8  # divides n_embd
    places: PlaceSizes | None = None  # what it is told of where each token stands; None: nothing, as GPT-2

    def __post_init__(self) -> None:
        for name in NUMBERS:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise CheckpointError(f"model config: {name} is {value!r}; it must be an integer, 1 or more")
        if self.n_embd % self.n_head:
            raise CheckpointError(f"model config: n_head {self.n_head} does not divide n_embd {self.n_embd}")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GPT2Config:
        """The shape as a checkpoint file states it. Raises CheckpointError, or TypeError for unknown keys."""
        places = data.get("places")
        if places is None or isinstance(places, PlaceSizes):
            return cls(**data)
        try:
            return cls(**{**data, "places": PlaceSizes(**places)})
        except EncoderConfigError as error:
            raise CheckpointError(f"model config: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """The inverse of `from_dict`; without places, what MIDI-GPT's own files state."""
        numbers: dict[str, Any] = {name: getattr(self, name) for name in NUMBERS}
        return numbers if self.places is None else {**numbers, "places": asdict(self.places)}

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_head

    def weights(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight, in the order of the published checkpoints."""
        wide = self.n_embd
        found: dict[str, tuple[int, ...]] = {
            "transformer.wte.weight": (self.vocab_size, wide),
            "transformer.wpe.weight": (self.n_positions, wide),
        }
        for name, rows in (self.places.tables() if self.places else {}).items():
            found[f"{PLACE_TABLES}.{name}"] = (rows, wide)
        if self.places:
            found[HARMONY_HEAD] = (HARMONY, self.vocab_size)
        products = {"attn.c_attn": (wide, 3 * wide), "attn.c_proj": (wide, wide)}
        products |= {"mlp.c_fc": (wide, 4 * wide), "mlp.c_proj": (4 * wide, wide)}
        for layer in range(self.n_layer):
            for norm in ("ln_1", "ln_2"):
                found |= {f"transformer.h.{layer}.{norm}.{part}": (wide,) for part in ("weight", "bias")}
            for name, (inputs, outputs) in products.items():
                found[f"transformer.h.{layer}.{name}.weight"] = (inputs, outputs)
                found[f"transformer.h.{layer}.{name}.bias"] = (outputs,)
        found |= {f"transformer.ln_f.{part}": (wide,) for part in ("weight", "bias")}
        return found | {"lm_head.weight": (self.vocab_size, wide)}


class Shaped:
    """What a network of this shape says of its size."""

    config: GPT2Config

    @property
    def vocab_size(self) -> int:
        return self.config.vocab_size

    @property
    def n_positions(self) -> int:
        return self.config.n_positions
