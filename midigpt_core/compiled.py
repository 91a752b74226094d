"""Find the compiled twin of a readable reference, where one was built and is wanted; say once where it is missing."""

from __future__ import annotations

import importlib
import os
import warnings
from pathlib import Path
from types import ModuleType

_said: set[str] = set()


class NotCompiledWarning(RuntimeWarning):
    """The readable references run in place of the compiled modules, many times slower."""


def compiled(name: str) -> ModuleType | None:
    """The module `midigpt_core._fast_<name>`, or None: not built, or MIDIGPT_PURE=1 asks for the reference."""
    if os.environ.get("MIDIGPT_PURE") == "1":
        return None
    try:
        return importlib.import_module(f"midigpt_core._fast_{name}")
    except ImportError:
        _say()
        return None


def _say() -> None:
    """Warn, once in a process, with the way out."""
    if _said:
        return
    _said.add("said")
    package = Path(__file__).resolve().parent
    checkout = package.parent
    if (checkout / "cython_ext").is_dir():
        way = f"build them here with `pip install -e {checkout}`, or start Python in another folder"
    else:
        way = "install midigpt-cli again on a machine with a C compiler"
    warnings.warn(
        f"the compiled modules are missing in {package}, so everything runs up to 100 times slower; {way} "
        "(MIDIGPT_PURE=1 says that it is meant)",
        NotCompiledWarning,
        stacklevel=3,
    )
