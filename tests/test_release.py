"""What would be published is complete: licences, credits, types, links; wheels are tagged by what is in them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path
from types import ModuleType

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")]
SOURCE = "https://example.org/us/midigpt"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone holds, C files that were made before included."""
    folder = tmp_path_factory.mktemp("clone") / "midigpt"
    leave = shutil.ignore_patterns("*.so", "__pycache__", "build", ".git*", "*.egg-info", ".*_cache", "tests")
    shutil.copytree(ROOT, folder, ignore=leave, copy_function=shutil.copy2)
    return folder


def wheel(checkout: Path, **more: str) -> Path:
    out = checkout / f"dist-{'-'.join(more)}"
    environment = {**os.environ, "MIDIGPT_SOURCE_URL": SOURCE, **more}
    words = [sys.executable, "setup.py", "-q", "bdist_wheel", "-d", str(out)]
    done = subprocess.run(words, cwd=checkout, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [file] = out.glob("*.whl")
    return file


def test_a_wheel_carries_licences_credits_types_and_links_that_work_elsewhere(checkout: Path) -> None:
    made = wheel(checkout, MIDIGPT_PURE="1")
    assert made.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(made) as held:
        names = held.namelist()
        told = message_from_string(held.read(next(n for n in names if n.endswith("METADATA"))).decode())
    inside = {"midigpt_core/py.typed", "midigpt_core/weights/open.safetensors", "midigpt_core/weights/CREDITS.txt"}
    assert inside <= set(names)
    pages = {Path(name).name for name in names if "/data/share/man/man1/" in name}
    assert pages == {page.name for page in (ROOT / "docs" / "man").glob("*.1")} > {"midigpt.1", "midigpt-infill.1"}
    licences = {name.partition("/licenses/")[2] for name in names if "/licenses/" in name}
    ours = {"LICENSE", "MODEL_CARD.md", "midigpt_core/weights/LICENSE.txt", "midigpt_core/weights/CC-BY-SA-4.0.txt"}
    assert ours <= licences
    assert any(name.startswith("midigpt_core/weights/licences/") for name in licences)
    assert told["License-Expression"] == "MIT AND CC-BY-SA-4.0"
    assert f"Source, {SOURCE}" in told.get_all("Project-URL")
    links = re.findall(r"\]\(([^)]+)\)", told.get_payload())
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert f"{SOURCE}/raw/main/benchmarks/results/decode.svg" in links


@pytest.mark.slow
def test_a_wheel_made_without_a_compiler_is_one_for_any_machine(checkout: Path) -> None:
    assert wheel(checkout, CC="/bin/false").name.endswith("-py3-none-any.whl")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        place, _, _ = link.partition("#")
        if place and not re.match(r"\w+:", place) and not (page.parent / place).exists():
            broken.append(link)
    assert broken == []


def test_the_requirements_of_the_readme_are_those_of_the_package_without_torch() -> None:
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = tables["optional-dependencies"]
    sound = [need for need in extras["live"] if need.startswith("sounddevice")]
    needs = [need for need in tables["dependencies"] if not need.startswith("torch")]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = [line.replace("'", '"') for line in lines if not line.startswith("#")]
    assert listed == [need.replace("'", '"') for need in [*needs, *extras["serve"], *extras["audio"], *sound]]


def test_readme_stays_as_it_is_where_nobody_says_where_the_source_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    maker = _setup()
    assert maker.readme("") == (ROOT / "README.md").read_text(encoding="utf-8")
    assert maker.urls("") == {}


def _setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_of_midigpt", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
