"""Where the models of a server lie on its disk is told to nobody."""

from __future__ import annotations

import pytest
from serving import client_of, midi, wish
from tiny import engine

from midigpt_cli.commands.serve import Served, _specs
from midigpt_cli.server.loaded_models import ModelSpec
from midigpt_core.model.checkpoint import save_checkpoint

ASKED = ("/models", "/info", "/model/config", "/model/status", "/status", "/health", "/ready", "/metrics", "/jobs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model, and one that is none."""
    made = tmp_path_factory.mktemp("models")
    save_checkpoint(made / "other.safetensors", engine().model, engine().tokenizer.config)
    (made / "broken.safetensors").write_bytes(b"no model")
    return made


def test_no_answer_tells_the_folder_of_a_model(folder):
    paths = [str(folder / f"{name}.safetensors") for name in ("broken", "missing", "other")]
    with client_of(allow_model=tuple(paths)) as client:
        answers = [client.post("/model/select", json={"model": path}) for path in paths]
        assert [answer.status_code for answer in answers] == [422, 422, 200]
        assert answers[-1].json()["checkpoint"] == "other.safetensors"
        answers.append(client.post("/model/select", json={"model": paths[0], "id": "other"}))
        answers.append(client.post("/generate", json=wish()))
        answers.append(client.post("/infill", files={"file": midi()}, data={"bars": "5", "track": "2"}))
        answers.append(client.post("/jobs", json=wish()))
        answers.append(client.get(f"/jobs/{answers[-1].json()['id']}"))
        answers += [client.get(path) for path in ASKED]
    assert all(answer.status_code < 500 for answer in answers)
    assert [str(answer.url) for answer in answers if str(folder) in answer.text] == []


@pytest.mark.parametrize("local", [True, False])
def test_a_model_named_by_its_path_at_the_start_is_told_by_its_file_alone(folder, local):
    file = str(folder / "other.safetensors")
    assert ModelSpec("ours", file, local=local, device="cpu").load(1).label == "other.safetensors"


def test_a_default_model_that_is_a_path_is_served_under_its_name(folder, monkeypatch):
    file = str(folder / "other.safetensors")
    monkeypatch.setenv("MIDIGPT_MODEL", file)
    assert [spec.id for spec in _specs(Served())] == ["other"]
    assert [spec.id for spec in _specs(Served(pretrained=file))] == ["other"]
    assert [spec.id for spec in _specs(Served(pretrained="owner/repo"))] == ["owner/repo"]
