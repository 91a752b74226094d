"""The site has every public name and every route, and is not built where a link leads nowhere."""

from __future__ import annotations

import importlib.util
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the serve extra")

import midigpt_core

ROOT = Path(__file__).resolve().parents[2]


def test_the_references_hold_every_public_name_and_every_route() -> None:
    maker = runpy.run_path(str(ROOT / "docs" / "make_site.py"))
    python, http = maker["python"](), maker["http"]()
    assert all(f".{name}\n" in python for name in midigpt_core.__all__)
    assert "## `POST /infill`" in http
    assert "| `bars` (form-data) |" in http
    assert "| `score` (json) | Score, required |" in http


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    for name in ("docs", "samples", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for page in [*ROOT.glob("*.md"), ROOT / "LICENSE"]:
        shutil.copy(page, tmp_path)
    for package in ("midigpt_core", "midigpt_cli"):
        (tmp_path / package).symlink_to(ROOT / package)
    build = [sys.executable, "docs/make_site.py"]
    assert subprocess.run(build, cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "build" / "site" / "html" / "docs" / "python.html").exists()
    with (tmp_path / "docs" / "loop.md").open("a") as page:
        page.write("\n[gone](gone.md)\n")
    broken = subprocess.run(build, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert broken.returncode == 1
    assert "gone.md" in broken.stderr
