"""Steps are made to fit the model: tracks dropped, windows shortened, steps split."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from tiny import engine, request, song

from midigpt_core.generation import fit_context, request_plan
from midigpt_core.generation.fit_context import narrowed
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.step_prompt import StepPrompt, prepare_step
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.plan.drop_order import expected_tokens
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Note, Score


def test_a_window_is_shortened_around_its_targets_where_dropping_tracks_is_not_enough() -> None:
    score, tokenizer = song(16), engine().tokenizer
    wish = request(score, {1: [8]})
    [step] = fitting_plan(wish, score, [(1, 8)], tokenizer, 0, 2048)
    prompt, dropped = narrowed(tokenizer, score, step, wish, (), 110)
    assert dropped == [2, 0] or dropped == [0, 2]
    assert prompt.step.n_bars == 4
    assert prompt.step.start_bar <= 8 < prompt.step.end_bar


def test_steps_are_split_until_each_leaves_room_to_read() -> None:
    score, tokenizer = song(16), engine().tokenizer
    cells = [(1, bar) for bar in range(8)]
    wish = request(score, {1: list(range(8))})
    assert len(fitting_plan(wish, score, cells, tokenizer, 0, 4096)) == 1
    split = fitting_plan(wish, score, cells, tokenizer, 0, 160)
    assert len(split) > 1
    assert sorted(cell for step in split for cell in step.cells) == cells


def test_a_continuation_that_cannot_be_split_is_planned_as_it_is(monkeypatch) -> None:
    plans = iter(range(8))  # more than halving eight bars takes: a planner that never ends runs out of them
    once = request_plan.plan_request
    monkeypatch.setattr(request_plan, "plan_request", lambda *given: next(plans) >= 0 and once(*given))
    score, tokenizer = song(16), engine().tokenizer
    cells = [(1, bar) for bar in range(8)]
    wish = request(score, {1: list(range(8))})
    wish.tracks[1] = replace(wish.tracks[1], autoregressive=True)
    for n_positions in (4096, 160):  # from the first bar on, a window is written at once however short steps may be
        [step] = fitting_plan(wish, score, cells, tokenizer, 0, n_positions)
        assert sorted(step.cells) == cells


def test_context_all_drops_nothing() -> None:
    score, tokenizer = song(16), engine().tokenizer
    wish = request(score, {1: [8]}, context="all")
    [step] = fitting_plan(wish, score, [(1, 8)], tokenizer, 0, 2048)
    assert narrowed(tokenizer, score, step, wish, (), 200)[1] == []


def test_kept_tracks_are_not_dropped() -> None:
    score, tokenizer = song(16), engine().tokenizer
    wish = request(score, {1: [8]}, context_keep=[2])
    [step] = fitting_plan(wish, score, [(1, 8)], tokenizer, 0, 2048)
    assert narrowed(tokenizer, score, step, wish, (), 110)[1] == [0]


def test_no_track_is_dropped_where_dropping_the_others_was_enough() -> None:
    score, tokenizer = song(16), engine().tokenizer
    score.tracks.append(replace(score.tracks[2], bars=[replace(b, notes=b.notes[:1]) for b in score.tracks[2].bars]))
    wish = request(score, {1: [8]})
    [step] = fitting_plan(wish, score, [(1, 8)], tokenizer, 0, 2048)
    seen = set()
    for n_positions in range(120, 600, 20):
        prompt, dropped = narrowed(tokenizer, score, step, wish, (), n_positions)
        seen.add(len(dropped))
        room = n_positions - wish.config.budget_margin * expected_tokens(score, step)
        if len(prompt.prompt.tokens) < room and prompt.step == step:
            for track in dropped:
                others = [other for other in dropped if other != track]
                assert len(prepare_step(tokenizer, score, step, wish, others).prompt.tokens) >= room
    assert {0, 1, 2} <= seen


def test_bars_far_from_the_targets_are_hidden_where_nothing_else_helps() -> None:
    score, tokenizer = song(16), engine().tokenizer
    dense = [Note(48 + i, 80, i * score.resolution // 4, 60) for i in range(12)]
    tracks = [replace(t, bars=[replace(b, notes=[*b.notes, *dense]) for b in t.bars]) for t in score.tracks]
    score = replace(score, tracks=tracks)
    wish = request(score, {1: [8]})
    [step] = fitting_plan(wish, score, [(1, 8)], tokenizer, 0, 170)
    prompt, _ = narrowed(tokenizer, score, step, wish, (), 170)
    assert len(prompt.prompt.tokens) < 170
    hidden = {bar for track, bar in prompt.step.pending if track == 1}
    heard = set(range(prompt.step.start_bar, prompt.step.end_bar)) - hidden - {8}
    assert hidden
    assert max((abs(bar - 8) for bar in heard), default=0) <= min(abs(bar - 8) for bar in hidden)


def crowd(tracks: int) -> Score:
    """Many tracks beside the three of the song, some of them silent in places."""
    score = song(16)
    chance = random.Random(1)
    for _ in range(tracks):
        like = chance.choice(score.tracks[:3])
        bars = [replace(bar, notes=bar.notes[: chance.choice((0, 1, 3, 40))]) for bar in like.bars]
        score.tracks.append(replace(like, bars=bars, instrument=chance.randrange(128)))
    return score


@pytest.mark.parametrize("n_positions", [250, 400, 777, 1500])
def test_tracks_that_cannot_be_heard_are_left_out_unseen_and_the_others_as_if_all_were_seen(
    n_positions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    score, tokenizer = crowd(150), engine().tokenizer
    wish = request(score, {1: [8]}, context_drop=[9, 4])
    [step] = fitting_plan(wish, score, [(1, 8)], tokenizer, 0, 2048)
    seen: list[int] = []
    prepare = fit_context.prepare_step

    def counted(*given: Any) -> StepPrompt:
        prompt = prepare(*given)
        seen.append(len(prompt.tracks))
        return prompt

    monkeypatch.setattr(fit_context, "prepare_step", counted)
    prompt, dropped = narrowed(tokenizer, score, step, wish, (), n_positions)
    assert max(seen) < 110  # of 153
    monkeypatch.setattr(fit_context, "_hopeless", lambda *_: [])
    whole, all_dropped = narrowed(tokenizer, score, step, wish, (), n_positions)
    assert max(seen) == 153
    assert (prompt.prompt, dropped) == (whole.prompt, all_dropped)


def test_only_tracks_that_may_be_heard_are_made_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_context, "_LAST", 20)
    data = score_to_bytes(crowd(400))
    score, tokenizer = Score.from_midi(data), engine().tokenizer
    wish = request(score, {1: [8]})
    [step] = fitting_plan(wish, score, [(1, 8)], tokenizer, 0, 2048)
    narrowed(tokenizer, score, step, wish, (), 400)
    assert sum(track.part is None for track in score.tracks) < 40  # of 403


def exact(n_positions: int, **config: Any) -> tuple[StepPrompt, StepPrompt]:
    """The prompt of a step as it is, and as it is made to fit where that many positions more than it are left."""
    score, tokenizer = song(16), engine().tokenizer
    wish = request(score, {1: [8]}, budget_margin=1.0, **config)
    [step] = fitting_plan(wish, score, [(1, 8)], tokenizer, 0, 2048)
    whole = prepare_step(tokenizer, score, step, wish, ())
    room = len(whole.prompt.tokens) + n_positions
    return whole, narrowed(tokenizer, score, step, wish, (), room + expected_tokens(score, step))[0]


def test_a_prompt_fits_where_it_is_shorter_than_its_room() -> None:
    whole, fitted = exact(1, context="all")
    assert fitted.prompt == whole.prompt
    whole, fitted = exact(0, context="all")
    assert fitted.step.n_bars < whole.step.n_bars


def test_no_bar_is_hidden_from_a_prompt_that_takes_less_than_a_quarter_of_the_positions() -> None:
    score, tokenizer = song(16), engine().tokenizer
    wish = request(score, {1: [8]}, budget_margin=1000.0)
    [step] = fitting_plan(replace(wish, config=InferenceConfig()), score, [(1, 8)], tokenizer, 0, 2048)
    prompt, dropped = narrowed(tokenizer, score, step, wish, (), 2048)
    assert sorted(dropped) == [0, 2]
    assert not prompt.step.pending


def test_a_track_that_would_fill_the_room_to_the_last_token_stays_left_out() -> None:
    score, tokenizer = song(16), engine().tokenizer
    wish = request(score, {1: [8]})
    [step] = fitting_plan(wish, score, [(1, 8)], tokenizer, 0, 2048)
    prompt = prepare_step(tokenizer, score, step, wish, ())
    lengths = fit_context._lengths(prompt)
    first, second = sorted((0, 2), key=lambda track: lengths[track])
    room = len(prompt.prompt.tokens) - lengths[second]
    assert fit_context._with_further([], [first, second], prompt, room, 1) == [first, second]
    assert fit_context._with_further([], [first, second], prompt, room + 1, 1) == [second]
