"""docs/cli.md says what the commands say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import typer

MAKER = Path(__file__).resolve().parents[2] / "docs" / "make_cli.py"


def test_help_in_the_docs_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_cli", MAKER)
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    written = maker.PAGE.read_text(encoding="utf-8")
    if f"{maker.MADE_WITH}{typer.__version__}." not in written:
        pytest.skip(f"docs/cli.md was made with another typer than {typer.__version__}")
    assert written == maker.page(), "run: python docs/make_cli.py"
