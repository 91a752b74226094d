"""A request runs through the one pipeline: right cells, right checks, same notes for the same seed."""

from __future__ import annotations

import threading
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from tiny import engine, lanes_of, request, song

from midigpt_core import trace
from midigpt_core.constraints.masks import Constraint
from midigpt_core.engine import InferenceEngine
from midigpt_core.errors import CancelledError, GenerationError, RequestValidationError
from midigpt_core.generation.choose_candidate import FEWEST
from midigpt_core.generation.lane_constraints import build_constraints
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.run import Run
from midigpt_core.generation.step_prompt import prepare_step
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.sampling.batch import Decoder
from midigpt_core.sampling.lane import Lane
from midigpt_core.score import Score
from midigpt_core.tokens.grammar import Grammar


def run(score: Score, wish: GenerationRequest):
    return engine().session(score, wish).run_takes()


def notes(score: Score, track: int, bars: list[int]):
    return [
        [(n.pitch, n.onset_ticks, n.duration_ticks, n.velocity) for n in score.tracks[track].bars[b].notes]
        for b in bars
    ]


def test_only_the_asked_bars_change() -> None:
    score = song()
    result = run(score, request(score, {1: [4, 5], 2: [5]}))
    after = result.takes[0].score
    for t, track in enumerate(score.tracks):
        for b, bar in enumerate(track.bars):
            same = after.tracks[t].bars[b].notes == bar.notes
            assert same is ((t, b) not in {(1, 4), (1, 5), (2, 5)})


def test_the_input_score_is_not_changed() -> None:
    score = song()
    before = deepcopy(score)
    run(score, request(score, {1: [4, 5]}))
    assert score == before


def test_the_same_seed_gives_the_same_notes() -> None:
    score = song()
    first = run(score, request(score, {1: [4, 5]}, seed=11)).takes[0].score
    again = run(score, request(score, {1: [4, 5]}, seed=11)).takes[0].score
    other = run(score, request(score, {1: [4, 5]}, seed=12)).takes[0].score
    assert notes(first, 1, [4, 5]) == notes(again, 1, [4, 5]) != notes(other, 1, [4, 5])


def test_without_a_pool_take_i_equals_a_run_with_seed_plus_i() -> None:
    score = song()
    takes = run(score, request(score, {1: [4], 0: [4]}, num_candidates=3, seed=20, pool=1)).takes
    assert [take.seed for take in takes] == [20, 21, 22]
    alone = run(score, request(score, {1: [4], 0: [4]}, seed=22, pool=1)).takes[0]
    assert notes(takes[2].score, 1, [4]) == notes(alone.score, 1, [4])


def test_a_drawn_seed_is_reported_and_replays() -> None:
    score = song()
    result = run(score, request(score, {1: [4]}, seed=-1))
    replayed = run(score, request(score, {1: [4]}, seed=result.seed))
    assert notes(result.takes[0].score, 1, [4]) == notes(replayed.takes[0].score, 1, [4])


def test_ranked_takes_put_those_the_others_agree_with_first() -> None:
    score = song()
    ranked = run(score, request(score, {1: [4]}, num_candidates=4)).ranked
    agreed = [take.consensus for take in ranked]
    assert agreed == sorted(agreed, reverse=True)
    assert len(set(agreed)) > 1


def test_nothing_of_the_replaced_notes_reaches_the_prompt() -> None:
    score = song()
    other = deepcopy(score)
    for bar in (4, 5):
        other.tracks[1].bars[bar].notes = [
            replace(n, pitch=n.pitch + 13, onset_ticks=n.onset_ticks + 7) for n in score.tracks[1].bars[bar].notes
        ]
    wish = request(score, {1: [4, 5]}, attribute_source="context", retry_unchanged=False)
    assert notes(run(score, wish).takes[0].score, 1, [4, 5]) == notes(run(other, wish).takes[0].score, 1, [4, 5])


def test_a_piece_shorter_than_the_window_is_padded() -> None:
    score = song(bars=2)
    after = run(score, request(score, {1: [1]})).takes[0].score
    assert len(after.tracks[1].bars) == 2
    assert after.tracks[1].bars[1].notes


def test_notes_stay_inside_bars_of_any_metre() -> None:
    score = song(bars=12, metres=((7, 8), (3, 4), (5, 16)))
    after = run(score, request(score, {t: list(range(3, 9)) for t in range(3)}, temperature=1.5)).takes[0].score
    for track in after.tracks:
        for bar in track.bars:
            assert all(n.onset_ticks < bar.beat_length * 480 for n in bar.notes)


def test_autoregressive_bars_are_written_to_the_end_in_the_piece_s_metre() -> None:
    score = song(bars=10, metres=((3, 4),))
    prompts = [TrackPrompt(0), TrackPrompt(1, [7, 8, 9], autoregressive=True), TrackPrompt(2)]
    after = run(score, GenerationRequest(prompts, InferenceConfig(seed=3))).takes[0].score
    assert all(after.tracks[1].bars[b].notes for b in (7, 8, 9))
    assert notes(after, 1, [0, 6]) == notes(score, 1, [0, 6])


def test_a_track_is_written_from_nothing() -> None:
    score = song(bars=8)
    for bar in score.tracks[1].bars:
        bar.notes = []
    prompts = [TrackPrompt(0), TrackPrompt(1, autoregressive=True), TrackPrompt(2)]
    after = run(score, GenerationRequest(prompts, InferenceConfig(seed=3))).takes[0].score
    assert all(bar.notes for bar in after.tracks[1].bars)


def test_no_bar_is_read_back_for_a_caller_who_does_not_listen(monkeypatch) -> None:
    score, asked = song(), []
    monkeypatch.setattr(Run, "_bar_ready", lambda *given: asked.append(given))
    engine().session(score, request(score, {1: [4]})).run_takes()
    assert not asked


def test_long_targets_take_several_steps_and_each_cell_is_written_once() -> None:
    score = song(bars=24)
    heard: list[tuple[int, int]] = []
    session = engine().session(score, request(score, {1: list(range(2, 22))}, retry_unchanged=False))
    session.listener = lambda e: heard.append((e.track, e.bar)) if isinstance(e, trace.BarReady) else None
    result = session.run_takes()
    assert len(result.steps) > 1
    assert sorted(heard) == [(1, bar) for bar in range(2, 22)]


def test_hidden_bars_are_not_heard() -> None:
    score, other = song(), song()
    other.tracks[2].bars[5].notes = []
    wish = GenerationRequest(
        [TrackPrompt(0), TrackPrompt(1, [4]), TrackPrompt(2, mask_bars=[5])], InferenceConfig(seed=1)
    )
    assert notes(run(score, wish).takes[0].score, 1, [4]) == notes(run(other, wish).takes[0].score, 1, [4])


@pytest.mark.parametrize("mode", ["token", "attention", "attention_approx", "attention_skip", "remove", "auto"])
def test_every_mask_mode_runs(mode: str) -> None:
    score = song()
    prompts = [TrackPrompt(0, mask_bars=[6, 7]), TrackPrompt(1, [4]), TrackPrompt(2, mask_bars=[3])]
    after = run(score, GenerationRequest(prompts, InferenceConfig(seed=1, mask_mode=mode))).takes[0].score
    assert after.tracks[1].bars[4].notes


def test_hard_limits_hold_in_the_written_notes() -> None:
    score = song()
    after = (
        run(score, request(score, {2: [3, 4, 5]}, density_hard_limit=4, polyphony_hard_limit=2, seed=5)).takes[0].score
    )
    for b in (3, 4, 5):
        bar = after.tracks[2].bars[b]
        assert 0 < len(bar.notes) <= 4
    starts = [0]
    for bar in after.tracks[2].bars:
        starts.append(starts[-1] + round(bar.beat_length * 480))
    spans = [
        (starts[b] + n.onset_ticks, starts[b] + n.onset_ticks + n.duration_ticks)
        for b, bar in enumerate(after.tracks[2].bars)
        for n in bar.notes
    ]
    written = [starts[b] + n.onset_ticks for b in (3, 4, 5) for n in after.tracks[2].bars[b].notes]
    assert all(sum(a <= tick < z for a, z in spans) <= 2 for tick in written)


def test_rejected_attempts_are_retried_and_reported() -> None:
    score = song()
    session = engine().session(
        score,
        request(
            score, {1: [4]}, novelty_check=True, novelty_threshold=1e-9, novelty_against=["context"], max_attempts=3
        ),
    )
    events: list[trace.Event] = []
    session.listener = events.append
    result = session.run_takes()
    rejected = [e for e in events if isinstance(e, trace.AttemptRejected)]
    assert result.takes[0].attempts == len(rejected) + int(result.takes[0].accepted)
    assert [e.attempt for e in rejected] == list(range(1, len(rejected) + 1))


def test_run_raises_when_every_attempt_fails_and_keeps_the_best() -> None:
    score = song()
    score.tracks[1].bars[4].notes = []
    session = engine().session(
        score,
        request(
            score,
            {1: [4]},
            {"pitch_mask": {"pitches": [60]}},
            novelty_check=True,
            novelty_threshold=0.01,
            novelty_against=["takes"],
            num_candidates=2,
            max_attempts=2,
            density_hard_limit=1,
            temperature=0.001,
        ),
    )
    result = session.run_takes()
    assert not result.takes[1].accepted
    assert result.takes[1].rejected
    assert result.takes[1].score.tracks[1].bars[4].notes
    failing = engine().session(
        score,
        request(
            score, {1: [4]}, {"remix": {"amount": 0.1}}, novelty_check=True, novelty_threshold=0.0001, max_attempts=2
        ),
    )
    failing.score.tracks[1].bars[4].notes = song().tracks[1].bars[4].notes
    with pytest.raises(GenerationError, match="rejected"):
        failing.run()


def test_a_run_can_be_cancelled_from_another_thread() -> None:
    score = song(bars=24)
    session = engine().session(score, request(score, {t: list(range(24)) for t in range(3)}, num_candidates=4))
    session.listener = lambda event: session.cancel_event.set()
    with pytest.raises(CancelledError):
        session.run_takes()


def test_callers_on_many_threads_get_the_notes_they_would_get_alone() -> None:
    score = song()
    wishes = [request(score, {1: [4, 5]}, seed=seed) for seed in range(6)]
    alone = [notes(run(score, wish).takes[0].score, 1, [4, 5]) for wish in wishes]
    together: dict[int, object] = {}
    threads = [
        threading.Thread(
            target=lambda i=i, w=w: together.__setitem__(i, notes(run(score, w).takes[0].score, 1, [4, 5]))
        )
        for i, w in enumerate(wishes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[i] for i in range(6)] == alone


def test_takes_share_one_prefill_and_retries_need_none() -> None:
    score = song()
    shared = engine()
    session = shared.session(score, request(score, {1: [4]}, num_candidates=4))
    result = session.run_takes()
    cache = shared.decoder._cache
    assert cache is not None
    before = cache.prefilled
    again = shared.session(score, request(score, {1: [4]}, num_candidates=4, seed=99)).run_takes()
    assert cache is shared.decoder._cache
    assert again.prompt_tokens == result.prompt_tokens
    lanes = sum(FEWEST * take.attempts for take in again.takes)
    assert cache.prefilled - before <= lanes  # a token each, the last of the prompt


def test_context_tracks_are_dropped_and_named_when_the_model_is_short() -> None:
    score = song(bars=12)
    small = engine(n_positions=160)
    result = small.session(score, request(score, {1: [4]}, model_dim=8)).run_takes()
    assert result.dropped_context
    assert 1 not in result.dropped_context


def test_a_request_that_does_not_fit_is_refused_before_any_work() -> None:
    score = song()
    with pytest.raises(RequestValidationError, match="bars = 12 is not a bar of track 1; use 0 to 11"):
        engine().session(score, request(score, {1: [12]}))


def test_guidance_reads_a_second_prompt_and_still_writes_legal_bars() -> None:
    score = song()
    prompts = [TrackPrompt(0), TrackPrompt(1, [4], attributes={"note_density": 3}), TrackPrompt(2)]
    after = (
        run(score, GenerationRequest(prompts, InferenceConfig(seed=1, guidance=2.0, pool=1, control_tries=1)))
        .takes[0]
        .score
    )
    plain = run(score, GenerationRequest(prompts, InferenceConfig(seed=1, pool=1, control_tries=1))).takes[0].score
    assert after.tracks[1].bars[4].notes
    assert notes(after, 1, [4]) != notes(plain, 1, [4])


def test_a_likelihood_is_the_controlled_model_s_own_whatever_guidance_and_rules_add(monkeypatch) -> None:
    lanes = []
    decode = Decoder.generate
    monkeypatch.setattr(Decoder, "generate", lambda self, batch: (lanes.extend(batch), decode(self, batch)))
    unruled = {"key_signature": 24}  # no key: told to the model, and nothing is forbidden for it
    prompts = [TrackPrompt(0), TrackPrompt(1, [4], attributes=unruled), TrackPrompt(2)]
    config = InferenceConfig(seed=3, guidance=4.0, echo=1.5, max_attempts=1, control_tries=2, pool=1)
    run(song(), GenerationRequest(prompts, config))
    assert len(lanes) == 2
    for lane in lanes:
        read = len(lane.prompt.tokens)
        logits = torch.as_tensor(engine().model.logits([*lane.prompt.tokens, *lane.written]))[read - 1 : -1]
        grammar = Grammar(engine().tokenizer.vocabulary, lane.grammar.targets).prime(lane.prompt.tokens)
        total = 0.0
        for row, token in zip(logits, lane.written, strict=True):
            total += float(row.masked_fill(~torch.tensor(grammar.legal()), -1e9).log_softmax(-1)[token])
            grammar.advance(token)
        assert lane.logprob == pytest.approx(total, abs=0.02)


def test_guidance_finds_room_where_one_lane_at_a_time_is_allowed() -> None:
    narrow = InferenceEngine(engine().model, engine().tokenizer, max_lanes=1)
    score = song()
    narrow.session(score, request(score, {1: [4]})).run_takes()
    prompts = [TrackPrompt(0), TrackPrompt(1, [4], attributes={"note_density": 3}), TrackPrompt(2)]
    wish = GenerationRequest(prompts, InferenceConfig(seed=3, guidance=2.0, num_candidates=2))
    assert len(narrow.session(score, wish).run_takes().takes) == 2


def test_a_rule_that_breaks_ends_its_own_lane_and_changes_no_other(monkeypatch) -> None:
    class Broken(Constraint):
        name = "broken"

        def bias(self, at, logprobs):
            raise ValueError("a constraint's own mistake")

    def pair() -> list[Lane]:
        return lanes_of(request(song(), {1: [4]}, num_candidates=2, top_p=0.9, pool=1), monkeypatch)

    [alone, _], (healthy, other) = pair(), pair()
    broken = replace(other, constraints=(Broken(),))
    Decoder(engine().model, engine().tokenizer.vocabulary).generate([alone])
    with pytest.raises(ValueError, match="a constraint's own mistake"):
        Decoder(engine().model, engine().tokenizer.vocabulary).generate([healthy, broken])
    assert healthy.error is None
    assert healthy.written == alone.written
    assert not broken.written


def test_a_caller_with_many_takes_lets_others_in_between(monkeypatch) -> None:
    many = lanes_of(request(song(), {1: [4]}, num_candidates=12, pool=1), monkeypatch)
    [one] = lanes_of(request(song(), {1: [5]}, pool=1), monkeypatch)
    decoder = Decoder(engine().model, engine().tokenizer.vocabulary, max_lanes=1)
    late = threading.Thread(target=decoder.generate, args=([one],))
    many[0].on_cell = lambda lane: late.start()
    done_before = []
    one.on_cell = lambda lane: done_before.append(sum(other.done for other in many))
    decoder.generate(many)
    late.join()
    assert all(lane.done for lane in (*many, one))
    assert done_before[0] < len(many)


def test_a_copy_of_bars_played_off_the_grid_is_known_for_one() -> None:
    score = song()
    for note in score.tracks[2].bars[4].notes:
        note.onset_ticks += 7
    wish = request(score, {2: [4]}, {"remix": {"amount": 0.1}}, novelty_check=True, novelty_threshold=0.3)
    take = run(score, wish).takes[0]
    assert not take.accepted
    assert all("equal the original" in reason for reason in take.rejected)


def test_a_plan_alone_writes_nothing() -> None:
    score = song()
    result = run(score, request(score, {1: [4]}, plan_only=True))
    assert [sorted(step.cells) for step in result.steps] == [[(1, 4)]]
    assert result.generated == ()
    assert result.takes[0].score == score


def test_a_stopped_run_keeps_its_finished_steps():
    score = song(24)
    wish = request(score, {1: list(range(16))}, model_dim=4, bars_per_step=4, max_attempts=1)
    session = engine().session(score, wish)
    session.listener = lambda event: session.cancel_event.set() if isinstance(event, trace.StepDone) else None
    with pytest.raises(CancelledError):
        session.run_takes()
    partial = session.partial()
    assert partial.written
    assert len(partial.written) < 16
    assert partial.seed == 7
    for track, bar in [(1, bar) for bar in range(16) if (1, bar) not in partial.written]:
        assert partial.scores[0].tracks[track].bars[bar] == score.tracks[track].bars[bar]


def test_a_take_is_told_ready_before_others_are_retried():
    score = song(8)
    session = engine().session(score, request(score, {1: [4]}, num_candidates=3, max_attempts=2))
    told: dict[int, Score] = {}

    def listen(event: trace.Event) -> None:
        if isinstance(event, trace.TakeReady):
            told[event.take] = session.ready(event.take).score

    session.listener = listen
    result = session.run_takes()
    accepted = {number: take.score for number, take in enumerate(result.takes) if take.accepted}
    assert told == accepted
    assert told


def test_what_one_caller_breaks_does_not_break_another():
    score = song(8)
    wish = request(score, {1: [4, 5]})
    alone = run(score, wish).takes[0].score
    healthy, broken = engine().session(score, wish), engine().session(score, request(score, {2: [4, 5]}))

    def stumble(event: trace.Event) -> None:
        if isinstance(event, trace.BarReady):
            raise KeyError("a listener's own mistake")

    broken.listener = stumble
    failed: list[BaseException] = []

    def run_broken() -> None:
        with pytest.raises(KeyError) as caught:
            broken.run_takes()
        failed.append(caught.value)

    thread = threading.Thread(target=run_broken)
    thread.start()
    result = healthy.run_takes()
    thread.join()
    assert len(failed) == 1
    assert result.takes[0].score == alone


def test_a_cancelled_caller_need_not_wait_for_a_seat():
    model, score = engine(), song(24)
    narrow = type(model)(model.model, model.tokenizer, max_lanes=1)
    long = narrow.session(score, request(score, {1: list(range(24)), 2: list(range(24))}))
    waiting = narrow.session(score, request(score, {1: [4]}))
    seated = threading.Event()
    long.listener = lambda event: seated.set() if isinstance(event, trace.BarReady) else None

    def run_long() -> None:
        with pytest.raises(CancelledError):
            long.run_takes()

    thread = threading.Thread(target=run_long)
    thread.start()
    assert seated.wait(30)
    waiting.cancel_event.set()
    with pytest.raises(CancelledError):
        waiting.run_takes()
    assert thread.is_alive()
    long.cancel_event.set()
    thread.join(30)


def test_bars_that_came_out_as_they_were_are_written_once_more_while_attempts_are_left(monkeypatch) -> None:
    from midigpt_core.generation import judge_candidate

    score, told = song(), []
    monkeypatch.setattr(judge_candidate, "similarity", lambda written, before: 1.0)
    session = engine().session(score, request(score, {1: [4]}, seed=1, max_attempts=3))
    session.listener = told.append
    take = session.run_takes().takes[0]
    assert [event.reason.split(":")[0] for event in told if hasattr(event, "reason")] == ["unchanged", "unchanged"]
    assert (take.accepted, take.attempts) == (True, 3)
    again = engine().session(score, request(score, {1: [4]}, seed=1, max_attempts=3, retry_unchanged=False))
    assert again.run_takes().takes[0].attempts == 1


def test_a_further_attempt_repeats_the_piece_less_readily() -> None:
    score = song()
    wish = request(score, {1: [4]}, echo=2.0)
    [step] = fitting_plan(wish, score, [(1, 4)], engine().tokenizer, 0, 2048)
    prompt = prepare_step(engine().tokenizer, score, step, wish, ())
    strengths = [
        constraint.strength
        for n in (1, 2, 3)
        for constraint in build_constraints(prompt, 1, n)
        if constraint.name == "echo"
    ]
    assert strengths == [2.0, 0.5, 0.125]


def test_every_further_attempt_is_hotter(monkeypatch) -> None:
    temperatures: list[list[float]] = []
    decode = Decoder.generate

    def noted(self: Decoder, lanes: list[Lane]) -> None:
        temperatures.append([lane.parameters.temperature for lane in lanes])
        decode(self, lanes)

    monkeypatch.setattr(Decoder, "generate", noted)
    score = song()
    never = {"novelty_check": True, "novelty_threshold": 0.01, "pool": 1}
    same = {"rhythm_lock": True, "pitch_mask": {"pitches": [36]}}
    for note in score.tracks[1].bars[4].notes:
        note.pitch = 36
    run(score, request(score, {1: [4]}, same, temperature=0.8, temperature_escalation=1.5, max_attempts=3, **never))
    [first], [second], [third] = temperatures
    assert (second / first, third / first) == pytest.approx((1.5, 2.25))


def test_a_take_that_was_cut_off_is_tried_again(monkeypatch) -> None:
    attempts: list[int] = []
    decode = Decoder.generate

    def cut_off_once(self: Decoder, lanes: list[Lane]) -> None:
        attempts.append(len(lanes))
        if len(attempts) == 1:
            for lane in lanes:
                lane.limit = 6
        decode(self, lanes)

    monkeypatch.setattr(Decoder, "generate", cut_off_once)
    [take] = run(song(), request(song(), {1: [4]}, pool=1, silence_check=False, retry_unchanged=False)).takes
    assert len(attempts) == 2
    assert [reason.partition(":")[0] for reason in take.rejected] == ["cut off"]
    assert not take.truncated
    assert take.accepted
