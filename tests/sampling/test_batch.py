"""Lanes of several callers in one batch: what breaks for all is told to all, and nobody gets what is half done."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tiny import engine, lanes_of, request, song

from midigpt_core.request import InferenceConfig
from midigpt_core.sampling.batch import Decoder, _common, _Seat
from midigpt_core.sampling.draw import SamplingParameters
from midigpt_core.sampling.lane import Lane, Prompt

KINDS = (IndexError, KeyError, MemoryError, OSError, RuntimeError, KeyboardInterrupt)


def decoder(**limits: int) -> Decoder:
    return Decoder(engine().model, engine().tokenizer.vocabulary, **limits)


def shared(at_work: Decoder, monkeypatch, meanwhile=lambda: None):
    """Two callers in one batch, each on its own thread, and what each was told; `meanwhile` runs once both are in."""
    batches = [lanes_of(request(song(), {1: [bar]}, pool=1), monkeypatch) for bar in (4, 5)]
    told: list[BaseException | None] = [None, None]

    def call(number: int) -> None:
        try:
            at_work.generate(batches[number])
        except KINDS as error:
            told[number] = error

    second = threading.Thread(target=call, args=(1,))
    step = at_work._step

    def once_both_are_in() -> None:
        if not second.ident:
            second.start()
            while not at_work._waiting:
                pass
        elif at_work.active == 2:
            meanwhile()
        step()

    monkeypatch.setattr(at_work, "_step", once_both_are_in)
    call(0)
    second.join()
    return [lanes for [lanes] in batches], told


@pytest.mark.parametrize("kind", KINDS)
def test_what_breaks_a_model_call_is_raised_to_every_caller_of_the_batch(kind, monkeypatch) -> None:
    at_work = decoder(max_lanes=2, reserve=2)

    def broken(slots, ids):
        raise kind("once")

    def breaks_once() -> None:
        assert at_work._cache is not None
        monkeypatch.setattr(at_work._cache, "step", broken)

    lanes, told = shared(at_work, monkeypatch, breaks_once)
    assert [type(error) for error in told] == [kind, kind]
    assert all(lane.done for lane in lanes)
    [again] = lanes_of(request(song(), {1: [4]}, pool=1), monkeypatch)
    at_work.generate([again])
    assert again.grammar.finished


@pytest.mark.parametrize("kind", [IndexError, MemoryError])
def test_what_breaks_while_a_prompt_is_read_is_raised_to_its_caller(kind, monkeypatch) -> None:
    at_work = decoder()
    [one] = lanes_of(request(song(), {1: [4]}, pool=1), monkeypatch)

    def broken(prompt):
        raise kind("no room")

    monkeypatch.setattr(at_work, "_enter", broken)
    with pytest.raises(kind):
        at_work.generate([one])


def test_guidance_goes_from_the_uncontrolled_logits_through_the_controlled_ones() -> None:
    [lane] = [Lane(Prompt((1,)), grammar=None, drums=(False,), guidance=3.0)]  # type: ignore[arg-type]
    controlled, uncontrolled = np.array([2.0, 0.0], np.float32), np.array([1.0, 0.5], np.float32)
    seat = _Seat(lane, 0, 1, controlled, uncontrolled)
    assert seat.push is not None
    assert np.allclose(controlled + seat.push, uncontrolled + 3.0 * (controlled - uncontrolled))
    assert _Seat(lane, 0, None, controlled).push is None


def test_takes_of_one_request_compute_their_prompt_once(monkeypatch) -> None:
    at_work = decoder()
    lanes = lanes_of(request(song(), {1: [4]}, num_candidates=4, pool=1), monkeypatch)
    assert len(lanes) == 4
    at_work.generate(lanes)
    assert at_work._cache is not None
    length = len(lanes[0].prompt.tokens)
    assert length <= at_work._cache.prefilled < length + 2 * len(lanes)  # the last token of each is always redone


def test_a_lane_that_waits_ends_as_soon_as_its_caller_goes(monkeypatch) -> None:
    at_work = decoder(max_lanes=1)
    [first] = lanes_of(request(song(), {1: [4]}, pool=1), monkeypatch)
    [waiting] = lanes_of(request(song(), {1: [5]}, pool=1), monkeypatch)
    waiting.cancelled = lambda: True
    ended: list[bool] = []
    first.on_cell = lambda lane: ended.append(waiting.done and waiting.stopped)
    at_work.generate([first, waiting])
    assert ended == [True]
    assert not waiting.written


def test_a_guided_lane_takes_two_places_of_the_batch(monkeypatch) -> None:
    at_work = decoder(max_lanes=4)
    wish = request(song(), {1: [4]}, num_candidates=3, pool=1, guidance=2.0, control_tries=1)
    wish.tracks[1].attributes["note_density"] = 5
    lanes = lanes_of(wish, monkeypatch)
    assert len(lanes) == 3
    assert all(lane.uncontrolled is not None for lane in lanes)
    most: list[int] = []
    for lane in lanes:
        lane.on_cell = lambda lane: most.append(at_work.active)
    at_work.generate(lanes)
    assert max(most) == 2
    assert at_work._cache is not None
    assert at_work._cache.lanes == 4


def test_room_is_made_for_those_who_wait_and_no_more(monkeypatch) -> None:
    at_work = decoder()
    wish = request(song(), {1: [4]}, num_candidates=2, pool=1, guidance=2.0, control_tries=1)
    wish.tracks[1].attributes["note_density"] = 5
    at_work.generate(lanes_of(wish, monkeypatch))
    assert at_work._cache is not None
    assert at_work._cache.lanes == 4


def test_what_a_cache_holds_is_kept_from_one_request_to_the_next(monkeypatch) -> None:
    at_work = decoder()
    at_work.generate(lanes_of(request(song(), {1: [4]}, pool=1), monkeypatch))
    before = at_work._cache
    assert before is not None
    [lane] = lanes_of(request(song(), {1: [4]}, pool=1), monkeypatch)
    read = before.prefilled
    at_work.generate([lane])
    assert at_work._cache is before
    assert before.prefilled - read < len(lane.prompt.tokens)


def test_tokens_and_calls_of_the_model_are_counted(monkeypatch) -> None:
    at_work = decoder()
    lanes = lanes_of(request(song(), {1: [4]}, num_candidates=2, pool=1), monkeypatch)
    at_work.generate(lanes)
    assert at_work.tokens_drawn == sum(len(lane.written) for lane in lanes)
    assert at_work.model_calls == max(len(lane.written) for lane in lanes) - 1


@pytest.mark.parametrize(
    ("held", "shared_tokens"),
    [
        (None, 0),
        (Prompt((1, 2, 9)), 2),
        (Prompt((1, 2, 3, 4)), 3),
        (Prompt((1, 2, 3), hidden_spans=((0, 1),)), -1),
        (Prompt((1, 2, 3), masking="bar"), -1),
    ],
)
def test_a_slot_is_worth_the_tokens_it_shares_unless_it_hid_others(held: Prompt | None, shared_tokens: int) -> None:
    assert _common(held, Prompt((1, 2, 3))) == shared_tokens


def test_a_lane_draws_the_numbers_of_its_seed_in_order(monkeypatch) -> None:
    [lane] = lanes_of(request(song(), {1: [4]}, pool=1), monkeypatch)
    numbers = np.random.Generator(np.random.PCG64(lane.seed)).random(150)
    assert [lane.uniform() for _ in range(150)] == numbers.tolist()


def test_nothing_is_filtered_where_no_filter_is_set() -> None:
    assert {name: getattr(SamplingParameters(), name) for name in ("temperature", "top_k", "top_p")} == {
        name: getattr(InferenceConfig(), name) for name in ("temperature", "top_k", "top_p")
    }
