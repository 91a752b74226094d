"""Find the compiled twin of a readable reference, where one was built and is wanted."""

from __future__ import annotations

import importlib
import os
from types import ModuleType


def compiled(name: str) -> ModuleType | None:
    """The module `midigpt_core._fast_<name>`, or None: not built, or MIDIGPT_PURE=1 asks for the reference."""
    if os.environ.get("MIDIGPT_PURE") == "1":
        return None
    try:
        return importlib.import_module(f"midigpt_core._fast_{name}")
    except ImportError:
        return None
