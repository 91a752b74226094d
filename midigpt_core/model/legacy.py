"""Read the older checkpoint forms: the packed .pt bundle, and the folder of config.json and TorchScript model.pt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from midigpt_core.errors import CheckpointError, short
from midigpt_core.model.archive import Module, is_program, plain, read_code, read_object
from midigpt_core.model.shape import GPT2Config

BUNDLE_VERSION = 1
_BUFFERS = (".attn.bias", ".attn.masked_bias")  # causal masks that old files carry among the weights
_PROGRAM = "it is a TorchScript program; put it as model.pt into a folder beside its config.json"
_LARGEST_JSON = 16 << 20  # bytes
_MOST_MODULES = 20_000
_HEADS = ("n_head", "num_heads", "num_attention_heads", "n_heads")
_LIST = re.compile(r"(?P<view>torch\.(?:view|reshape)\(\w+, )?\[(?P<items>[^\[\]]{1,1000})\]")


def read_bundle(file: Path) -> dict[str, Any]:
    """A packed bundle's dict (config, encoder_config, state_dict, arch), version checked. Raises CheckpointError."""
    if is_program(file):
        raise CheckpointError(f"{file}: refused: {_PROGRAM}")
    bundle = read_object(file)
    if not isinstance(bundle, dict) or not isinstance(bundle.get("state_dict"), Mapping):
        raise CheckpointError(f"{file}: not a packed bundle: no state_dict in it")
    weights = without_buffers(bundle["state_dict"])
    settings: dict[str, Any] = plain(file, {key: value for key, value in bundle.items() if key != "state_dict"})
    if settings.get("format_version") != BUNDLE_VERSION:
        found = settings.get("format_version")
        raise CheckpointError(f"{file}: format_version is {short(found)}; a packed .pt bundle has {BUNDLE_VERSION}")
    if not isinstance(settings.get("config"), dict):
        raise CheckpointError(f"{file}: 'config' (the network's shape) is missing from the bundle; save it with one")
    return {**settings, "state_dict": weights}


def read_folder(folder: Path) -> tuple[Any, GPT2Config, dict[str, Any]]:
    """Encoder configuration (as JSON gave it), shape and weights of a legacy folder. Raises CheckpointError.

    The program in it is not run. Its weights do not tell the number of heads: `n_head` in config.json does, else an
    attribute of the program, else the text of its code.
    """
    for name in ("config.json", "model.pt"):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: {name} is missing; a legacy folder holds config.json and model.pt")
    encoder = _read_json(folder / "config.json")
    file = folder / "model.pt"
    if not is_program(file):
        raise CheckpointError(f"{file}: not a TorchScript model, or cut off; fetch it again")
    program = read_object(file)
    if not isinstance(program, Module):
        raise CheckpointError(f"{file}: not a TorchScript model")
    found = dict(_flat(file, program))
    weights = without_buffers({name: value for name, value in found.items() if hasattr(value, "shape")})
    weights.setdefault("lm_head.weight", weights.get("transformer.wte.weight"))
    vocab_size, n_positions, width, n_layer = _sizes(file, weights)
    told = encoder.get("n_head") if isinstance(encoder, dict) else None
    return encoder, GPT2Config(vocab_size, n_positions, width, n_layer, told or _heads(file, found, width)), weights


def without_buffers(weights: Mapping[Any, Any]) -> dict[Any, Any]:
    """The weights alone: old files keep causal masks among them."""
    return {name: value for name, value in weights.items() if not (isinstance(name, str) and name.endswith(_BUFFERS))}


def _read_json(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            return json.loads(stream.read(_LARGEST_JSON))
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(f"{file}: not readable as JSON ({short(str(error))})") from error


def _flat(file: Path, program: Module) -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of everything in the program's modules."""
    waiting, left = [("", program)], _MOST_MODULES
    while waiting:
        path, module = waiting.pop()
        left -= 1
        if left < 0 or len(path) > 500:
            raise CheckpointError(f"{file}: refused: its modules are nested too deeply, or too many")
        for name, value in module.state.items():
            if isinstance(value, Module):
                waiting.append((f"{path}{name}.", value))
            else:
                yield f"{path}{name}", value


def _sizes(file: Path, weights: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """vocab_size, n_positions, n_embd and n_layer, as the weights have them."""
    try:
        vocab_size, width = weights["transformer.wte.weight"].shape
        n_positions = weights["transformer.wpe.weight"].shape[0]
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise CheckpointError(f"{file}: weight {error} is missing; the program is not a GPT-2") from error
    return vocab_size, n_positions, width, len({n.split(".")[2] for n in weights if n.startswith("transformer.h.")})


def _heads(file: Path, found: Mapping[str, Any], width: int) -> int:
    named = {value for name, value in found.items() if name.rpartition(".")[2] in _HEADS and type(value) is int}
    said = named or {count for text in read_code(file) for count in _heads_of_views(text, width)}
    if len(said) != 1:
        raise CheckpointError(
            f'{file}: the number of attention heads cannot be told from it; add "n_head" to its config.json'
        )
    return int(said.pop())


def _heads_of_views(text: str, width: int) -> Iterator[int]:
    """Heads by which code splits the width: the last two numbers of a shape of four dimensions or more."""
    for shape in _LIST.finditer(text):
        parts = [part.strip() for part in shape["items"].split(",") if part.strip()]
        if len(parts) < 4:
            continue
        heads, inside = (int(part) if re.fullmatch(r"-?\d{1,9}", part) else 0 for part in parts[-2:])
        if heads > 0 and inside > 0:
            if heads * inside == width:
                yield heads
        elif shape["view"] and max(heads, inside) > 0 and width % max(heads, inside) == 0:
            yield heads if heads > 0 else width // inside
