"""A checkpoint runs nothing, allocates no more than it holds, and ends in one sentence where it cannot be read."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from bounded import midigpt, python  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from midigpt_core.errors import CheckpointError  # noqa: E402
from midigpt_core.model.checkpoint import load_checkpoint, load_for_use, save_checkpoint  # noqa: E402
from midigpt_core.model.gpt2 import GPT2  # noqa: E402
from midigpt_core.model.shape import GPT2Config  # noqa: E402
from midigpt_core.tokens.encoder_config import EncoderConfig  # noqa: E402

ENCODER = json.loads((Path(__file__).parents[2] / "midigpt_core" / "tokens" / "open_encoder.json").read_text())
TOKENS = sum(size for _, size in EncoderConfig.from_dict(ENCODER).token_domains)
SHAPE = {"vocab_size": TOKENS, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4}
ROOM_MB = 450  # beyond torch itself, which takes 220, or 730 with CUDA


@pytest.fixture(scope="module")
def limit_mb():
    return python("import torch").peak_mb + ROOM_MB


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return GPT2(GPT2Config(**SHAPE)).eval()


def bundle(model, **changes):
    full = {"format_version": 1, "arch": "gpt2", "config": SHAPE, "encoder_config": ENCODER}
    return full | {"state_dict": dict(model.state_dict()), **changes}


def header(path, change):
    """Change the header of a .safetensors file."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    new = change(data[8 : 8 + size])
    path.write_bytes(len(new).to_bytes(8, "little") + new + data[8 + size :])


def refused(path):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    with pytest.raises(CheckpointError):
        load_for_use(path, "cpu")
    assert len(str(caught.value)) < 1500
    return str(caught.value)


def tree(weights):
    """Modules without a program that hold these weights under their names."""
    root = torch.nn.Module()
    for name, weight in weights.items():
        *path, last = name.split(".")
        place = root
        for part in path:
            if not hasattr(place, part):
                place.add_module(part, torch.nn.Module())
            place = getattr(place, part)
        place.register_parameter(last, torch.nn.Parameter(weight))
    return root


class Trap(torch.nn.Module):
    """A program that does harm when it is run."""

    def __init__(self, parts, trap: str):
        super().__init__()
        self.transformer, self.lm_head, self.trap = parts.transformer, parts.lm_head, trap

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        torch.from_file(self.trap, True, 8)
        x = torch.zeros(1, 1, 32)
        while bool(x.sum() == x.sum()):
            x = x + 1
        return x.view(x.size(0), x.size(1), 4, 8)


def scripted_folder(folder, trap, model):
    torch.jit.script(Trap(tree(model.state_dict()), str(trap))).save(str(folder / "model.pt"))
    (folder / "config.json").write_text(json.dumps(ENCODER))


@pytest.mark.filterwarnings("ignore")
def test_the_program_of_a_legacy_folder_is_not_run(tmp_path, model):
    folder, trap = tmp_path / "model", tmp_path / "trap"
    folder.mkdir()
    scripted_folder(folder, trap, model)
    again = load_checkpoint(folder).model
    assert not trap.exists()
    assert again.config.n_head == SHAPE["n_head"]
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))


@pytest.mark.filterwarnings("ignore")
def test_heads_that_cannot_be_seen_are_asked_for(tmp_path, model):
    torch.jit.script(tree(model.state_dict())).save(str(tmp_path / "model.pt"))
    (tmp_path / "config.json").write_text(json.dumps(ENCODER))
    with pytest.raises(CheckpointError, match=r'add "n_head" to its config\.json'):
        load_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**ENCODER, "n_head": 4}))
    assert load_checkpoint(tmp_path).model.config.n_head == 4


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"n_layer": 10**9}, "n_layer is 1000000000"),
        ({"n_embd": 1 << 40}, "has shape"),
        ({"n_positions": 1 << 62}, "has shape"),
        ({"n_layer": [[1]]}, "must be a small number"),
        ({"n_layer": "2"}, "must be an integer"),
    ],
)
def test_a_shape_is_held_against_the_weights_before_anything_is_made(tmp_path, model, limit_mb, config, words):
    torch.save(bundle(model, config={**SHAPE, **config}), tmp_path / "m.pt")
    save_checkpoint(tmp_path / "m.safetensors", model, ENCODER)
    header(
        tmp_path / "m.safetensors",
        lambda text: json.dumps(
            (found := json.loads(text))
            | {"__metadata__": {**found["__metadata__"], "config": json.dumps({**SHAPE, **config})}}
        ).encode(),
    )
    for name in ("m.pt", "m.safetensors"):
        ended = midigpt("generate", "-o", tmp_path / "o.mid", "--bars", 4, "--drums", "--model", tmp_path / name)
        assert ended.code == 4
        assert words in ended.err
        assert ended.err.count("\n") == 1
        assert ended.peak_mb < limit_mb
    told = midigpt("models", "info", tmp_path / "m.safetensors")
    assert (told.code, words in told.err, told.err.count("\n")) == (4, True, 1)


def test_an_archive_that_unpacks_to_more_than_it_holds_is_refused(tmp_path, model, limit_mb):
    torch.save(bundle(model), tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as old, zipfile.ZipFile(tmp_path / "m.pt", "w") as new:
        for name in old.namelist():
            if name.endswith("data/0"):
                with new.open(zipfile.ZipInfo(name), "w") as stream:
                    stream.write(b"")
                new.infolist()[-1].compress_type = zipfile.ZIP_DEFLATED
            else:
                new.writestr(name, old.read(name))
    assert "unpacks to more than it holds" in refused(tmp_path / "m.pt")
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("m/data.pkl", bytes(200_000_000))
    ended = midigpt("generate", "-o", tmp_path / "o.mid", "--bars", 4, "--drums", "--model", tmp_path / "bomb.pt")
    assert ended.code == 4
    assert ended.peak_mb < limit_mb


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({1: torch.zeros(2)}, "1 is not a named weight"),
        ({"a": 3}, "'a' is not a named weight"),
        ({"a": torch.zeros(1).expand(1 << 30)}, "1073741824 numbers over 1 stored ones"),
        ({"a": torch.zeros(3).to_sparse()}, "not only tensors and plain values"),
        ({}, "it holds 0 weights in all"),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path, model, state, says):
    torch.save(bundle(model, state_dict=state), tmp_path / "m.pt")
    assert says in refused(tmp_path / "m.pt")


def test_a_pickle_that_numbers_beyond_its_size_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as new:
        new.writestr("m/data.pkl", b"\x80\x02}r\xff\xff\xff\x7f.")
    assert "beyond its own size" in refused(tmp_path / "m.pt")


def test_settings_nested_in_themselves_are_refused(tmp_path, model):
    wide: list[object] = [1]
    for _ in range(60):
        wide = [wide, wide]
    torch.save(bundle(model, encoder_config={**ENCODER, "x": wide}), tmp_path / "m.pt")
    assert "nested too deeply" in refused(tmp_path / "m.pt")


@pytest.mark.parametrize("key", ["config", "encoder_config", "arch", "format_version"])
@pytest.mark.parametrize("value", [b"7", b"null", b"[" * 90_000 + b"]" * 90_000, b'"' + b"[" * 90_000 + b'"', b"[]"])
def test_metadata_of_any_kind_is_refused(tmp_path, model, key, value):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, model, ENCODER)
    mark = f'"{key}":'.encode()

    def change(text: bytes) -> bytes:
        start = text.index(mark) + len(mark)
        _, used = json.JSONDecoder().raw_decode(text[start:].decode())
        return text[:start] + value + text[start + used :]

    header(path, change)
    refused(path)


@pytest.mark.parametrize(
    "entry",
    [
        7,
        {},
        {"dtype": "F32", "shape": 3, "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]},
        {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1 << 70], "data_offsets": [0, 4]},
        {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]},
    ],
)
def test_a_tensor_that_cannot_lie_in_the_file_is_refused(tmp_path, model, entry):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, model, ENCODER)
    header(path, lambda text: json.dumps(json.loads(text) | {"lm_head.weight": entry}).encode())
    refused(path)


def test_tokens_of_another_vocabulary_are_refused(tmp_path, model):
    domains = [dict(row) for row in EncoderConfig.from_dict(ENCODER).to_dict()["token_domains"]]
    domains[0]["domain_size"] = 1 << 40
    save_checkpoint(tmp_path / "m.safetensors", model, {**ENCODER, "token_domains": domains})
    assert "do not belong together" in refused(tmp_path / "m.safetensors")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_changed_bytes_are_loaded_or_refused(tmp_path_factory, changes, packed):
    folder = tmp_path_factory.getbasetemp()
    torch.manual_seed(1)
    small = GPT2(GPT2Config(**SHAPE))
    path = folder / ("m.pt" if packed else "m.safetensors")
    if packed:
        torch.save(bundle(small), path)
    else:
        save_checkpoint(path, small, ENCODER)
    data = bytearray(path.read_bytes())
    table = max(data.rfind(b"data.pkl"), 0) if packed else 0
    for where, value in changes:
        data[(table + where % 20_000) % len(data)] = value
    path.write_bytes(data)
    try:
        load_checkpoint(path)
    except CheckpointError as error:
        told = str(error)
    else:
        told = str(path)
    assert str(path) in told


def test_no_pickle_reaches_beyond_its_own_tensors(tmp_path):
    class Harm:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "trap",))

    with zipfile.ZipFile(tmp_path / "m.pt", "w") as new:
        new.writestr("m/data.pkl", pickle.dumps(Harm(), protocol=2))
    assert "would run" in refused(tmp_path / "m.pt")
    assert not (tmp_path / "trap").exists()
