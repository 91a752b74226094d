"""Promises of the compiled cache alone: nobody's tokens depend on neighbours, threads, or how a prompt was read."""

from __future__ import annotations

import copy
import gc
import random
import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from kept import keys_and_values_as_codes  # noqa: E402

from midigpt_core.compiled import compiled  # noqa: E402
from midigpt_core.model import compiled_model, weight_codes  # noqa: E402
from midigpt_core.model.gpt2 import GPT2  # noqa: E402
from midigpt_core.model.shape import GPT2Config  # noqa: E402

kernels = compiled("decoder")
pytestmark = pytest.mark.skipif(kernels is None, reason="the decoder is not built")
VOCAB = 70


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    network = GPT2(GPT2Config(VOCAB, 700, 128, 2, 2)).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.1)
    return network


def song(length, seed=0):
    dice = random.Random(seed)
    return [dice.randrange(VOCAB) for _ in range(length)]


def alone(model, prompt, tokens):
    """Logits after each token of a lane that has the cache to itself."""
    cache = model.new_cache()
    rows = [cache.prefill(0, prompt)]
    return rows + [cache.step([0], [token])[0] for token in tokens]


def same(a, b):
    """Bit for bit."""
    return np.array_equal(np.asarray(a), np.asarray(b))


def equal(rows, others):
    return all(same(a, b) for a, b in zip(rows, others, strict=True))


def test_lane_computes_the_same_bits_whatever_its_neighbours(model):
    prompts = [song(length, length) for length in (300, 17, 33, 641)]
    cache = model.new_cache(lanes=4)
    rows = [[cache.prefill(lane, prompt)] for lane, prompt in enumerate(prompts)]
    for token in song(5):
        for lane, row in enumerate(cache.step([0, 1, 2, 3], [token] * 4)):
            rows[lane].append(row)
    for prompt, got in zip(prompts, rows, strict=True):
        assert equal(got, alone(model, prompt, song(5)))


@pytest.mark.parametrize(("width", "heads"), [(160, 2), (100, 4), (70, 7), (192, 2), (64, 1), (264, 2)])
def test_heads_and_widths_of_any_size_compute_what_the_reference_computes(width, heads):
    torch.manual_seed(1)
    network = GPT2(GPT2Config(VOCAB, 320, width, 2, heads)).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.15)
    held = weight_codes.rounded(network.config, {name: weight.numpy() for name, weight in network.state_dict().items()})
    network.load_state_dict({name: torch.from_numpy(weight) for name, weight in held.items()})
    with keys_and_values_as_codes(network):
        wanted = network.logits(song(300)).numpy()
    off = network.new_cache().logits(0, song(300)) - wanted
    assert np.sqrt(np.square(off).mean()) < 4e-4 * wanted.std()
    assert np.abs(off).max() < 1e-2 * wanted.std()  # a key on the border of two codes may come to either


@pytest.mark.parametrize("length", [1, 5, 240, 301])
def test_logits_of_the_last_token_are_the_same_bits_alone_or_among_all(model, length):
    prompt = song(length)
    assert same(alone(model, prompt, [])[0], model.new_cache().logits(0, prompt)[-1])


@pytest.mark.parametrize("takes", [2, 7, 20])
def test_takes_that_share_a_prompt_compute_the_same_bits_as_one(model, takes):
    prompt = song(301)
    cache = model.new_cache(lanes=takes)
    first = cache.prefill(0, prompt)
    cache.fork(0, range(1, takes))
    for lane in range(1, takes):
        assert same(cache.prefill(lane, prompt), first)
    assert cache.prefilled == len(prompt) + takes - 1
    written = {lane: song(4, lane) for lane in range(takes)}
    rows = {lane: [first] for lane in range(takes)}
    for i in range(4):
        lanes = list(range(takes))[:: 1 if i % 2 else -1]
        for lane, row in zip(lanes, cache.step(lanes, [written[lane][i] for lane in lanes]), strict=True):
            rows[lane].append(row)
    for lane in (0, 1, takes - 1):
        assert equal(rows[lane], alone(model, prompt, written[lane]))


def test_prompt_read_in_two_parts_gives_the_same_bits(model):
    prompt = song(500)
    cache = model.new_cache()
    cache.prefill(0, prompt[:123])
    assert same(cache.prefill(0, prompt), alone(model, prompt, [])[0])


def test_number_of_threads_changes_no_bit(model, monkeypatch):
    wanted = alone(model, song(200), song(3))
    for count in (1, 2, 5):
        monkeypatch.setattr(compiled_model, "threads", lambda count=count: count)
        monkeypatch.setattr(weight_codes, "threads", lambda count=count: count)
        assert equal(alone(model, song(200), song(3)), wanted)
        assert model.new_cache().decoder.threads == count


def test_fork_of_a_fork_keeps_everyone_apart(model):
    prompt = song(150)
    cache = model.new_cache(lanes=4)
    cache.prefill(0, prompt)
    cache.fork(0, [1])
    rest = song(100, 1)
    for token in rest:
        cache.step([1], [token])
    cache.fork(1, [2])
    cache.step([0, 1, 2], [4, 5, 6])
    cache.fork(2, [3])
    got = cache.step([3, 2, 1, 0], [7, 8, 9, 10])
    wanted = [[*rest, 6, 7], [*rest, 6, 8], [*rest, 5, 9], [4, 10]]
    for row, tokens in zip(got, wanted, strict=True):
        assert same(row, alone(model, prompt, tokens)[-1])


def test_changed_weights_are_packed_again(model):
    network = GPT2(model.config).eval()
    before = network.new_cache().prefill(0, song(9))
    with torch.no_grad():
        network.lm_head.weight.mul_(2.0)
    assert np.allclose(network.new_cache().prefill(0, song(9)), 2 * before, rtol=1e-3, atol=1e-4)


def test_model_in_use_can_be_copied_and_forgotten(model):
    network = copy.deepcopy(model)
    ids = song(9)
    wanted = network.new_cache().prefill(0, ids)
    assert same(copy.deepcopy(network).new_cache().prefill(0, ids), wanted)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_more_lanes_than_one_call_takes(model):
    lanes = list(range(kernels.MAX_ROWS + 10))
    cache = model.new_cache(lanes=len(lanes), capacity=16)
    prompt = song(6)
    cache.prefill(0, prompt)
    cache.fork(0, lanes[1:])
    rows = cache.step(lanes, [lane % VOCAB for lane in lanes])
    for lane in (0, 77, lanes[-1]):
        assert same(rows[lane], alone(model, prompt, [lane % VOCAB])[-1])


def test_two_callers_on_two_threads_take_turns(model):
    from concurrent.futures import ThreadPoolExecutor

    songs = [song(100, seed) for seed in range(8)]
    wanted = [alone(model, ids, song(10))[-1] for ids in songs]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda ids: alone(model, ids, song(10))[-1], songs))
    assert equal(got, wanted)


def test_token_outside_the_vocabulary_is_refused(model):
    with pytest.raises(ValueError, match=f"token {VOCAB} is outside"):
        model.new_cache().prefill(0, [1, VOCAB])


@pytest.mark.parametrize("wanted", [[1], [-1], [0, 0]])
def test_logits_of_rows_that_are_not_there_are_refused(model, wanted):
    cache = model.new_cache(lanes=1)
    rows = cache._prompt_rows(0, [3], compiled_model.lay_out([3]), 0)
    with pytest.raises(ValueError, match="row"):
        cache.decoder.run(rows, wanted)
    assert cache.decoder.run(rows, [0]).shape == (1, model.config.vocab_size)


def test_lanes_that_keep_more_and_less_of_a_long_common_prefix_do_not_disturb_each_other():
    torch.manual_seed(4)
    network = GPT2(GPT2Config(VOCAB, 12000, 16, 1, 1)).eval()
    first = song(9000)
    prompts = [first, [*first[:20], *song(9000, 1)]]
    cache = network.new_cache(lanes=2)
    rows = [[cache.prefill(0, prompts[0])], []]
    cache.fork(0, [1])
    rows[1].append(cache.prefill(1, prompts[1]))
    for token in song(3):
        for lane, row in enumerate(cache.step([0, 1], [token] * 2)):
            rows[lane].append(row)
    for prompt, got in zip(prompts, rows, strict=True):
        assert equal(got, alone(network, prompt, song(3)))
