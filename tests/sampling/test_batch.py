"""Lanes of several callers in one batch: what breaks for all is told to all, and nobody gets what is half done."""

from __future__ import annotations

import threading

import pytest
from tiny import engine, lanes_of, request, song

from midigpt_core.sampling.batch import Decoder

KINDS = (IndexError, KeyError, MemoryError, OSError, RuntimeError, KeyboardInterrupt)


def decoder(**limits: int) -> Decoder:
    return Decoder(engine().model, engine().tokenizer.vocabulary, **limits)


def shared(at_work: Decoder, monkeypatch, meanwhile=lambda: None):
    """Two callers in one batch, each on its own thread, and what each was told; `meanwhile` runs once both are in."""
    batches = [lanes_of(request(song(), {1: [bar]}), monkeypatch) for bar in (4, 5)]
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
    [again] = lanes_of(request(song(), {1: [4]}), monkeypatch)
    at_work.generate([again])
    assert again.grammar.finished


@pytest.mark.parametrize("kind", [IndexError, MemoryError])
def test_what_breaks_while_a_prompt_is_read_is_raised_to_its_caller(kind, monkeypatch) -> None:
    at_work = decoder()
    [one] = lanes_of(request(song(), {1: [4]}), monkeypatch)

    def broken(prompt):
        raise kind("no room")

    monkeypatch.setattr(at_work, "_enter", broken)
    with pytest.raises(kind):
        at_work.generate([one])
