"""What tests share: where the corpus and the encoder files are, and why a test that needs them was skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared"


def corpus() -> Path:
    """The folder that holds the corpus' <source> folders of .mid files; skips the test where there is none."""
    return _folder("MIDIGPT_CORPUS", _BESIDE / "corpus" / "corpus")


def encoders() -> Path:
    """The folder of the published encoder configurations; skips the test where there is none."""
    return _folder("MIDIGPT_PARITY", _BESIDE / "parity" / "encoders")


def songs(count: int, stride: int = 97) -> list[Path]:
    """`count` songs spread over the corpus, the same ones every time."""
    found = sorted(corpus().glob("*/*.mid"))
    return found[::stride][:count]


def _folder(variable: str, default: Path) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f"set {variable} to run this: {folder} is not there")
    return folder
