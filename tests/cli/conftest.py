"""What tests of the commands share: a tiny random model in a file, a song in a file, and the command itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("torch")


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of a tiny model with random weights."""
    from tiny import engine

    from midigpt_core.model.checkpoint import save_checkpoint

    file = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    loaded = engine()
    save_checkpoint(file, loaded.model, loaded.tokenizer.config)
    return str(file)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A song of 12 bars: drums, bass and piano."""
    from tiny import song as made

    file = tmp_path / "song.mid"
    made().to_midi(file)
    return file


@pytest.fixture
def midigpt(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Run the command line in this process."""
    monkeypatch.delenv("MIDIGPT_MODEL", raising=False)

    def call(*words: object) -> Answer:
        from midigpt_cli.main import run

        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return call


@pytest.fixture
def shell(tmp_path: Path, model: str) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a line of shell in the song's folder; `midigpt` is the command, $MODEL the tiny model."""
    if sys.platform == "win32":
        pytest.skip("the lines are written for a POSIX shell")
    head = f'midigpt() {{ "{sys.executable}" -m midigpt_cli.main "$@"; }}; MODEL="{model}"; set -o pipefail; '

    def call(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", head + line], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return call
