"""Build the optional compiled twins of `cython_ext/*.pyx`; every setting but these lives in pyproject.toml."""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup

SOURCES = sorted(Path("cython_ext").glob("*.pyx"))
INCLUDED = sorted(str(path) for path in Path("cython_ext").iterdir() if path.suffix in (".pxi", ".h"))


def extensions() -> list[Extension]:
    """One extension `midigpt_core._fast_<name>` per .pyx file, or none where MIDIGPT_PURE=1 asks for plain Python."""
    if os.environ.get("MIDIGPT_PURE") == "1" or not SOURCES:
        return []
    from Cython.Build import cythonize

    flags = [] if os.name == "nt" else ["-O3", "-ffp-contract=off"]  # no fused sums: same numbers on every machine
    link = [] if os.name == "nt" else ["-pthread"]
    modules = [
        Extension(f"midigpt_core._fast_{path.stem}", [str(path)], extra_compile_args=flags, extra_link_args=link)
        for path in SOURCES
    ]
    built = cythonize(modules, language_level=3, annotate=False)
    for module, path in zip(built, SOURCES, strict=True):
        module.optional = True  # no compiler: the package still installs, and the Python reference runs
        module.depends += [str(path), *INCLUDED]  # so that the source archive carries the .pyx
    return built


setup(ext_modules=extensions())
