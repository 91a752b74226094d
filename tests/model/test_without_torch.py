"""Writing music on a processor needs no torch, and gives the very notes that torch's network gives there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kept import keys_and_values_as_codes

from midigpt_core.compiled import compiled
from midigpt_core.engine import InferenceEngine
from midigpt_core.errors import CheckpointError, MidiGptError
from midigpt_core.model import device as model_device
from midigpt_core.model.base import log_softmax
from midigpt_core.model.checkpoint import load_checkpoint, load_for_use
from midigpt_core.model.compiled_model import FastCache, FastModel
from midigpt_core.model.hub import resolve
from midigpt_core.score import Score
from midigpt_core.tokens.encode import EncodeOptions
from midigpt_core.tokens.tokenizer import Tokenizer

SAMPLE = Path(__file__).parents[2] / "samples" / "pop.mid"
pytestmark = pytest.mark.skipif(compiled("decoder") is None, reason="the decoder is not built")


@pytest.fixture
def no_accelerator(monkeypatch):
    monkeypatch.setattr(model_device, "_may_have_accelerator", lambda: False)


def test_a_checkpoint_is_read_without_torch_into_the_same_bits(no_accelerator):
    encoder, fast = load_for_use(resolve("open"))
    assert isinstance(fast, FastModel)
    whole = load_checkpoint(resolve("open")).model
    ids = Tokenizer(encoder).encode(Score.from_midi(SAMPLE), EncodeOptions(window_bars=8), attributes=False)[:200]
    assert np.array_equal(fast.new_cache().prefill(0, ids), whole.new_cache().prefill(0, ids))
    with keys_and_values_as_codes(whole):
        wanted = whole.logits(ids).log_softmax(-1).numpy()
    assert np.sqrt(np.square(log_softmax(fast.logits(ids)) - wanted).mean()) < 0.01
    assert (fast.vocab_size, fast.n_positions) == (whole.vocab_size, whole.n_positions)


def test_infill_on_a_processor_never_loads_torch(tmp_path):
    code = (
        "import sys; from midigpt_core.model import device; device._may_have_accelerator = lambda: False\n"
        "from midigpt_cli.main import main\n"
        f"sys.argv = ['midigpt', 'infill', {str(SAMPLE)!r}, '--bars', '4', '--track', '2', '-o', 'out.mid']\n"
        "try: main()\nexcept SystemExit as end: print('exit', end.code or 0)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["exit 0", "False"]
    assert (tmp_path / "out.mid").exists()


@pytest.mark.parametrize(("device", "dtype"), [("cpu", "bfloat16"), ("cpu", "float32"), ("cuda", "auto")])
def test_what_the_decoder_cannot_do_is_asked_of_torch(device, dtype):
    assert not model_device.runs_on_processor(device, dtype)


def test_auto_asks_torch_only_where_a_driver_can_be_seen(monkeypatch, tmp_path):
    monkeypatch.setattr(model_device, "_DRIVERS", (str(tmp_path / "driver"),))
    monkeypatch.setattr(model_device.shutil, "which", lambda _: None)
    monkeypatch.setattr(model_device.sys, "platform", "linux")
    assert model_device.runs_on_processor("auto", "auto")
    (tmp_path / "driver").touch()
    assert not model_device.runs_on_processor("auto", "auto")
    assert model_device.runs_on_processor("cpu", "auto")


def test_where_torch_is_not_installed_auto_is_the_processor(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(model_device.sys, "platform", "darwin")
    assert model_device.runs_on_processor("auto", "auto")
    assert not model_device.runs_on_processor("mps", "auto")


def test_what_needs_torch_says_so_where_it_is_not_installed(tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from midigpt_cli.main import main\n"
        f"main(['infill', {str(SAMPLE)!r}, '--bars', '4', '--dtype', 'float32', '-o', 'out.mid'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("midigpt: this needs PyTorch, which is not installed: `pip install torch`")


def test_the_reference_is_torch_s(monkeypatch):
    monkeypatch.setenv("MIDIGPT_PURE", "1")
    assert not isinstance(load_for_use(resolve("open"), "cpu")[1], FastModel)


def test_a_number_type_asked_for_by_name_is_what_is_computed_in():
    model = load_for_use(resolve("open"), "cpu", "float32")[1]
    ids = [3, 1, 4, 1, 5, 9, 2, 6]
    assert np.allclose(model.new_cache().prefill(0, ids), model.logits(ids)[-1], atol=1e-4)
    assert not isinstance(model.new_cache(), FastCache)


@pytest.mark.parametrize("keep", [0, 7, 2000, -1000])
def test_a_damaged_file_is_refused_with_a_sentence(keep, tmp_path, no_accelerator):
    file = tmp_path / "cut.safetensors"
    file.write_bytes(resolve("open").read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"cut\.safetensors"):
        load_for_use(file)
    with pytest.raises(MidiGptError, match="no such file"):
        load_for_use(tmp_path / "none.safetensors")


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused_with_a_sentence(number, tmp_path, no_accelerator):
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    with safe_open(resolve("open"), "numpy") as file:
        meta = file.metadata()
    weights = load_file(resolve("open"))
    weights["transformer.h.2.mlp.c_fc.weight"][17, 40] = number
    save_file(weights, tmp_path / "ran_away.safetensors", meta)
    with pytest.raises(CheckpointError, match=r"ran_away\.safetensors: weights that are not finite numbers"):
        load_for_use(tmp_path / "ran_away.safetensors")


def test_threads_are_one_setting_with_and_without_torch():
    code = (
        "from midigpt_core.model.threads import set_threads, threads\n"
        "set_threads(1); assert threads() == 1\n"
        "import torch; torch.set_num_threads(2); set_threads(1); assert torch.get_num_threads() == 1 == threads()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "OMP_NUM_THREADS": "2"})


def test_an_engine_on_the_decoder_writes_the_notes_of_an_engine_on_torch(no_accelerator):
    from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt

    score = Score.from_midi(SAMPLE)
    prompts = [TrackPrompt(t, [3, 4] if t == 1 else []) for t in range(len(score.tracks))]
    request = GenerationRequest(prompts, InferenceConfig(seed=5))
    loaded = load_checkpoint(resolve("open"))
    engines = (InferenceEngine.from_pretrained("open"), InferenceEngine(loaded.model, Tokenizer(loaded.encoder_config)))
    fast, whole = (engine.session(score, request).run_takes().takes[0] for engine in engines)
    assert [bar.notes for bar in fast.score.tracks[1].bars] == [bar.notes for bar in whole.score.tracks[1].bars]
    assert fast.logprob == whole.logprob
