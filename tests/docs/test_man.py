"""The man pages say what the help says, and read as man pages."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

DOCS = Path(__file__).resolve().parents[2] / "docs"
MAKER = runpy.run_path(str(DOCS / "make_man.py"))
WRITTEN = {page.name: page.read_text(encoding="utf-8") for page in (DOCS / "man").glob("*.1")}


def test_the_man_pages_are_up_to_date() -> None:
    if f"{MAKER['MADE_WITH']}{typer.__version__}." not in WRITTEN["midigpt.1"]:
        pytest.skip(f"docs/man was made with another typer than {typer.__version__}")
    assert MAKER["pages"]() == WRITTEN, "run python docs/make_man.py"


def test_every_command_and_option_has_its_place() -> None:
    from midigpt_cli.main import COMMANDS

    assert {f"midigpt-{name}.1" for name in COMMANDS} | {"midigpt.1"} == set(WRITTEN)
    assert ".B \\-n, \\-\\-takes, " in WRITTEN["midigpt-infill.1"]
    assert "MIDIGPT MODELS PULL" in WRITTEN["midigpt-models.1"]


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_say_against_them() -> None:
    words = ["groff", "-man", "-Tutf8", "-ww", *(str(DOCS / "man" / name) for name in sorted(WRITTEN))]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "midigpt infill song.mid --bars 4-8" in done.stdout
