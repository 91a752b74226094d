"""How many processor threads a network may use: one setting for torch and for the compiled decoder."""

from __future__ import annotations

import os
import sys

_wanted = 0  # 0: as many as torch or the machine would take


def set_threads(count: int) -> None:
    """Use `count` threads from now on, whether or not torch is loaded yet."""
    global _wanted
    _wanted = count
    if "torch" in sys.modules:
        apply_threads()


def apply_threads() -> None:
    """Tell torch, once it is loaded, what was set before."""
    if _wanted:
        import torch

        torch.set_num_threads(_wanted)


def threads() -> int:
    """Threads of a decoder: as set, else as torch is set to; at most one per CPU."""
    if "torch" in sys.modules:
        import torch

        count = torch.get_num_threads()
    else:
        count = _wanted or _usual()
    return max(1, min(count, os.cpu_count() or 1))


def _usual() -> int:
    """What torch would take: OMP_NUM_THREADS, or the processors this process may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
