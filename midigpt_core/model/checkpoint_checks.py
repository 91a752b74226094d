"""Hold what a checkpoint says of itself against what is in it, before anything is made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_core.errors import CheckpointError, short

if TYPE_CHECKING:
    from midigpt_core.model.shape import GPT2Config
    from midigpt_core.tokens.encoder_config import EncoderConfig

Shape = tuple[int, ...]

LARGEST_HEADER = 100_000_000  # bytes; what the safetensors library takes
_BITS = {"F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16}
_BITS |= {"I8": 8, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8}


def check_plain(file: Path, config: Any) -> None:
    """The network's shape is an object of numbers and words, as the shape itself can judge. Raises CheckpointError."""
    if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise CheckpointError(f"{file}: model config is {short(config)}; it must be an object of n_embd, n_layer, ...")
    places = config.get("places")
    for key, value in [*config.items(), *(places.items() if isinstance(places, dict) else ())]:
        if key == "places" and isinstance(value, dict):
            continue
        if not isinstance(value, (int, float, str, type(None))) or len(short(value)) > 40:
            raise CheckpointError(f"{file}: model config: {short(key)} is {short(value)}; it must be a small number")


def check_entry(name: str, entry: Any, data_bytes: int) -> None:
    """One tensor of a safetensors header. Raises ValueError where it cannot lie in the file as it says."""
    shape, (start, stop) = entry["shape"], entry["data_offsets"]
    for number in (*shape, start, stop):
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise ValueError(f"{short(name)} has {short(number)} where a number of values or bytes belongs")
    bits = _BITS.get(entry["dtype"])
    if bits is None:
        raise ValueError(f"{short(name)} is of the unknown kind {short(entry['dtype'])}")
    if start > stop or (stop <= data_bytes and math.prod(shape) * bits != 8 * (stop - start)):
        raise ValueError(f"{short(name)} has another size than its shape says")


def check_weights(file: Path, config: GPT2Config, found: Mapping[str, Shape]) -> None:
    """Every weight of this shape is there, and no other. Raises CheckpointError."""
    if config.n_layer > len(found):  # before a name is made for each weight of each layer
        raise CheckpointError(f"{file}: n_layer is {short(config.n_layer)}, and it holds {len(found)} weights in all")
    wanted = config.weights()
    missing = sorted(wanted.keys() - found.keys())
    foreign = sorted(found.keys() - wanted.keys(), key=str)
    if missing:
        raise CheckpointError(f"{file}: {len(missing)} weights are missing, first {missing[0]!r}; fetch a whole file")
    if foreign:
        raise CheckpointError(
            f"{file}: {len(foreign)} unknown weights, first {short(foreign[0])}; the file belongs to another network"
        )
    for name, shape in wanted.items():
        if found[name] != shape:
            raise CheckpointError(f"{file}: {name} has shape {short(found[name])}, its config says {short(shape)}")


def check_tensors(file: Path, weights: Mapping[Any, Any]) -> dict[str, Shape]:
    """Shapes of the weights, once each is a plain tensor that is really there. Raises CheckpointError."""
    import torch

    values, held = 0, file.stat().st_size
    for name, weight in weights.items():
        if not isinstance(name, str) or not isinstance(weight, torch.Tensor):
            raise CheckpointError(f"{file}: {short(name)} is not a named weight; the file belongs to another network")
        if weight.layout != torch.strided or weight.device.type != "cpu" or weight.is_quantized or weight.is_nested:
            raise CheckpointError(f"{file}: {name} is not stored as plain numbers; save it again as a dense tensor")
        if not weight.is_floating_point():
            raise CheckpointError(f"{file}: {name} is stored as {weight.dtype}; weights must be floating point")
        values += weight.numel()
    if values > held:  # tensors may say that they repeat a single number
        raise CheckpointError(f"{file}: {values} numbers cannot lie in {held} bytes; fetch it again")
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def check_vocabulary(file: Path, encoder: EncoderConfig, config: GPT2Config) -> EncoderConfig:
    """The encoder configuration itself, once its tokens are those of the network. Raises CheckpointError."""
    tokens = sum(size for _, size in encoder.token_domains)
    if tokens != config.vocab_size:
        raise CheckpointError(
            f"{file}: encoder_config has {short(tokens)} tokens, the network {config.vocab_size}; they do not belong "
            "together"
        )
    return encoder
