"""Of a pool of candidates each take keeps the one most like the others; faults, copies and twins come behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import real
from tiny import engine, request, song

from midigpt_core import trace
from midigpt_core.generation.candidate_consensus import APART, agreement, differing, note_f1
from midigpt_core.generation.choose_candidate import FEWEST, CandidatePool, candidates_per_take
from midigpt_core.generation.judge_candidate import Candidate, Fault, Judge
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.run import Run
from midigpt_core.generation.step_prompt import prepare_step
from midigpt_core.generation.take import Draft
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Note

CELL = (1, 4)
LINES = (  # pitches of a bar in quarter notes: three alike, one apart
    (36, 40, 43, 48),
    (36, 40, 43, 47),
    (36, 40, 43, 45),
    (50, 52, 53, 55),
)


def notes(*pitches: int) -> list[Note]:
    return [Note(pitch, 90, 480 * i, 200) for i, pitch in enumerate(pitches)]


def prompt_for(score, **config):
    wish = request(score, {1: [4]}, **config)
    tokenizer = engine().tokenizer
    [step] = fitting_plan(wish, score, [CELL], tokenizer, 0, 2048)
    return prepare_step(tokenizer, score, step, wish, ())


def pool_of(*bars: list[Note], score=None, **config) -> tuple[CandidatePool, Draft]:
    """A pool of these candidates for bar 4 of the bass, and a take that may choose from it."""
    score = score or song()
    prompt = prompt_for(score, **config)
    grid = [[replace(n, onset_ticks=n.onset_ticks * 12 // 480) for n in bar] for bar in bars]
    found = [
        Candidate(score, prompt, {CELL: bar}, {CELL: placed}, -float(i), 10, False)
        for i, (bar, placed) in enumerate(zip(bars, grid, strict=True))
    ]
    return CandidatePool(engine().tokenizer, found), Draft(score, 7)


def chosen(pool: CandidatePool, draft: Draft, *passed) -> list[int]:
    return [note.pitch for note in pool.take_for(draft, 0, passed).cells[CELL]]


def test_note_f1_counts_equal_notes_on_the_sixteenth_grid() -> None:
    a, b = {CELL: notes(36, 40, 43, 48)}, {CELL: [*notes(36, 41, 43), Note(48, 90, 480 * 3 + 50, 100)]}
    c = {CELL: [Note(48, 90, 480 * 3 + 70, 100)]}
    assert note_f1([a, b, c, {}], 480)[0] == pytest.approx([1, 2 * 3 / 8, 0, 0])
    assert note_f1([{}, {CELL: []}], 480).min() == 1
    assert note_f1([a, {(1, 5): notes(36, 40, 43, 48)}], 480)[0, 1] == 0  # not in the same bar


def test_agreement_is_with_the_others_alone() -> None:
    table = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 1.0]])
    assert agreement(table) == pytest.approx([0.25, 0.4, 0.15])
    assert agreement(np.ones((1, 1))) == pytest.approx([1])


def test_the_first_that_differs_enough_is_taken_or_else_the_least_alike() -> None:
    table = np.array([[1.0, APART + 0.1, APART], [APART + 0.1, 1.0, 0.0], [APART, 0.0, 1.0]])
    assert differing([1, 2], table, [0]) == 2
    assert differing([1, 2], table, []) == 1
    assert differing([1], table, [0]) == 1


def test_a_take_keeps_the_candidate_most_like_the_others_however_unlikely() -> None:
    odd, *alike = (notes(*line) for line in LINES[::-1])
    pool, draft = pool_of(odd, *alike)
    assert chosen(pool, draft)[:3] == [36, 40, 43]
    assert pool.candidates[0].logprob == 0  # the odd one was the likeliest


def test_further_takes_differ_from_those_before() -> None:
    same = [notes(36, 40, 43, 48, 36, 40, 43), notes(36, 40, 43, 48, 36, 40, 45)]
    pool, draft = pool_of(*same, *same, notes(36, 40, 43, 48, 52, 55, 59), notes(50, 52, 53, 55))
    first, second = chosen(pool, draft), chosen(pool, draft)
    assert first[:6] == [36, 40, 43, 48, 36, 40]
    assert second == [36, 40, 43, 48, 52, 55, 59]


def test_bars_as_they_were_are_not_chosen_while_others_differ() -> None:
    score = song()
    score.tracks[1].bars[4].notes = notes(*LINES[0])
    pool, draft = pool_of(notes(*LINES[0]), notes(*LINES[0]), notes(*LINES[1]), score=score)
    assert chosen(pool, draft) == list(LINES[1])
    pool, draft = pool_of(notes(*LINES[0]), notes(*LINES[0]), notes(*LINES[1]), score=score, retry_unchanged=False)
    assert chosen(pool, draft) == list(LINES[0])
    pool, draft = pool_of(notes(*LINES[0]), notes(*LINES[0]), score=score)
    assert pool.take_for(draft, 0, ()).fault is Fault.UNCHANGED  # nothing else is there


def test_bars_that_hang_on_one_pitch_are_not_chosen_while_others_do_not() -> None:
    stuck = [Note(36, 90, 240 * i, 100) for i in range(8)]
    pool, draft = pool_of(stuck, stuck, stuck, notes(*LINES[0]))
    assert chosen(pool, draft) == list(LINES[0])


def test_bars_to_remark_on_are_not_chosen_while_others_leave_nothing_to_say() -> None:
    high = [notes(96, 100, 103, 108), notes(96, 100, 103, 107), notes(96, 100, 103, 105)]  # a bass has no such notes
    pool, draft = pool_of(*high, notes(*LINES[0]), playable=True)
    assert chosen(pool, draft) == list(LINES[0])
    pool, draft = pool_of(*high, playable=True)
    few, *more = pool.candidates[2], *pool.candidates[:2]
    for candidate in more:
        candidate.remarks *= 2
    kept = pool.take_for(draft, 0, ())
    assert kept is few
    assert kept.fault is Fault.NOT_AS_ASKED  # better than nothing


def test_silence_comes_last() -> None:
    pool, draft = pool_of([], [], [], notes(*LINES[0]))
    assert chosen(pool, draft) == list(LINES[0])


def test_between_equally_good_bars_the_one_that_stands_nowhere_else_is_kept() -> None:
    score = song()
    score.tracks[1].bars[1].notes = notes(*LINES[0])
    pool, draft = pool_of(notes(*LINES[0]), notes(*LINES[1]), score=score)
    assert chosen(pool, draft) == list(LINES[1])
    hidden = song()
    hidden.tracks[1].bars[4].notes = notes(*LINES[0])  # what is to be replaced says nothing about sameness
    pool, _ = pool_of(notes(*LINES[0]), notes(*LINES[1]), score=hidden, retry_unchanged=False)
    assert pool.candidates[0].consensus == pool.candidates[1].consensus


def test_a_take_that_must_differ_from_other_takes_keeps_one_that_does() -> None:
    score = song()
    rule = {"novelty_check": True, "novelty_against": ["takes"], "num_candidates": 2}
    pool, draft = pool_of(notes(*LINES[0]), notes(*LINES[0]), notes(*LINES[3]), score=score, **rule)
    other = pool.candidates[0].written
    assert chosen(pool, draft, other) == list(LINES[3])
    pool, draft = pool_of(notes(*LINES[0]), score=score, **rule)
    kept = pool.take_for(draft, 0, [other])
    assert kept.fault is Fault.FAILED
    assert "another take" in kept.reason


def test_a_better_candidate_of_an_earlier_attempt_is_kept() -> None:
    pool, draft = pool_of(notes(*LINES[0]))
    [good], bad = pool.candidates, replace(pool.candidates[0], fault=Fault.FAILED)
    for candidate in (replace(good, fault=Fault.UNCHANGED), bad):
        draft.keep(candidate)
    assert draft.best.fault is Fault.UNCHANGED
    draft.keep(good)
    draft.keep(bad)
    draft.close_step()
    assert draft.accepted


def test_takes_share_a_pool_with_a_few_candidates_each() -> None:
    prompt = prompt_for(song())
    sizes = {takes: candidates_per_take(InferenceConfig(), prompt, takes) for takes in (1, 2, 3, 8)}
    assert sizes == {1: 8, 2: 4, 3: 3, 8: FEWEST}
    assert candidates_per_take(InferenceConfig(pool=1), prompt, 1) == 1
    assert candidates_per_take(InferenceConfig(pool=1), prompt, 4) == 1
    forward = replace(prompt, step=replace(prompt.step, autoregressive=True))
    assert candidates_per_take(InferenceConfig(), forward, 1) == 1


def test_listeners_hear_the_bars_of_what_is_kept_under_the_take_that_keeps_it() -> None:
    score, told = song(), []
    session = engine().session(score, request(score, {1: [4, 5]}, num_candidates=3, max_attempts=1))
    session.listener = told.append
    takes = session.run_takes().takes
    bars = [event for event in told if isinstance(event, trace.BarReady)]
    assert sorted((event.take, event.bar) for event in bars) == [(t, b) for t in range(3) for b in (4, 5)]
    for event in bars:
        now = takes[event.take].score.tracks[1].bars[event.bar].notes
        assert list(event.notes) == [(n.pitch, n.velocity, n.onset_ticks, n.duration_ticks) for n in now]


def test_what_a_step_keeps_is_what_the_next_one_hears(monkeypatch) -> None:
    score = song(24)
    heard = []
    prompts = Run._fitting_prompt
    monkeypatch.setattr(
        Run, "_fitting_prompt", lambda self, given, *rest: (heard.append(given), prompts(self, given, *rest))[1]
    )
    wish = request(score, {1: list(range(8))}, model_dim=4, bars_per_step=4)
    after = engine().session(score, wish).run_takes().takes[0].score
    assert len(heard) == 2
    assert heard[1].tracks[1].bars[:4] == after.tracks[1].bars[:4] != score.tracks[1].bars[:4]


def test_on_real_music_a_take_agrees_more_with_others_than_one_drawn_alone() -> None:
    score = real.sample("pop")
    config = {"seed": 3, "retry_unchanged": False, "silence_check": False, "retry_stuck": False}
    found = real.engine().session(score, request(score, {2: [4, 5]}, num_candidates=8, pool=1, **config))
    takes = found.run_takes().takes
    table = note_f1([{(2, b): take.score.tracks[2].bars[b].notes for b in (4, 5)} for take in takes], score.resolution)
    assert [take.consensus for take in takes] == pytest.approx(agreement(table), abs=0.051)
    best = found.result.ranked[0]
    assert best.consensus == max(take.consensus for take in takes)
    assert best.consensus > np.mean([take.consensus for take in takes])


@pytest.mark.parametrize("pool", [1, 4])
def test_where_the_last_attempt_fails_the_best_one_before_is_kept_and_told_again(monkeypatch, pool) -> None:
    faults = iter([Fault.UNCHANGED] * pool + [Fault.FAILED] * pool)
    monkeypatch.setattr(Judge, "examine", lambda self, candidate, _: setattr(candidate, "fault", next(faults)))
    score, told = song(), []
    session = engine().session(score, request(score, {1: [4]}, max_attempts=2, pool=pool))
    session.listener = told.append
    [take] = session.run_takes().takes
    assert (take.accepted, take.attempts, len(take.rejected)) == (True, 2, 2)
    bars = [event for event in told if isinstance(event, trace.BarReady)]
    now = [(n.pitch, n.velocity, n.onset_ticks, n.duration_ticks) for n in take.score.tracks[1].bars[4].notes]
    assert list(bars[-1].notes) == now == list(bars[0].notes)
    assert len(bars) == 3
    assert any(isinstance(event, trace.TakeReady) for event in told)
