"""Our logits against the peer package's, on the same weights, prompts and hidden spans."""

from __future__ import annotations

import json
from functools import cache

import pytest

from tests.support import encoders, songs

torch = pytest.importorskip("torch")
peer_gpt2 = pytest.importorskip("midigpt.inference.model.gpt2")

from midigpt_core.compiled import compiled  # noqa: E402
from midigpt_core.model.base import MASKINGS  # noqa: E402
from midigpt_core.model.gpt2 import GPT2  # noqa: E402
from midigpt_core.model.shape import GPT2Config  # noqa: E402
from midigpt_core.model.weight_codes import rounded  # noqa: E402

TOLERANCE = 1e-4
NEW_TOKENS = 6


@cache
def prompts() -> list[list[int]]:
    """Encoded openings of real songs, with the yellow encoder, up to 300 tokens each."""
    import midigpt._core as core
    from midigpt._types import Score
    from midigpt.tokenizer.tokenizer import Tokenizer

    config = core.EncoderConfig.from_json((encoders() / "yellow_encoder.json").read_text())
    tokenizer = Tokenizer(config)
    found = []
    for path in songs(4):
        score = Score.from_midi(str(path))
        score.tracks = score.tracks[:3]
        for track in score.tracks:
            track.bars = track.bars[:4]
        found.append(tokenizer.encode(score, compute_attributes=False)[:300])
    return [ids for ids in found if len(ids) > 60]


@cache
def vocab_size() -> int:
    from midigpt._core import EncoderConfig, Vocabulary

    return int(Vocabulary(EncoderConfig.from_json((encoders() / "yellow_encoder.json").read_text())).size())


@cache
def pair():
    """The peer's model and ours with the same random weights, large enough that attention is not flat.

    They are such as the compiled decoder holds without loss: a difference is a fault of the arithmetic.
    """
    shape = {"vocab_size": vocab_size(), "n_positions": 512, "n_embd": 64, "n_layer": 3, "n_head": 4}
    torch.manual_seed(5)
    ours = GPT2(GPT2Config(**shape)).eval()
    with torch.no_grad():
        for name, weight in ours.named_parameters():
            weight.normal_(std=0.2 if "ln_" not in name else 0.5)
    held = rounded(ours.config, {name: weight.numpy() for name, weight in ours.state_dict().items()})
    ours.load_state_dict({name: torch.from_numpy(weight) for name, weight in held.items()})
    theirs = peer_gpt2.GPT2LMHeadModel(peer_gpt2.GPT2Config(**shape)).eval()
    theirs.load_state_dict(ours.state_dict())
    return theirs, ours


class PeerSession:
    """The peer's sampling loop reduced to its model calls, one method per mask mode's part in it."""

    def __init__(self, model, ids, spans, masking):
        self.model, self.masking, self.spans = model, masking, spans
        self.visible = torch.ones(model.cfg.n_positions, dtype=torch.bool)
        for start, end in spans:
            self.visible[start:end] = False
        self.length = len(ids)
        kept = [i for i in range(len(ids)) if self.visible[i]] if masking == "attention_skip" else list(range(len(ids)))
        self.position = kept[-1] + 1
        row = torch.tensor([[ids[i] for i in kept]])
        self.past = model.make_empty_kv()
        if masking == "attention_skip":
            self.logits = self._call(row, position_ids=torch.tensor([kept]))
        else:
            self.logits = self._call(row, key_mask=self.visible[: len(ids)])
        if masking == "attention_approx":
            model.kv_null_positions(self.past, spans)

    def _call(self, row, **kwargs):
        with torch.no_grad():
            logits, self.past = self.model(row, self.past, **kwargs)
        return logits[0, -1]

    def step(self, token):
        self.length += 1
        extra = {"position_ids": torch.tensor([[self.position]])} if self.masking == "attention_skip" else {}
        if self.masking == "attention":
            extra["key_mask"] = self.visible[: self.length]
        self.position += 1
        return self._call(torch.tensor([[token]]), **extra)


def spans_of(ids, ends_hidden):
    third = len(ids) // 3
    spans = [(third, third + 9), (2 * third, 2 * third + 17)]
    return [*spans, (len(ids) - 6, len(ids))] if ends_hidden else spans


def far(a, b):
    return float((torch.as_tensor(a) - torch.as_tensor(b)).abs().max())


def test_whole_sequence_logits_are_the_peers():
    theirs, ours = pair()
    for ids in prompts():
        with torch.no_grad():
            wanted = theirs(torch.tensor([ids]))[0][0]
        got = ours.logits(ids)
        assert got.dtype == torch.float32
        assert got.shape == (len(ids), vocab_size())
        assert far(got, wanted) < TOLERANCE
    assert float(wanted.std()) > 0.1


@pytest.mark.parametrize("ends_hidden", [False, True])
@pytest.mark.parametrize("masking", MASKINGS)
def test_cached_logits_are_the_peers_in_every_mask_mode(masking, ends_hidden, monkeypatch):
    monkeypatch.setenv("MIDIGPT_PURE", "1")
    theirs, ours = pair()
    for ids in prompts():
        prompt, rest = ids[:-NEW_TOKENS], ids[-NEW_TOKENS:]
        spans = spans_of(prompt, ends_hidden)
        session = PeerSession(theirs, prompt, spans, masking)
        cache = ours.new_cache(lanes=2)
        assert far(cache.prefill(1, prompt, spans, masking), session.logits) < TOLERANCE
        for token in rest:
            assert far(cache.step([1], [token])[0], session.step(token)) < TOLERANCE


@pytest.mark.skipif(compiled("decoder") is None, reason="the decoder is not built")
@pytest.mark.parametrize("masking", MASKINGS)
def test_compiled_cache_follows_the_peer_up_to_half_precision_of_its_cache(masking):
    theirs, ours = pair()
    for ids in prompts():
        prompt, rest = ids[:-NEW_TOKENS], ids[-NEW_TOKENS:]
        spans = spans_of(prompt, False)
        session = PeerSession(theirs, prompt, spans, masking)
        cache = ours.new_cache()
        assert far(cache.prefill(0, prompt, spans, masking), session.logits) < 0.01 * float(session.logits.std())
        for token in rest:
            wanted = session.step(token)
            assert far(cache.step([0], [token])[0], wanted) < 0.01 * float(wanted.std())


def test_mask_modes_differ_where_the_peers_do():
    _, ours = pair()
    ids = prompts()[0]
    results = [ours.new_cache().prefill(0, ids, spans_of(ids, True), masking) for masking in MASKINGS]
    assert far(results[0], results[2]) > 1e-2
    assert far(results[0], ours.logits(ids)[-1]) > 1e-2
    steps = []
    for masking in MASKINGS:
        cache = ours.new_cache()
        cache.prefill(0, ids, spans_of(ids, False), masking)
        steps.append(cache.step([0], [5])[0])
    assert far(steps[0], steps[2]) < TOLERANCE
    assert far(steps[0], steps[1]) > 1e-2


def test_checkpoint_travels_both_ways(tmp_path):
    from midigpt.tokenizer.checkpoint import load_checkpoint as peer_load

    from midigpt_core import load_checkpoint, save_checkpoint

    theirs, ours = pair()
    encoder = json.loads((encoders() / "yellow_encoder.json").read_text())
    ids = prompts()[0]
    save_checkpoint(tmp_path / "ours.safetensors", ours, encoder)
    with torch.no_grad():
        read_by_peer = peer_load(str(tmp_path / "ours.safetensors")).model(torch.tensor([ids]))[0][0]
    assert far(read_by_peer, ours.logits(ids)) < TOLERANCE
    theirs.save_pretrained(str(tmp_path / "theirs.safetensors"), encoder)
    read_by_us = load_checkpoint(tmp_path / "theirs.safetensors")
    assert far(read_by_us.model.logits(ids), ours.logits(ids)) < TOLERANCE
    assert read_by_us.encoder_config.to_dict()["resolution"] == encoder["resolution"]
