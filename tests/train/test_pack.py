"""A packed model loads, is as good as it was, and says what it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from midigpt_cli import main
from midigpt_core.errors import TrainingError
from midigpt_core.model.checkpoint import load_checkpoint, save_checkpoint
from midigpt_core.model.gpt2 import GPT2
from midigpt_core.model.shape import GPT2Config
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train import pack as packing
from midigpt_core.train.pack import PackOptions, pack, push


@pytest.fixture
def run(encoder: EncoderConfig, tmp_path: Path) -> Path:
    """A run's folder: weights and a log."""
    torch.manual_seed(0)
    model = GPT2(GPT2Config(Vocabulary(encoder).size, 64, 16, 1, 2))
    save_checkpoint(tmp_path / "latest.safetensors", model, encoder)
    events = [
        {"kind": "valid", "step": 0, "tokens": 0, "losses": {"written": 6.7}},
        {"kind": "done", "step": 9, "tokens": 7200, "rate": 2.0},
        {"kind": "valid", "step": 9, "tokens": 7200, "losses": {"written": 5.5}},
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, events)))
    return tmp_path


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_packed_weights_load_and_say_nearly_the_same(run: Path, tmp_path: Path, dtype: str) -> None:
    facts = pack(run, tmp_path / "p" / "mine.safetensors", PackOptions("mine", "CC0-1.0", dtype))
    before = load_checkpoint(run / "latest.safetensors").model.logits([1, 2, 3])
    after = load_checkpoint(tmp_path / "p" / "mine.safetensors").model.logits([1, 2, 3])
    assert torch.allclose(before, after, atol=0.02)
    assert facts["bytes"] < 0.6 * (run / "latest.safetensors").stat().st_size


def test_eight_bit_weights_are_what_the_decoder_holds(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "p" / "mine.safetensors"
    assert main.run(["models", "pack", str(run), "-o", str(file), "--eight-bit"]) == 0
    plain, packed = (load_checkpoint(path).model for path in (run / "latest.safetensors", file))
    assert from_whole_codes(packed) < 0.1 < from_whole_codes(plain)
    assert torch.allclose(plain.logits([1, 2, 3]), packed.logits([1, 2, 3]), atol=0.02)


def from_whole_codes(model: GPT2) -> float:
    """How far a matrix is from whole steps of 1/127 of its columns' largest weight (16 inputs: one scale each)."""
    weight = model.state_dict()["transformer.h.0.mlp.c_fc.weight"].float()
    codes = weight * 127 / weight.abs().amax(0)
    return float((codes - codes.round()).abs().max())


def test_facts_and_card_tell_licence_checksum_training_and_sources(run: Path, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "p" / "mine.safetensors"
    pack(run, file, PackOptions("mine", "CC-BY-SA-4.0", data=str(data)))
    facts = json.loads(file.with_suffix(".json").read_text())
    assert facts["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert facts["training"]["hours"] == 1.0
    assert facts["training"]["held_out_last"]["written"] == 5.5
    card = (file.parent / "README.md").read_text()
    assert card.startswith("---\nlicense: cc-by-sa-4.0\n")
    assert "| easyrpg | " in card or "| own | " in card


def test_push_makes_the_repository_and_uploads_all_three_files(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    class Hub:
        def __init__(self, **_: Any) -> None:
            pass

        def create_repo(self, repo: str, private: bool, exist_ok: bool) -> str:
            calls.append((repo, private, exist_ok))
            return f"hub/{repo}"

        def upload_file(self, path_or_fileobj: str, path_in_repo: str, repo_id: str) -> None:
            assert Path(path_or_fileobj).exists()
            calls.append(path_in_repo)

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    file = tmp_path / "p" / "mine.safetensors"
    pack(run, file, PackOptions("mine"))
    assert push(file, "me/mine", private=True) == "hub/me/mine"
    assert calls == [("me/mine", True, True), "mine.safetensors", "mine.json", "README.md"]


def test_what_is_not_packed_is_not_pushed(run: Path) -> None:
    with pytest.raises(TrainingError, match="midigpt models pack"):
        push(run / "latest.safetensors", "me/mine")


def test_an_unknown_dtype_is_refused_by_name(run: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="int8"):
        pack(run, tmp_path / "m.safetensors", PackOptions("m", dtype="int8"))
    assert packing.run_facts(run / "nothing.jsonl") == {}


def test_a_packed_model_takes_the_place_of_nothing_unasked(run: Path, tmp_path: Path, capsys) -> None:
    words = ["models", "pack", str(run), "-o", str(tmp_path / "p" / "mine.safetensors")]
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "README.md").write_text("mine")
    assert main.run(words) == 2
    assert "--force" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "p").iterdir()] == ["README.md"]
    assert main.run([*words, "--force"]) == 0
    made = {file.name: file.stat().st_mode for file in (tmp_path / "p").iterdir()}
    assert set(made) == {"README.md", "mine.json", "mine.safetensors"}
    assert made["mine.safetensors"] == made["mine.json"]


def test_what_cannot_be_packed_is_said_in_a_sentence(run: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    file = tmp_path / "p" / "mine.safetensors"
    assert main.run(["models", "pack", str(run), "-o", str(file), "--dtype", "int8"]) == 2
    assert "--dtype = 'int8'" in capsys.readouterr().err

    def full(*_: Any, **__: Any) -> None:
        raise SafetensorError("I/O error: no space left")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    assert main.run(["models", "pack", str(run), "-o", str(file)]) == 1
    assert f"{file}: cannot be written: I/O error" in capsys.readouterr().err
    assert list(file.parent.iterdir()) == []


def test_a_hub_that_cannot_be_reached_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("x.safetensors", "x.json", "README.md"):
        (tmp_path / name).write_text("x")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(TrainingError, match=r"upload failed: the hub at http://127.0.0.1:9 cannot be reached") as told:
        push(tmp_path / "x.safetensors", "me/mine", token="x")
    assert "\n" not in str(told.value)
    with pytest.raises(TrainingError, match="write owner/name"):
        push(tmp_path / "x.safetensors", "me/mine/../x", token="x")
