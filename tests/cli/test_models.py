"""Rules of `midigpt models`, against a stand-in hub."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("huggingface_hub")
torch = pytest.importorskip("torch")

from typer.testing import CliRunner  # noqa: E402

from midigpt_cli.commands.models import app  # noqa: E402
from midigpt_core.errors import CheckpointError  # noqa: E402
from midigpt_core.model.checkpoint import save_checkpoint  # noqa: E402
from midigpt_core.model.gpt2 import GPT2  # noqa: E402
from midigpt_core.model.names import PUBLISHED  # noqa: E402
from midigpt_core.model.shape import GPT2Config  # noqa: E402
from tests.model.standin_hub import standin_hub  # noqa: E402
from tests.support import encoders  # noqa: E402


@pytest.fixture
def hub(monkeypatch, tmp_path):
    for variable in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "MIDIGPT_MODEL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("MIDIGPT_HOME", str(tmp_path / "home"))
    encoder = json.loads((encoders() / "yellow_encoder.json").read_text())
    save_checkpoint(tmp_path / "m.safetensors", GPT2(GPT2Config(647, 16, 8, 1, 2)), encoder)
    with standin_hub() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        served.repos[PUBLISHED] = {"yellow_medium-final.safetensors": (tmp_path / "m.safetensors").read_bytes()}
        yield served


def run(*arguments):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def answer(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


def test_pulled_model_is_listed_located_described_and_removed(hub):
    assert {row["name"]: row["bytes"] for row in answer("list")}["yellow"] is None
    pulled = answer("pull", "yellow")
    assert answer("path", "yellow") == pulled
    facts = answer("info", "yellow")
    assert (facts["n_embd"], facts["n_layer"], facts["num_bars_map"]) == (8, 1, [4, 8])
    assert {row["name"]: row["path"] for row in answer("list")}["yellow"] == pulled["path"]
    assert answer("rm", "yellow") == {"name": "yellow", "freed_bytes": pulled["bytes"]}
    with pytest.raises(CheckpointError, match="midigpt models pull yellow"):
        run("path", "yellow")


def test_model_from_another_repository_is_listed_by_its_place(hub):
    hub.repos["me/mine"] = {"a.safetensors": b"a"}
    run("pull", "me/mine:a.safetensors")
    assert "me/mine:a.safetensors" in [row["name"] for row in answer("list")]


def test_default_is_shown_and_changed(hub):
    assert answer("default") == {"default": "open"}
    assert answer("default", "yellow") == {"default": "yellow"}
    assert [row["name"] for row in answer("list") if row["default"]] == ["yellow"]


def test_table_for_people_has_every_name(hub):
    shown = run("list").stdout
    assert all(name in shown for name in ("open", "yellow", "yellow_small", "prism", "expressive"))


def test_own_files_are_never_removed(hub, tmp_path):
    with pytest.raises(CheckpointError, match="delete your own files yourself"):
        run("rm", str(tmp_path / "m.safetensors"))
    assert (tmp_path / "m.safetensors").exists()


def test_the_facts_of_a_model_are_two_columns(midigpt) -> None:
    lines = midigpt("models", "info", "open").out.splitlines()
    assert "supports_mask_bar_token" in {line.split()[0] for line in lines}
    assert len({len(line) - len(line.split(maxsplit=1)[1]) for line in lines}) == 1
