"""The weights as the compiled decoder holds them: 8-bit codes, padded tables, and what rounding makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_core.compiled import compiled
from midigpt_core.errors import CheckpointError
from midigpt_core.model.shape import HARMONY_HEAD, PLACE_TABLES, GPT2Config
from midigpt_core.model.threads import threads

_BLOCK = 64  # outputs that stand together in a packed matrix; also inputs that share a scale
_HEAD_STEP = 16  # a head's inputs are padded to a multiple of this
_PRODUCTS = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
_NOT_FINITE = "weights that are not finite numbers; the file is damaged, or its training ran away"


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
    Raises CheckpointError for weights that are not finite numbers.
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


def _padded_head(config: GPT2Config) -> int:
    """Inputs that a head takes in the projection: its dimensions and padding."""
    return config.head_dim + -config.head_dim % _HEAD_STEP


def _head_group(config: GPT2Config) -> int:
    """Inputs of a head that share a scale."""
    return max(group for group in range(_HEAD_STEP, _BLOCK + 1, _HEAD_STEP) if _padded_head(config) % group == 0)


def _of_heads(config: GPT2Config, weight: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Inputs of the projection with each head's padded."""
    heads = weight.reshape(config.n_head, config.head_dim, -1)
    padded = _padded_head(config)
    if padded == config.head_dim:
        return weight
    return np.pad(heads, ((0, 0), (0, padded - config.head_dim), (0, 0))).reshape(config.n_head * padded, -1)
