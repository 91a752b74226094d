"""Every block of README and docs runs as written, in order, in one empty folder with a copy of the samples.

Blocks of `sh` and `python` are run; `console` is for what never ends, or speaks to the hub. Lines that install are left
out: the folder's program is the one that is tested.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the serve extra")

from serving import Live, live_server

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(sh|bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INSTALLS = re.compile(r"^(python3 -m venv|pip install|pytest|npm|docker) ?.*$", re.MULTILINE)
SERVER = "http://localhost:8000"
NEEDS = {  # word in a block -> the module without which it cannot run here
    "midigpt transcribe": "basic_pitch",
    "midigpt render": "soundfile",
    "--format wav": "soundfile",
    "midigpt train": "lightning_fabric",
    "curl": "fastapi",
    "--cluster": "ray",
}
LONG = {"docs/finetuning.md"}


@pytest.fixture
def live() -> Iterator[Live]:
    """A server on a tiny model."""
    with live_server() as made:
        yield made


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of the blocks of a page that are run."""
    found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [(language, INSTALLS.sub("", text)) for language, text in found]


def test_the_first_command_of_the_readme_is_the_one_that_is_run() -> None:
    assert "midigpt infill samples/pop.mid" in blocks("README.md")[0][1]


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.slow) if page in LONG else page for page in PAGES if blocks(page)]
)
def test_the_blocks_of_a_page_run_as_written_in_order(
    page: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    if page != "README.md":  # the other pages speak of a song and a folder of one's own
        shutil.copy(ROOT / "samples" / "pop.mid", tmp_path / "song.mid")
        shutil.copytree(ROOT / "samples", tmp_path / "my-songs")
    here = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    here.pop("MIDIGPT_MODEL", None)
    for language, text in blocks(page):
        if any(word in text and importlib.util.find_spec(module) is None for word, module in NEEDS.items()):
            continue
        if SERVER in text:
            text = text.replace(SERVER, request.getfixturevalue("live").url)
        words = ["bash", "-euo", "pipefail", "-c", text] if language != "python" else [sys.executable, "-c", text]
        done = subprocess.run(words, cwd=tmp_path, env=here, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{text}\n{done.stderr}"
