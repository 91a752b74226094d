"""Rules of a jam beside its listener: order, look-ahead, the bar clock, late chunks, its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from fake_jam import FAST, FakeJam, pitches

from midigpt_cli.live.jam_session import JamSession, Pacing
from midigpt_core.errors import RequestValidationError

pytestmark = pytest.mark.realtime

ASAP = Pacing("asap")


@contextmanager
def playing(jam: FakeJam, pacing: Pacing = ASAP) -> Iterator[JamSession]:
    session = JamSession(jam, pacing)
    try:
        yield session
    finally:
        session.end()
        session.join()


def until(test) -> None:
    stop = time.monotonic() + 10
    while not test():
        assert time.monotonic() < stop, "waited too long"
        time.sleep(0.005)


def test_chunks_come_in_order_each_once() -> None:
    with playing(FakeJam()) as session:
        given = [session.wait(5) for _ in range(6)]
    assert [g.chunk.index for g in given] == [g.chunk.start_bar for g in given] == list(range(6))
    assert [pitches(g)[0] for g in given] == list(range(36, 42))


def test_it_writes_no_further_ahead_than_it_may() -> None:
    with playing(FakeJam(), Pacing("asap", ahead=3)) as session:
        until(lambda: session.status()["ready"] == 3)
        time.sleep(0.05)
        assert session.status()["ready"] == 3
        session.wait(1)
        until(lambda: session.status()["ready"] == 3 and session.next_index == 1)


def test_a_listener_who_acknowledges_is_waited_for_and_old_chunks_are_forgotten() -> None:
    with playing(FakeJam(), Pacing("asap", ahead=2)) as session:
        for _ in range(2):
            session.wait(5)
        assert session.again(0).chunk.index == 0
        session.consume(0)
        assert session.again(0) is None
        assert session.again(1).chunk.index == 1
        assert session.wait(5).chunk.index == 2
        assert session.wait(0.1) is None  # 1 and 2 are not consumed
        session.consume(2)
        assert session.wait(5).chunk.index == 3
        with pytest.raises(RequestValidationError, match="not delivered"):
            session.consume(9)


def test_real_time_starts_a_chunk_no_earlier_than_the_look_ahead_before_it_is_due() -> None:
    with playing(FakeJam(), Pacing("realtime", ahead=2)) as session:
        started = time.monotonic()
        given = [session.wait(5) for _ in range(6)]
        took = time.monotonic() - started
    assert not any(g.late for g in given)
    assert took > 2.5 * FAST.chunk_seconds  # chunk 5 is due at 5 chunks, and may be written from 3 on


@pytest.mark.parametrize("policy", ["repeat", "rest", "skip"])
def test_a_late_chunk_gives_way_in_time_and_is_counted(policy: str) -> None:
    settings = replace(FAST, late=policy)
    jam = FakeJam(settings, slow={2: 4 * FAST.chunk_seconds})
    with playing(jam, Pacing("realtime", ahead=1)) as session:
        first = session.wait(5)
        started, given = time.monotonic(), []
        for _ in range(7):
            given.append((session.wait(5), time.monotonic() - started))
        late = session.late[policy]
    assert pitches(first) == [36]
    assert late >= 1
    for one, arrived in given:
        place = one.chunk.index * FAST.chunk_seconds
        assert arrived < place + FAST.chunk_seconds, "came after it was due"
    places = [one.chunk.index for one, _ in given]
    stand_ins = [one for one, _ in given if one.late]
    if policy == "skip":
        assert not stand_ins
        assert places != list(range(1, 8))
        assert sum(one.skipped for one, _ in given) == late
    else:
        assert places == list(range(1, 8))
        assert {one.late for one in stand_ins} == {policy}
        assert all(pitches(one) == ([37] if policy == "repeat" else []) for one in stand_ins)
        assert all(one.chunk.ticks == first.chunk.ticks for one in stand_ins)
    written = [pitches(one)[0] for one, _ in given if not one.late]
    assert written == list(range(37, 37 + len(written)))  # nothing written is lost


def test_a_listener_who_was_away_finds_the_clock_stopped() -> None:
    with playing(FakeJam(seconds=0.02), Pacing("realtime", ahead=1)) as session:
        session.wait(5)
        session.wait(5)
        time.sleep(4 * FAST.chunk_seconds)
        assert not any(session.wait(5).late for _ in range(3))


def test_an_update_says_at_which_chunk_it_is_heard() -> None:
    with playing(FakeJam(seconds=0.05), Pacing("asap", ahead=2)) as session:
        session.wait(5)
        version, first = session.update(replace(FAST, bpm=200.0))
        given = [session.wait(5) for _ in range(5)]
    assert {g.chunk.version for g in given if g.chunk.index < first} <= {0}
    assert {g.chunk.version for g in given if g.chunk.index >= first} == {version} == {1}
    assert {g.chunk.score.tempo for g in given if g.chunk.index >= first} == {300_000}


def test_an_update_that_cannot_be_played_changes_nothing() -> None:
    with playing(FakeJam()) as session:
        with pytest.raises(RequestValidationError, match="bpm"):
            session.update(replace(FAST, bpm=1.0))
        assert session.settings == FAST
        assert session.version == 0


def test_a_jam_nobody_listens_to_ends() -> None:
    with playing(FakeJam(), Pacing("asap", expires=0.1)) as session:
        until(lambda: session.ended)
        assert session.ended == "expired"


def test_the_end_does_not_wait_for_the_chunk_being_written() -> None:
    session = JamSession(FakeJam(seconds=30.0), ASAP)
    until(lambda: session.status()["writing"])
    session.end()
    session.join(2)
    assert not session._thread.is_alive()
    assert session.wait(1) is None


@pytest.mark.parametrize(("wrong", "says"), [({"pace": "slow"}, "known: asap, realtime"), ({"ahead": 0}, "1 to 64")])
def test_pacing_that_makes_no_sense_is_refused(wrong: dict, says: str) -> None:
    with pytest.raises(RequestValidationError, match=says):
        Pacing(**wrong)
