"""The packaged model is what its facts say, loads at once, and fits the encoder it ships with."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest
import torch

from benchmarks.peer_weights import without_places
from midigpt_core.errors import CheckpointError
from midigpt_core.model.checkpoint import load_checkpoint
from midigpt_core.model.names import built_in
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.batches import valid_examples
from midigpt_core.train.draw_windows import Reads
from midigpt_core.train.measure import losses
from midigpt_core.train.shards import Shards


@pytest.fixture(scope="module")
def weights() -> object:
    try:
        return built_in()
    except CheckpointError as error:
        pytest.skip(str(error))


def test_weights_match_their_checksum_and_stay_small(weights: object) -> None:
    facts = json.loads(weights.with_suffix(".json").read_text())
    content = weights.read_bytes()
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    assert facts["licence"] == "CC-BY-SA-4.0"
    assert len(content) == facts["bytes"] < 60e6
    assert set(facts["training"]) >= {"steps", "tokens", "hours", "held_out_last"}


def test_weights_load_within_a_second(weights: object) -> None:
    load_checkpoint(weights)
    start = time.process_time()
    checkpoint = load_checkpoint(weights)
    assert time.process_time() - start < 1.0
    assert all(torch.isfinite(p).all() for p in checkpoint.model.parameters())


def test_the_encoder_in_the_file_is_the_packaged_one(weights: object, encoder: EncoderConfig) -> None:
    checkpoint = load_checkpoint(weights)
    assert checkpoint.encoder_config.token_domains == encoder.token_domains
    assert checkpoint.encoder_config.attribute_controls == encoder.attribute_controls
    assert checkpoint.model.vocab_size == Vocabulary(encoder).size


def test_the_model_has_learnt_more_than_the_frequency_of_tokens(weights: object, shards: Shards, tiny: object) -> None:
    config = tiny(valid_windows=6, windows={"budgets": {"512": 1.0}})
    model = load_checkpoint(weights).model
    assert losses(model, valid_examples(shards, config, Reads(512, model.config.places)))["written"] < 2.6


def test_midigpt_loads_the_file_without_its_places_and_gives_the_same_logits(weights: Path, tmp_path: Path) -> None:
    midigpt = pytest.importorskip("midigpt.tokenizer.checkpoint", reason="midigpt 0.4.2 is not installed")
    plain = without_places(weights, tmp_path)
    peer = midigpt.load_checkpoint(plain)
    ours = load_checkpoint(plain).model
    ids = [0, 4, 400, 5, 8, 300, 200]
    with torch.no_grad():
        theirs = peer.model(torch.tensor([ids]))
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    assert torch.allclose(theirs[0].float(), ours.logits(ids), atol=1e-4)
