"""Where the compiled modules are missing, it is said once, with the way out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NO_EDITABLE_INSTALL = """import sys
sys.meta_path[:] = [each for each in sys.meta_path if not getattr(each, "__module__", "").startswith("__editable__")]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the packages as they are in a fresh clone: nothing compiled."""
    for package in ("midigpt_core", "midigpt_cli"):
        leave = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "*.safetensors")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=leave)
    (tmp_path / "cython_ext").mkdir()
    (tmp_path / "sitecustomize.py").write_text(NO_EDITABLE_INSTALL)  # it would find this checkout's compiled modules
    return tmp_path


def _run(folder: Path, *words: str, **more: str) -> str:
    asked = {name: value for name, value in os.environ.items() if name != "MIDIGPT_PURE"}
    environment = {**asked, "PYTHONPATH": str(folder), **more}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_checkout_without_compiled_modules_warns_once_and_says_how_to_build_them(checkout: Path) -> None:
    said = _run(
        checkout, "-c", "import midigpt_core.tokens.encode, midigpt_core.tokens.decode, midigpt_core.echo.mixture"
    )
    assert said.count("the compiled modules are missing") == 1
    assert f"pip install -e {checkout}" in said
    assert not _run(checkout, "-c", "import midigpt_core.tokens.encode", MIDIGPT_PURE="1")


def test_the_command_says_it_in_one_line(checkout: Path) -> None:
    song = str(ROOT / "samples" / "pop.mid")
    said = _run(checkout, "-m", "midigpt_cli.main", "plan", song, "-b", "5-8")
    assert said.startswith("midigpt: the compiled modules are missing in ")
    assert len(said.splitlines()) == 1
