"""Read the older checkpoint forms: the packed .pt bundle, and the folder of config.json and TorchScript model.pt."""

from __future__ import annotations

import json
import math
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_core.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from midigpt_core.model.gpt2 import GPT2

BUNDLE_VERSION = 1
_BUFFERS = (".attn.bias", ".attn.masked_bias")  # causal masks that old files carry among the weights
_PROGRAM = "it is a TorchScript program; put it as model.pt into a folder beside its config.json"
_PROBE = (0, 3, 1, 2, 0, 1)  # tokens on which the program and its reading are compared
_TOLERANCE = 1e-3
_SMALLEST_HEAD = 4


def read_bundle(file: Path) -> dict[str, Any]:
    """A packed bundle's dict (config, encoder_config, state_dict, arch), version checked. Raises CheckpointError."""
    bundle = _unpickle(file)
    if not isinstance(bundle, dict) or not isinstance(bundle.get("state_dict"), Mapping):
        raise CheckpointError(f"{file}: not a packed bundle: no state_dict in it")
    if bundle.get("format_version") != BUNDLE_VERSION:
        found = bundle.get("format_version")
        raise CheckpointError(f"{file}: format_version is {found!r}; a packed .pt bundle has {BUNDLE_VERSION}")
    if not isinstance(bundle.get("config"), dict):
        raise CheckpointError(f"{file}: 'config' (the network's shape) is missing from the bundle; save it with one")
    return {**bundle, "state_dict": without_buffers(bundle["state_dict"])}


def read_folder(folder: Path) -> tuple[Any, GPT2]:
    """Encoder configuration (as JSON gave it) and network of a legacy folder. Raises CheckpointError."""
    import torch

    for name in ("config.json", "model.pt"):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: {name} is missing; a legacy folder holds config.json and model.pt")
    try:
        encoder = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{folder / 'config.json'}: not readable as JSON ({error})") from error
    try:
        program = torch.jit.load(str(folder / "model.pt"), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{folder / 'model.pt'}: not a TorchScript model ({_first_line(error)})") from error
    return encoder, _network_of(folder / "model.pt", program.eval())


def without_buffers(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The weights alone: old files keep causal masks among them."""
    return {name: value for name, value in weights.items() if not name.endswith(_BUFFERS)}


def _unpickle(file: Path) -> Any:
    """The file's object, made of tensors and plain values only: nothing in it is run."""
    import torch

    if _is_program(file):
        raise CheckpointError(f"{file}: refused: {_PROGRAM}")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{file}: refused: {_why_unread(error)}") from error


def _is_program(file: Path) -> bool:
    """Whether this is a TorchScript archive: those, and only those, keep a table of constants."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())


def _why_unread(error: Exception) -> str:
    wanted = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
    if wanted:
        return f"reading it would run {wanted[1]}, not only tensors and plain values; convert it where you trust it"
    return f"truncated, or not a torch file ({_first_line(error)}); fetch it again"


def _network_of(file: Path, program: Any) -> GPT2:
    """The program's weights in our network; the number of heads, which no weight tells, by comparing the logits."""
    from midigpt_core.model.gpt2 import GPT2
    from midigpt_core.model.shape import GPT2Config

    weights = {name: value.detach().float() for name, value in without_buffers(program.state_dict()).items()}
    try:
        vocab_size, width = weights["transformer.wte.weight"].shape
        n_positions = weights["transformer.wpe.weight"].shape[0]
    except KeyError as error:
        raise CheckpointError(f"{file}: weight {error} is missing; the program is not a GPT-2") from error
    n_layer = len({name.split(".")[2] for name in weights if name.startswith("transformer.h.")})
    ids = [token % vocab_size for token in _PROBE]
    fits: list[tuple[float, GPT2]] = []
    for n_head in (n for n in range(1, width + 1) if width % n == 0 and width // n >= _SMALLEST_HEAD):
        config = GPT2Config(vocab_size, n_positions, width, n_layer, n_head)
        wanted = _program_logits(program, ids, config)
        if wanted is not None:
            network = GPT2(config).eval()
            network.load_state_dict(weights, strict=False)
            fits.append((float((network.logits(ids) - wanted).abs().max()), network))
    difference, best = min(fits, key=lambda fit: fit[0], default=(math.inf, None))
    if best is None or difference > _TOLERANCE:
        raise CheckpointError(f"{file}: its outputs fit no GPT-2 of {n_layer} layers, width {width}; another network")
    return best


def _program_logits(program: Any, ids: list[int], config: Any) -> Tensor | None:
    """What the program says to `ids` when its cache has this many heads; None if it refuses."""
    import torch

    empty = torch.zeros(1, config.n_head, 0, config.head_dim)
    row = torch.tensor([ids])
    for arguments in ((row, tuple((empty, empty) for _ in range(config.n_layer))), (row,)):
        try:
            with torch.no_grad():
                out = program(*arguments)
        except RuntimeError:
            continue
        logits: Tensor = (out[0] if isinstance(out, tuple) else out)[0].float()
        return logits
    return None


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:160]
