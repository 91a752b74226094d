"""Rules of checkpoint files: what is written is read back, what cannot be read is refused with its reason."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")

from midigpt_core.errors import CheckpointError  # noqa: E402
from midigpt_core.model.checkpoint import load_checkpoint, read_metadata, save_checkpoint  # noqa: E402
from midigpt_core.model.gpt2 import GPT2  # noqa: E402
from midigpt_core.model.shape import GPT2Config  # noqa: E402
from tests.support import encoders  # noqa: E402

SHAPE = {"vocab_size": 647, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4}
IDS = [3, 1, 4, 1, 5]


@pytest.fixture(scope="module")
def encoder():
    return json.loads((encoders() / "yellow_encoder.json").read_text())


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return GPT2(GPT2Config(**SHAPE)).eval()


@pytest.fixture
def saved(tmp_path, model, encoder):
    save_checkpoint(tmp_path / "m.safetensors", model, encoder)
    return tmp_path / "m.safetensors"


def bundle(model, encoder, **changes):
    full = {"format_version": 1, "arch": "gpt2", "config": SHAPE, "encoder_config": encoder}
    full |= {"state_dict": dict(model.state_dict()), **changes}
    return {key: value for key, value in full.items() if value is not None}


def test_saved_checkpoint_comes_back_whole(saved, model, encoder):
    again = load_checkpoint(saved)
    assert torch.equal(again.model.logits(IDS), model.logits(IDS))
    assert again.encoder_config.to_dict()["token_domains"] == encoder["token_domains"]
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_narrow_weights_load_into_any_floating_dtype(tmp_path, model, encoder, stored):
    narrow = GPT2(GPT2Config(**SHAPE)).to(stored)
    narrow.load_state_dict(model.state_dict())
    save_checkpoint(tmp_path / "m.safetensors", narrow, encoder)
    assert read_metadata(tmp_path / "m.safetensors")["dtype"] == {torch.float16: "f16", torch.bfloat16: "bf16"}[stored]
    for wanted in (torch.float32, torch.bfloat16, torch.float64):
        again = load_checkpoint(tmp_path / "m.safetensors", dtype=wanted).model
        assert again.dtype == wanted
        assert float((again.logits(IDS) - model.logits(IDS)).abs().max()) < 0.02


def test_tied_embeddings_are_written_twice(tmp_path, encoder):
    tied = GPT2(GPT2Config(**SHAPE)).eval()
    tied.lm_head.weight = tied.transformer.wte.weight
    save_checkpoint(tmp_path / "m.safetensors", tied, encoder)
    assert torch.equal(load_checkpoint(tmp_path / "m.safetensors").model.logits(IDS), tied.logits(IDS))


def test_metadata_is_read_without_the_weights(saved, model):
    facts = read_metadata(saved)
    assert facts["config"] == SHAPE
    assert facts["parameters"] == model.num_parameters()
    assert facts["bytes"] == saved.stat().st_size


def test_packed_bundle_and_its_old_buffers_load(tmp_path, model, encoder):
    weights = dict(model.state_dict())
    weights["transformer.h.0.attn.bias"] = torch.ones(1, 1, 32, 32, dtype=torch.bool)
    weights["transformer.h.0.attn.masked_bias"] = torch.tensor(-1e4)
    torch.save(bundle(model, encoder, state_dict=weights, arch=None), tmp_path / "m.pt")
    assert torch.equal(load_checkpoint(tmp_path / "m.pt").model.logits(IDS), model.logits(IDS))


class Stranger:
    """Anything a pickle might ask to build."""


def test_pickle_that_wants_more_than_tensors_is_refused(tmp_path, model, encoder):
    torch.save(bundle(model, encoder, extra=Stranger()), tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"refused: .*Stranger"):
        load_checkpoint(tmp_path / "m.pt")


class Program(torch.nn.Module):
    """Our network as a legacy TorchScript file holds it: forward(ids) -> logits."""

    def __init__(self, model):
        super().__init__()
        self.transformer, self.lm_head = model.transformer, model.lm_head

    def forward(self, ids, past=None):
        x = self.transformer.wte(ids) + self.transformer.wpe(torch.arange(ids.shape[1]))
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))


@pytest.mark.filterwarnings("ignore")
def test_legacy_folder_loads_with_the_right_number_of_heads(tmp_path, model, encoder):
    torch.jit.trace(Program(model), torch.tensor([[*IDS, 1]])).save(str(tmp_path / "model.pt"))
    (tmp_path / "config.json").write_text(json.dumps(encoder))
    again = load_checkpoint(tmp_path)
    assert again.model.config.n_head == SHAPE["n_head"]
    assert float((again.model.logits(IDS) - model.logits(IDS)).abs().max()) < 1e-5


@pytest.mark.filterwarnings("ignore")
def test_torchscript_file_by_itself_says_where_it_belongs(tmp_path, model):
    torch.jit.trace(Program(model), torch.tensor([IDS])).save(str(tmp_path / "model.pt"))
    with pytest.raises(CheckpointError, match=r"beside its config\.json"):
        load_checkpoint(tmp_path / "model.pt")


@pytest.mark.parametrize("keep", [5, 900, -100])
def test_truncated_safetensors_is_told_from_a_foreign_one(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="fetch it again"):
        load_checkpoint(saved)


def test_truncated_bundle_is_refused(tmp_path, model, encoder):
    torch.save(bundle(model, encoder), tmp_path / "m.pt")
    (tmp_path / "m.pt").write_bytes((tmp_path / "m.pt").read_bytes()[:-5000])
    with pytest.raises(CheckpointError, match="truncated"):
        load_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_version": 7}, "format_version is 7"),
        ({"encoder_config": None}, "'encoder_config' is missing"),
        ({"config": None}, "'config'"),
        ({"arch": "llama"}, "'llama'"),
        ({"state_dict": None}, "no state_dict"),
        ({"config": {**SHAPE, "n_embd": 64}}, "has shape"),
        ({"config": {**SHAPE, "n_layer": 3}}, "weights are missing, first 'transformer.h.2"),
        ({"config": {**SHAPE, "n_layer": 1}}, "unknown weights"),
        ({"config": {**SHAPE, "rope": 1}}, "rope"),
        ({"config": {**SHAPE, "n_head": 5}}, "does not divide"),
    ],
)
def test_mismatched_bundle_names_what_is_wrong(tmp_path, model, encoder, changes, words):
    torch.save(bundle(model, encoder, **changes), tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "format_version is missing"),
        ({"format_version": "3"}, "format_version is '3'"),
        ({"format_version": "2", "arch": "llama"}, "'llama'"),
        ({"format_version": "2", "encoder_config": "{}"}, "'config' is missing"),
        ({"format_version": "2", "config": json.dumps(SHAPE)}, "'encoder_config' is missing"),
        ({"format_version": "2", "config": json.dumps(SHAPE), "encoder_config": "null"}, "'encoder_config' is missing"),
        ({"format_version": "2", "config": "{", "encoder_config": "{}"}, "'config' is not JSON"),
    ],
)
def test_foreign_safetensors_names_what_is_missing(tmp_path, model, metadata, words):
    from safetensors.torch import save_file

    save_file(dict(model.state_dict()), tmp_path / "m.safetensors", metadata=metadata)
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(tmp_path / "m.safetensors")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        load_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "nothing.safetensors")
    (tmp_path / "song.mid").write_bytes(b"MThd")
    with pytest.raises(CheckpointError, match=r"'\.mid'"):
        load_checkpoint(tmp_path / "song.mid")
    with pytest.raises(CheckpointError, match=r"written as \.safetensors"):
        save_checkpoint(tmp_path / "m.pt", None, {})


def test_the_weights_a_shape_names_are_those_of_the_network():
    config = GPT2Config(**SHAPE)
    assert config.weights() == {name: tuple(weight.shape) for name, weight in GPT2(config).state_dict().items()}
