"""Rules of the lane cache, reference and compiled: whatever is reused, forked or cut, the logits are the same."""

from __future__ import annotations

import os
import random

import pytest

torch = pytest.importorskip("torch")

from kept import keys_and_values_as_codes  # noqa: E402

from midigpt_core.compiled import compiled  # noqa: E402
from midigpt_core.errors import GenerationError  # noqa: E402
from midigpt_core.model.base import lay_out  # noqa: E402
from midigpt_core.model.gpt2 import GPT2  # noqa: E402
from midigpt_core.model.shape import GPT2Config  # noqa: E402
from midigpt_core.model.weight_codes import rounded  # noqa: E402
from midigpt_core.tokens.encoder_config import EncoderConfig  # noqa: E402
from midigpt_core.tokens.places import Places, PlaceSizes  # noqa: E402
from midigpt_core.tokens.vocabulary import Vocabulary  # noqa: E402
from midigpt_core.train.prepare import OPEN_ENCODER  # noqa: E402

VOCABULARY = Vocabulary(EncoderConfig.load(OPEN_ENCODER))
VOCAB = VOCABULARY.size
SETS = ("avx512", "avxvnni", "avx2", "plain")


@pytest.fixture(scope="module", params=[None, PlaceSizes(4, 3, 48)], ids=["plain", "places"])
def network(request):
    torch.manual_seed(2)
    network = GPT2(GPT2Config(VOCAB, 128, 48, 2, 4, request.param)).eval()
    network.places = request.param and Places(VOCABULARY, request.param)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.3)
    weights = {name: weight.numpy() for name, weight in network.half().state_dict().items()}
    held = rounded(network.config, weights)  # so that a difference of logits is a fault of the arithmetic
    network.load_state_dict({name: torch.from_numpy(weight) for name, weight in held.items()})
    return network.float()


@pytest.fixture(params=["reference", *SETS])
def model(request, network, monkeypatch):
    """The network with one kind of cache: the reference, or the compiled one for one instruction set."""
    if request.param == "reference":
        monkeypatch.setenv("MIDIGPT_PURE", "1")
        yield network
        return
    kernels = compiled("decoder")
    if kernels is None or kernels.instruction_set(request.param)[0] != request.param:
        pytest.skip(f"the decoder is not built, or this processor has no {request.param}")
    monkeypatch.setenv("MIDIGPT_ISA", request.param)
    assert type(network.new_cache()).__name__ == "FastCache"
    with keys_and_values_as_codes(network):
        yield network


def song(length, seed=0):
    dice = random.Random(seed)
    return [dice.randrange(VOCAB) for _ in range(length)]


def close(a, b):
    """Equal up to rounding: float32 in the reference; in the compiled cache a key may come to the code beside."""
    off, spread = torch.as_tensor(a) - torch.as_tensor(b), float(torch.as_tensor(b).std())
    if os.environ.get("MIDIGPT_PURE"):
        return float(off.abs().max()) < 1e-5 * spread
    return float(off.square().mean().sqrt()) < 2e-3 * spread


def test_step_by_step_equals_the_whole_sequence(model):
    ids = song(40)
    wanted = model.logits(ids)
    cache = model.new_cache()
    assert close(cache.prefill(0, ids[:9]), wanted[8])
    for i in range(9, 40):
        assert close(cache.step([0], [ids[i]])[0], wanted[i])
    assert cache.length(0) == 40


def test_lanes_of_different_lengths_advance_in_one_call(model):
    songs = [song(length, seed) for seed, length in enumerate((7, 31, 18))]
    cache = model.new_cache(lanes=5)
    for lane, ids in zip((4, 0, 2), songs, strict=True):
        cache.prefill(lane, ids)
    for token in song(6, 9):
        got = cache.step([4, 0, 2], [token] * 3)
        for row, ids in zip(got, songs, strict=True):
            ids.append(token)
            assert close(row, model.logits(ids)[-1])


def test_prefill_computes_only_what_the_lane_does_not_hold(model):
    cache = model.new_cache()
    first = song(50)
    cache.prefill(0, first)
    assert cache.prefilled == 50
    second = first[:30] + song(10, 1)
    assert close(cache.prefill(0, second), model.logits(second)[-1])
    assert cache.prefilled == 60
    assert close(cache.prefill(0, second), model.logits(second)[-1])
    assert cache.prefilled == 61


def test_retry_goes_back_to_the_end_of_the_prompt(model):
    cache = model.new_cache()
    ids = song(20)
    cache.prefill(0, ids)
    end = cache.length(0)
    cache.step([0], [3])
    cache.step([0], [4])
    cache.truncate(0, end)
    assert close(cache.step([0], [7])[0], model.logits([*ids, 7])[-1])


def test_forked_lane_lives_on_when_its_source_starts_another_song(model):
    cache = model.new_cache(lanes=3)
    ids = song(25)
    cache.prefill(1, ids)
    cache.fork(1, [0, 2])
    other = song(40, 3)
    cache.prefill(1, other)
    got = cache.step([0, 1, 2], [5, 6, 7])
    for row, wanted in zip(got, ([*ids, 5], [*other, 6], [*ids, 7]), strict=True):
        assert close(row, model.logits(wanted)[-1])


@pytest.mark.parametrize("masking", ["attention", "attention_approx", "attention_skip"])
def test_hidden_prefix_is_reused_only_where_the_same_positions_are_hidden(model, masking):
    ids, spans = song(40), [(10, 20)]
    fresh, used = model.new_cache(), model.new_cache()
    used.prefill(0, ids, [(10, 16)], masking)
    before = used.prefilled
    assert close(used.prefill(0, ids, spans, masking), fresh.prefill(0, ids, spans, masking))
    assert used.prefilled - before == (30 if model.places else 20)  # hidden tokens decide where others stand
    assert close(used.step([0], [1])[0], fresh.step([0], [1])[0])


def test_position_after_a_hidden_end_depends_on_the_mask_mode():
    ids, spans = [1, 2, 3, 4, 5, 6], [(1, 2), (4, 6)]
    assert lay_out(ids, spans, "attention").next_position == 6
    assert lay_out(ids, spans, "attention").probe == (6, 5)
    assert lay_out(ids, spans, "attention_skip").next_position == 4
    assert lay_out(ids, spans, "attention_approx").sentinels == 3


def test_room_counts_slots_and_positions(model):
    cache = model.new_cache(capacity=16)
    cache.prefill(0, song(12), [(2, 6)])
    assert cache.length(0) == 8
    assert cache.room(0) == 8
    long = model.new_cache()
    long.prefill(0, song(126), [(2, 60)])
    assert long.room(0) == 2


def test_full_context_is_an_error_that_says_so(model):
    cache = model.new_cache()
    with pytest.raises(GenerationError, match="129 tokens, the model reads 128"):
        cache.prefill(0, song(129))
    cache.prefill(0, song(128))
    with pytest.raises(GenerationError, match="context is full"):
        cache.step([0], [1])


@pytest.mark.parametrize(
    ("ids", "spans", "masking", "words"),
    [
        ([], [], "attention", "empty"),
        ([1, 2], [(0, 2)], "attention", "whole prompt is hidden"),
        ([1, 2], [], "sideways", "sideways"),
    ],
)
def test_impossible_prompt_is_refused(ids, spans, masking, words):
    with pytest.raises(GenerationError, match=words):
        lay_out(ids, spans, masking)


def test_half_precision_stays_near_full_precision(network, monkeypatch):
    monkeypatch.setenv("MIDIGPT_PURE", "1")
    ids = song(40)
    wanted = network.logits(ids)[-1]
    for dtype in (torch.bfloat16, torch.float16):
        narrow = GPT2(network.config).eval()
        narrow.load_state_dict(network.state_dict())
        narrow.places = network.places
        cache = narrow.to(dtype).new_cache()
        cache.prefill(0, ids[:-1])
        got = cache.step([0], [ids[-1]])[0]
        assert got.dtype == torch.float32
        assert float(torch.corrcoef(torch.stack([got, wanted]))[0, 1]) > 0.98
