"""Rules of model names and downloads, against a stand-in hub served by the test."""

from __future__ import annotations

import pytest

pytest.importorskip("huggingface_hub")

from midigpt_core.errors import CheckpointError
from midigpt_core.model import hub_cache, names
from midigpt_core.model.hub import resolve
from tests.model.standin_hub import standin_hub

REPO = names.PUBLISHED
FINAL = b"final weights " * 1000


@pytest.fixture
def hub(monkeypatch, tmp_path):
    for variable in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "MIDIGPT_MODEL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("MIDIGPT_HOME", str(tmp_path / "home"))
    with standin_hub() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        served.repos[REPO] = {
            "README.md": b"hello",
            "yellow_medium-step900.safetensors": b"900",
            "yellow_medium-final.safetensors": FINAL,
            "yellow_small-step90.safetensors": b"s90",
            "yellow_small-step1000.safetensors": b"s1000",
        }
        yield served


@pytest.mark.parametrize(
    ("files", "prefix", "wanted"),
    [
        (["m-step9.safetensors", "m-final.safetensors", "m-step10.safetensors"], "m", "m-final.safetensors"),
        (["m-step9.safetensors", "m-step10.safetensors"], "m", "m-step10.safetensors"),
        (["m_big-final.safetensors", "m-step1.safetensors", "README.md"], "m", "m-step1.safetensors"),
        (["m.pt", "m.safetensors"], "m", "m.safetensors"),
        (["x-final.safetensors"], "m", None),
        (["only.pt", "README.md"], None, "only.pt"),
        (["one.pt", "two.pt"], None, None),
    ],
)
def test_final_is_preferred_then_the_highest_step(files, prefix, wanted):
    assert names.pick(files, prefix) == wanted


def test_short_name_fetches_the_best_file_once(hub):
    file = resolve("yellow")
    assert file.name == "yellow_medium-final.safetensors"
    assert file.read_bytes() == FINAL
    asked = len(hub.requests)
    assert resolve("yellow") == file
    assert len(hub.requests) == asked
    assert resolve("yellow_small").read_bytes() == b"s1000"


def test_refresh_looks_for_a_newer_file(hub):
    resolve("yellow_small")
    hub.repos[REPO]["yellow_small-final.safetensors"] = b"done"
    assert resolve("yellow_small").read_bytes() == b"s1000"
    assert resolve("yellow_small", refresh=True).read_bytes() == b"done"
    assert resolve("yellow_small").read_bytes() == b"done"


def test_owner_repo_and_filename_with_revision(hub):
    hub.repos["me/mine"] = {"a.safetensors": b"a", "b.safetensors": b"b"}
    assert resolve("me/mine", filename="a.safetensors").read_bytes() == b"a"
    assert resolve("me/mine:b.safetensors").read_bytes() == b"b"
    assert resolve("me/mine@main:b.safetensors").read_bytes() == b"b"
    with pytest.raises(CheckpointError, match="no revision 'v9'"):
        resolve("me/mine@v9:b.safetensors")
    with pytest.raises(CheckpointError, match=r"a\.safetensors, b\.safetensors\. Say which"):
        resolve("me/mine")
    with pytest.raises(CheckpointError, match=r"no file 'c\.safetensors'"):
        resolve("me/mine:c.safetensors")
    with pytest.raises(CheckpointError, match=r"repository me/yours does not exist"):
        resolve("me/yours:a.pt")


def test_gated_model_says_what_to_accept_and_a_token_opens_it(hub):
    hub.gated.add(REPO)
    with pytest.raises(CheckpointError, match=rf"gated: accept its licence at {hub.url}/{REPO}, .*HF_TOKEN"):
        resolve("yellow")
    assert resolve("yellow", token=hub.token).read_bytes() == FINAL


def test_downloaded_model_works_offline_and_another_says_why_not(hub, monkeypatch):
    file = resolve("yellow")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert resolve("yellow") == file
    with pytest.raises(CheckpointError, match="not downloaded and HF_HUB_OFFLINE is set"):
        resolve("prism")


def test_unreachable_hub_is_told_apart_from_a_missing_model(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match="not downloaded and the hub cannot be reached"):
        resolve("yellow")


def test_half_downloaded_model_says_how_to_go_on(hub, monkeypatch):
    blobs = hub_cache.repo_folder(REPO) / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc.incomplete").write_bytes(b"x" * 2_500_000)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match=r"half downloaded \(2\.5 MB so far\).*midigpt models pull yellow"):
        resolve("yellow")


def test_damaged_download_is_removed_and_named(hub):
    file = resolve("yellow")
    file.resolve().write_bytes(FINAL[:-1] + b"?")
    with pytest.raises(CheckpointError, match="damaged and is removed"):
        resolve("yellow", refresh=True)
    assert resolve("yellow").read_bytes() == FINAL


def test_removed_model_frees_its_bytes(hub):
    file = resolve("yellow")
    assert hub_cache.checksum_fits(file) is True
    assert hub_cache.remove(names.understand("yellow")) == len(FINAL)
    assert hub_cache.cached_file(names.understand("yellow")) is None
    with pytest.raises(CheckpointError, match="nothing of it is downloaded"):
        hub_cache.remove(names.understand("yellow"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ghost", "never published"),
        ("yelow", "did you mean 'yellow'"),
        ("./nowhere.safetensors", "no such file"),
        ("nowhere.pt", "no such file"),
    ],
)
def test_name_that_leads_nowhere_is_explained(hub, name, words):
    with pytest.raises(CheckpointError, match=words):
        resolve(name)


def test_default_model_is_remembered(hub, tmp_path, monkeypatch):
    assert names.default_model() == "open"
    names.set_default_model("prism")
    assert names.default_model() == "prism"
    monkeypatch.setenv("MIDIGPT_MODEL", "yellow")
    assert resolve().name == "yellow_medium-final.safetensors"
    monkeypatch.delenv("MIDIGPT_MODEL")
    (tmp_path / "mine.safetensors").write_bytes(b"")
    names.set_default_model(str(tmp_path / "mine.safetensors"))
    assert resolve() == tmp_path / "mine.safetensors"
    with pytest.raises(CheckpointError):
        names.set_default_model("ghost")
    assert resolve() == tmp_path / "mine.safetensors"
