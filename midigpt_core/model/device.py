"""Choose where a model runs and in which floating type, from the words a user gives."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from midigpt_core.fields import refused

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")


_DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd", "/proc/driver/nvidia")


def runs_on_processor(device: str, dtype: str) -> bool:
    """Whether these words certainly mean the compiled decoder on the CPU, decided without torch."""
    return dtype == "auto" and (device == "cpu" or (device == "auto" and not _may_have_accelerator()))


def _may_have_accelerator() -> bool:
    """Whether torch is there and needed to decide: on a Mac, or where a driver that it supports may be present."""
    if find_spec("torch") is None:
        return False
    if sys.platform == "darwin":
        return True
    return any(Path(driver).exists() for driver in _DRIVERS) or shutil.which("nvidia-smi") is not None


def pick_device(word: str) -> torch.device:
    """The device meant by "auto" (CUDA before MPS before the CPU), "cpu", "cuda", "cuda:1" or "mps".

    Raises RequestValidationError for a word that is none, or a device this machine lacks.
    """
    kind, colon, number = word.partition(":") if isinstance(word, str) else ("", "", "")
    if kind not in DEVICES or (colon and (kind == "auto" or not number.isdecimal())):
        raise refused("device", word, "is not known", f"use {', '.join(DEVICES)}, or cuda:1")
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if word == "auto":
        word = kind = next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[kind] or (kind == "cuda" and colon and int(number) >= torch.cuda.device_count()):
        raise refused("device", word, "is not available on this machine", "use cpu, or auto")
    return torch.device(word)


def pick_dtype(word: str, device: torch.device) -> torch.dtype:
    """The dtype meant by "auto" (float32, which every device has) or by its name.

    Raises RequestValidationError for an unknown word.
    """
    import torch

    if word not in DTYPES:
        raise refused("dtype", word, "is not known", f"use {', '.join(DTYPES)}")
    return torch.float32 if word == "auto" else getattr(torch, word)
