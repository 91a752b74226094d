"""Lanes of several callers in one batch: what breaks for all is told to all, and nobody gets what is half done."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tiny import engine, lanes_of, request, song

from midigpt_core.sampling.batch import Decoder, _Seat
from midigpt_core.sampling.lane import Lane
from midigpt_core.sampling.prompt import Prompt

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
