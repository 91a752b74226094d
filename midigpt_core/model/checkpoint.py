"""Read and write checkpoints: a network and its encoder configuration in one file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_core.errors import CheckpointError, CheckpointMissingError, EncoderConfigError, short
from midigpt_core.files import whole
from midigpt_core.model import legacy
from midigpt_core.model.checkpoint_checks import (
    LARGEST_HEADER,
    check_entry,
    check_plain,
    check_tensors,
    check_vocabulary,
    check_weights,
)
from midigpt_core.model.device import pick_device, pick_dtype, runs_on_processor
from midigpt_core.model.shape import GPT2Config
from midigpt_core.model.tgz import unpacked

if TYPE_CHECKING:
    import torch

    from midigpt_core.model.base import LanguageModel
    from midigpt_core.model.gpt2 import GPT2
    from midigpt_core.tokens.encoder_config import EncoderConfig
    from midigpt_core.tokens.places import Places, PlaceSizes

FORMAT_VERSION = "2"
ARCH = "gpt2"
_NUMPY_FLOATS = {"F16", "F32", "F64"}
_WAY_OUT = "use a .safetensors checkpoint, a packed .pt bundle, or a folder of config.json and model.pt"


@dataclass(frozen=True)
class Checkpoint:
    """A model and the encoder configuration it was trained with."""

    encoder_config: EncoderConfig
    model: GPT2


def load_checkpoint(
    path: str | os.PathLike[str], device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> Checkpoint:
    """Load a `.safetensors` file, a packed `.pt` bundle, a legacy folder or a .tgz of one of the files.

    `dtype` None means float32.

    Raises CheckpointError naming what is missing, truncated, foreign or mismatched.
    """
    import torch

    file = unpacked(Path(path))
    if not file.exists():
        raise CheckpointMissingError(f"{file}: no such file or folder; {_WAY_OUT}")
    if file.is_dir():
        encoder, config, weights = legacy.read_folder(file)
        model = _build(file / "model.pt", config, weights)
    elif file.suffix == ".safetensors":
        encoder, model = _read_safetensors(file)
    elif file.suffix == ".pt":
        bundle = legacy.read_bundle(file)
        _check_arch(file, bundle.get("arch") or ARCH)
        encoder, shape = bundle.get("encoder_config"), _shape(file, bundle["config"])
        model = _build(file, shape, bundle["state_dict"])
    else:
        raise CheckpointError(f"{file}: {file.suffix!r} is not an ending of checkpoints; {_WAY_OUT}")
    known = _encoder_config(file, encoder, model.config)
    ready = model.to(device=device, dtype=dtype or torch.float32).eval()
    if ready.config.places:
        ready.places = _places(known, ready.config.places)
    return Checkpoint(known, ready)


def load_for_use(
    path: str | os.PathLike[str], device: str = "auto", dtype: str = "auto"
) -> tuple[EncoderConfig, LanguageModel]:
    """A checkpoint to write music with: as the compiled decoder, without torch, where that is what would run anyway.

    device, dtype: as `pick_device` and `pick_dtype` take them. Raises CheckpointError as `load_checkpoint` does, or
    RequestValidationError for these words.
    """
    path = unpacked(Path(path))
    fast = _read_fast(path) if runs_on_processor(device, dtype) else None
    if fast is not None:
        return fast
    from midigpt_core.model.threads import apply_threads

    apply_threads()
    place = pick_device(device)
    checkpoint = load_checkpoint(path, device=place, dtype=pick_dtype(dtype, place))
    checkpoint.model.exact = dtype != "auto"
    return checkpoint.encoder_config, checkpoint.model


def _read_fast(file: Path) -> tuple[EncoderConfig, LanguageModel] | None:
    """None where torch has to read it: another format, numbers numpy does not know, no compiled decoder."""
    from midigpt_core.model.compiled_model import FastModel, kernels_for

    if file.suffix != ".safetensors" or not file.is_file():
        return None
    header = _header(file)
    meta = _metadata(file, header.pop("__metadata__", None))
    config = _shape(file, _parsed(file, "config", meta))
    check_weights(file, config, {name: tuple(entry["shape"]) for name, entry in header.items()})
    encoder = _encoder_config(file, _parsed(file, "encoder_config", meta), config)
    kernels = kernels_for(config)
    if kernels is None or not {entry["dtype"] for entry in header.values()} <= _NUMPY_FLOATS:
        return None
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        places = _places(encoder, config.places) if config.places else None
        model = FastModel(config, load_file(file), kernels, places)
    except (SafetensorError, OSError) as error:
        raise _unreadable(file, error) from error
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {str(error)[:500]}") from error
    return encoder, model


def save_checkpoint(path: str | os.PathLike[str], model: GPT2, encoder_config: EncoderConfig | dict[str, Any]) -> None:
    """Write a `.safetensors` checkpoint (format_version 2), weights in the model's own dtype.

    The file appears whole or not at all. Raises CheckpointError for another suffix.
    """
    from safetensors.torch import save_file

    file = Path(path)
    if file.suffix != ".safetensors":
        raise CheckpointError(f"{file}: checkpoints are written as .safetensors; choose a name that ends so")
    encoder = encoder_config if isinstance(encoder_config, dict) else encoder_config.to_dict()
    metadata = {
        "format_version": FORMAT_VERSION,
        "arch": ARCH,
        "config": json.dumps(model.config_dict()),
        "encoder_config": json.dumps(encoder),
    }
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    with whole(file) as partial:
        save_file(weights, partial, metadata=metadata)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a `.safetensors` checkpoint says of itself, held against the weights it has; without torch, none is read.

    Returns config (network shape), encoder_config, dtype (of the stored weights), parameters, bytes. Raises
    CheckpointError.
    """
    file = Path(path)
    meta, _, header = _described(file)
    return {
        "config": _parsed(file, "config", meta),
        "encoder_config": _parsed(file, "encoder_config", meta),
        "dtype": "+".join(sorted({str(entry["dtype"]).lower() for entry in header.values()})),
        "parameters": sum(math.prod(entry["shape"]) for entry in header.values()),
        "bytes": file.stat().st_size,
    }


def _read_safetensors(file: Path) -> tuple[Any, GPT2]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    meta, config, _ = _described(file)
    try:
        weights = load_file(file, device="cpu")
    except (SafetensorError, OSError) as error:
        raise _unreadable(file, error) from error
    return _parsed(file, "encoder_config", meta), _build(file, config, weights)


def _described(file: Path) -> tuple[dict[str, str], GPT2Config, dict[str, Any]]:
    """Metadata, shape and tensors of a `.safetensors` file, which agree. Raises CheckpointError."""
    header = _header(file)
    meta = _metadata(file, header.pop("__metadata__", None))
    config = _shape(file, _parsed(file, "config", meta))
    check_weights(file, config, {name: tuple(entry["shape"]) for name, entry in header.items()})
    return meta, config, header


def _unreadable(file: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{file}: the weights cannot be read ({error}); fetch the file again")


def _shape(file: Path, data: Any) -> GPT2Config:
    check_plain(file, data)
    try:
        return GPT2Config.from_dict(data)
    except TypeError as error:
        raise CheckpointError(f"{file}: model config {short(data)} does not fit GPT-2: {error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {str(error)[:500]}") from error


def _build(file: Path, config: GPT2Config, weights: Mapping[str, Any]) -> GPT2:
    """The network of this shape with these weights, in float32, names and shapes checked first."""
    import torch

    from midigpt_core.model.gpt2 import GPT2

    check_weights(file, config, check_tensors(file, weights))
    with torch.device("meta"), _uninitialised():
        model = GPT2(config)
    model.load_state_dict({name: value.detach().float() for name, value in weights.items()}, assign=True)
    return model


def _uninitialised() -> AbstractContextManager[Any]:
    """While it lasts, modules are made without drawing weights: on the meta device that imports a compiler, seconds."""
    from torch.overrides import TorchFunctionMode

    class Uninitialised(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if getattr(func, "__module__", "") == "torch.nn.init":
                return args[0] if args else kwargs["tensor"]
            return func(*args, **(kwargs or {}))

    return Uninitialised()


def _encoder_config(file: Path, data: Any, config: GPT2Config) -> EncoderConfig:
    from midigpt_core.tokens.encoder_config import EncoderConfig

    if data is None:
        raise CheckpointError(f"{file}: 'encoder_config' is missing; without it no song can be turned into tokens")
    try:
        encoder = EncoderConfig.from_dict(json.loads(data) if isinstance(data, str) else data)
    except (EncoderConfigError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: encoder_config: {str(error)[:500]}") from error
    return check_vocabulary(file, encoder, config)


def _places(encoder: EncoderConfig, sizes: PlaceSizes) -> Places:
    from midigpt_core.tokens.places import Places
    from midigpt_core.tokens.vocabulary import Vocabulary

    return Places(Vocabulary(encoder), sizes)


# ---- the .safetensors header: eight bytes of length, then JSON ----


def _header(file: Path) -> dict[str, Any]:
    """Tensor name -> dtype, shape, data_offsets; and `__metadata__`. Raises CheckpointError if cut off or foreign."""
    try:
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            total = file.stat().st_size
            header = json.loads(stream.read(size) if size <= min(total - 8, LARGEST_HEADER) else b"")
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        for name, entry in tensors.items():
            check_entry(name, entry, total - 8 - size)
        end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    except CheckpointError:
        raise  # of an entry, by its name
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{file}: not a .safetensors file, or cut off in its header; fetch it again") from error
    if total < 8 + size + end:
        raise CheckpointError(f"{file}: truncated: {total} of {8 + size + end} bytes; fetch it again")
    return dict(header)


def _metadata(file: Path, meta: Any) -> dict[str, str]:
    if not isinstance(meta, dict) or "format_version" not in meta:
        raise CheckpointError(f"{file}: format_version is missing: bare weights, not a checkpoint; {_WAY_OUT}")
    if meta["format_version"] != FORMAT_VERSION:
        found = meta["format_version"]
        raise CheckpointError(f"{file}: format_version is {short(found)}; this program reads {FORMAT_VERSION!r}")
    _check_arch(file, meta.get("arch", ARCH))
    return meta


def _check_arch(file: Path, arch: Any) -> None:
    if arch != ARCH:
        raise CheckpointError(f"{file}: arch is {short(arch)}; this program knows {ARCH!r}")


def _parsed(file: Path, key: str, meta: Mapping[str, str]) -> Any:
    if key not in meta:
        raise CheckpointError(f"{file}: {key!r} is missing from its metadata; save it again with one")
    try:
        return json.loads(meta[key])
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{file}: {key!r} is not JSON ({error})") from error
