"""The commands around training: from songs to a packed model without leaving the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midigpt_cli.main import run

SETTINGS = """
windows_per_step = 2
batch_tokens = 512
workers = 0
threads = 1
valid_windows = 2
precision = "32-true"
[model]
n_embd = 16
n_layer = 1
n_head = 2
n_positions = 512
[windows]
budgets = { 256 = 1.0 }
"""


def test_songs_become_a_packed_model(songs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lightning_fabric", reason="training needs the train extra")
    data, out, settings = tmp_path / "data", tmp_path / "run", tmp_path / "s.toml"
    settings.write_text(SETTINGS)
    assert run(["train", "prepare", *map(str, songs[:4]), "-o", str(data), "--processes", "1", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["pieces"] == 4
    assert run(["train", "run", str(data), "-o", str(out), "--config", str(settings), "--steps", "2"]) == 0
    said = capsys.readouterr()
    assert "2 steps" in said.out
    assert "held-out loss" in said.out
    assert "held-out loss" in said.err
    packed = tmp_path / "packed" / "mine.safetensors"
    assert run(["models", "pack", str(out), "-o", str(packed), "--licence", "CC0-1.0", "--data", str(data)]) == 0
    assert json.loads(packed.with_suffix(".json").read_text())["licence"] == "CC0-1.0"


@pytest.mark.parametrize("time", ["soon", "-3m", "0", "nan", "inf"])
def test_a_time_budget_that_is_no_time_is_a_usage_error(tmp_path: Path, time: str) -> None:
    assert run(["train", "run", str(tmp_path), "-o", str(tmp_path / "o"), f"--time-budget={time}"]) == 2


def test_a_folder_that_is_no_data_set_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "run", str(tmp_path), "-o", str(tmp_path / "o")]) == 1
    assert "midigpt train prepare" in capsys.readouterr().err
