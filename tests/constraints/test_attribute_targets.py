"""Of several versions of a step the one nearest to what was asked is kept, and nothing is told of the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from real import engine as real_engine
from real import sample, written, yielded
from tiny import engine, request, song

from midigpt_core import trace
from midigpt_core.constraints.attribute_targets import AttributeTarget, AttributeTargets, attribute_targets
from midigpt_core.generation import run as generation_run
from midigpt_core.generation.candidate_checks import stuck
from midigpt_core.generation.choose_candidate import CandidatePool
from midigpt_core.generation.judge_candidate import Fault, Judge
from midigpt_core.jam import CONTROL_TRIES, POOL, Jam, JamSettings
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import Score, Track
from midigpt_core.tokens.grid import to_grid

BARS = [4, 5]
ASKED = {"note_density": 6, "silence_proportion": 2}


def asking(score: Score, attributes: dict[str, int], tries: int, **config) -> GenerationRequest:
    wish = request(score, {1: BARS}, **{"control_tries": tries, "pool": 1, **config})
    wish.tracks[1] = replace(wish.tracks[1], attributes=attributes)
    return wish


def run(attributes: dict[str, int], tries: int, heard: list[trace.Event] | None = None, **config):
    score = song()
    session = engine().session(score, asking(score, attributes, tries, **config))
    if heard is not None:
        session.listener = heard.append
    return session.run_takes().takes[0]


def notes(score: Score) -> list[tuple[int, ...]]:
    return [
        (b, n.pitch, n.velocity, n.onset_ticks, n.duration_ticks) for b in BARS for n in score.tracks[1].bars[b].notes
    ]


@pytest.fixture
def weighed(monkeypatch: pytest.MonkeyPatch) -> list:
    """(version, how far from what was asked) of every version that was compared."""
    found, distance = [], AttributeTargets.distance

    def noted(self, score, tokenizer):
        found.append((score, distance(self, score, tokenizer)))
        return found[-1][1]

    monkeypatch.setattr(AttributeTargets, "distance", noted)
    return found


def test_the_nearest_version_is_kept(weighed: list) -> None:
    take = run(ASKED, 6)
    assert len(weighed) == 6
    kept = [far for score, far in weighed if notes(score) == notes(take.score)]
    assert kept[0] == min(far for _, far in weighed) < max(far for _, far in weighed)


def test_of_versions_equally_near_the_one_most_like_the_others_is_kept(monkeypatch) -> None:
    monkeypatch.setattr(AttributeTargets, "distance", lambda *_: 0.0)
    pools, choose = [], CandidatePool.take_for
    monkeypatch.setattr(CandidatePool, "take_for", lambda self, *given: (pools.append(self), choose(self, *given))[1])
    take = run(ASKED, 6, pool=4, max_attempts=1)
    [pool] = pools
    assert len(pool.candidates) == 6
    best = max(pool.candidates, key=lambda one: one.consensus)
    assert notes(take.score) == notes(best.score)


def test_more_versions_come_nearer_on_real_music() -> None:
    control = real_engine().tokenizer.attributes.get("key_signature")
    right = Counter()
    for tries in (1, 8):
        for key in (2, 9, 20):
            take, _ = written(sample("pop"), 1, BARS, {"key_signature": key}, [], control_tries=tries)
            wish = AttributeTarget(control, key, 1, tuple(BARS))
            right[tries] += wish.level(take.score, real_engine().tokenizer) == key
    assert right[1] <= right[8] == 3


def test_the_first_version_is_what_a_single_one_would_be(monkeypatch) -> None:
    monkeypatch.setattr(AttributeTargets, "distance", lambda *_: 0.0)
    assert notes(run(ASKED, 6).score) == notes(run(ASKED, 1).score)


def test_the_same_seed_keeps_the_same_version() -> None:
    assert notes(run(ASKED, 6).score) == notes(run(ASKED, 6).score) != notes(run(ASKED, 6, seed=8).score)


def test_take_i_keeps_what_a_run_with_seed_plus_i_keeps() -> None:
    score = song()
    takes = engine().session(score, asking(score, ASKED, 4, num_candidates=2, seed=20)).run_takes().takes
    assert notes(takes[1].score) == notes(run(ASKED, 4, seed=21).score)


def test_each_bar_is_told_once_as_it_is_kept() -> None:
    heard: list[trace.Event] = []
    take = run(ASKED, 6, heard, max_attempts=1)
    told = [event for event in heard if isinstance(event, trace.BarReady)]
    assert [(event.track, event.bar) for event in told] == [(1, bar) for bar in BARS]
    assert [(event.bar, *note) for event in told for note in event.notes] == [
        (b, pitch, velocity, onset, duration) for b, pitch, velocity, onset, duration in notes(take.score)
    ]
    assert told[0].tokens < told[1].tokens


def test_only_the_kept_version_tells_what_gave_way(monkeypatch) -> None:
    monkeypatch.setattr(AttributeTargets, "distance", lambda *_: 0.0)
    single, several = [], []
    for tries, heard in ((1, single), (6, several)):
        run({"note_density": 9}, tries, heard, density_hard_limit=2, max_attempts=1)
    assert yielded(single) == {"note_count"}
    assert [e for e in single if isinstance(e, trace.ConstraintRelaxed)] == [
        e for e in several if isinstance(e, trace.ConstraintRelaxed)
    ]


def test_every_version_counts_among_the_tokens_written() -> None:
    heard: list[trace.Event] = []
    take = run(ASKED, 6, heard, max_attempts=1)
    done = [event.tokens for event in heard if isinstance(event, trace.StepDone)]
    assert take.tokens == sum(done) > 3 * max(e.tokens for e in heard if isinstance(e, trace.BarReady))


def test_nothing_changes_where_no_control_is_asked(weighed: list) -> None:
    first, second = run({}, 1), run({}, 8)
    assert notes(first.score) == notes(second.score)
    assert first.tokens == second.tokens
    assert not weighed


def test_a_version_that_was_cut_off_is_kept_last(monkeypatch) -> None:
    distances, faults = iter([0.0, 0.0, 0.9]), iter([Fault.CUT_OFF, Fault.FAILED, Fault.NONE])
    written: list[Score] = []
    monkeypatch.setattr(
        AttributeTargets, "distance", lambda self, score, _: (written.append(score), next(distances))[1]
    )
    monkeypatch.setattr(Judge, "examine", lambda self, candidate, _: setattr(candidate, "fault", next(faults)))
    kept = run(ASKED, 3, max_attempts=1)
    assert notes(kept.score) == notes(written[2]) != notes(written[0])


def test_wishes_are_those_that_notes_can_tell() -> None:
    table = engine().tokenizer.attributes
    prompts = {0: TrackPrompt(0, [4], attributes={"note_density": 3}, bar_attributes={4: {"bar_note_density": 5}})}
    found = attribute_targets(prompts, [(0, 4)], table).targets
    assert [(wish.attribute.name, wish.value, wish.bars) for wish in found] == [
        ("note_density", 3, (4,)),
        ("bar_note_density", 5, (4,)),
    ]


def test_every_wish_measures_bars_without_a_note() -> None:
    score = song()
    for bar in score.tracks[1].bars:
        bar.notes = []
    for control in engine().tokenizer.attributes:
        level = AttributeTarget(control, 0, 1, (4, 5) if control.level == "track" else (4,)).level(
            score, engine().tokenizer
        )
        assert 0 <= level < control.size


# ---- jams ----


def test_a_jam_has_no_time_for_versions_unless_asked(monkeypatch, weighed: list) -> None:
    part = Track(instrument=33, name="Bass")
    settings = JamSettings(tracks=(part,), attributes={0: {"note_density": 5}})
    assert settings.config.control_tries == CONTROL_TRIES == 1
    assert settings.config.pool == POOL == 1
    jam = Jam(engine(), settings)
    jam.next_chunk()
    assert not weighed
    jam.update(replace(settings, config=InferenceConfig(control_tries=3, pool=1)))
    jam.next_chunk()
    assert len(weighed) == 3


# ---- bars that hang on one pitch ----


def _flat(monkeypatch) -> None:
    """Every bar that is read comes out on one pitch."""
    read = generation_run.read_cells

    def flattened(*given):
        return {cell: [replace(n, pitch=40) for n in found] for cell, found in read(*given).items()}

    monkeypatch.setattr(generation_run, "read_cells", flattened)


def test_bars_on_a_single_pitch_are_written_again_and_the_last_attempt_is_kept(monkeypatch) -> None:
    _flat(monkeypatch)
    heard: list[trace.Event] = []
    take, found = written(sample("pop"), 2, [4, 5, 6, 7], {}, heard, max_attempts=3)
    assert (take.attempts, take.accepted) == (3, True)
    assert [reason.partition(":")[0] for reason in take.rejected] == ["stuck", "stuck"]
    last = [event for event in heard if isinstance(event, trace.BarReady)][-4:]
    assert [[note[2] for note in event.notes] for event in last] == [[n.onset_ticks for n in b.notes] for b in found]


@pytest.mark.parametrize(
    ("attributes", "more"),
    [
        ({}, {"retry_stuck": False}),
        ({}, {"controls": {"pitch_mask": {"pitches": [40]}}}),
        ({"pitch_range": 0}, {}),
        ({}, {"bar_attributes": {4: {"pitch_class_set": 1}}}),
    ],
)
def test_a_single_pitch_is_left_alone_where_it_is_asked_for(monkeypatch, attributes, more) -> None:
    _flat(monkeypatch)
    take, _ = written(sample("pop"), 2, [4, 5, 6, 7], attributes, [], **more)
    assert not take.rejected


def test_a_song_written_whole_is_stuck_where_what_stood_there_was_not() -> None:
    score = sample("pop")
    step = generation_run.Step(0, 16, False, frozenset((2, bar) for bar in range(16)))
    note = score.tracks[2].bars[4].notes[0]
    assert stuck({cell: [note] for cell in step.cells}, score, step, {2})
    assert not stuck({cell: list(score.tracks[2].bars[cell[1]].notes) for cell in step.cells}, score, step, {2})


def test_few_notes_or_a_track_of_few_pitches_are_no_sign_of_being_stuck() -> None:
    score = sample("pop")
    step = generation_run.Step(0, 8, False, frozenset({(2, 4)}))
    note = score.tracks[2].bars[4].notes[0]
    eight = {(2, 4): [replace(note, onset_ticks=240 * i) for i in range(8)]}
    assert stuck(eight, score, step, {2})
    assert not stuck(eight, score, step, set())
    assert not stuck({(2, 4): eight[2, 4][1:]}, score, step, {2})
    assert not stuck({(2, 4): [*eight[2, 4], replace(note, pitch=note.pitch + 1)]}, score, step, {2})
    for bar in score.tracks[2].bars:
        bar.notes = [replace(n, pitch=36 + n.pitch % 2) for n in bar.notes]
    assert not stuck(eight, score, step, {2})


def test_wishes_are_measured_on_the_grid() -> None:
    score = sample("pop")
    control = real_engine().tokenizer.attributes.get("note_density")
    config = real_engine().tokenizer.config
    level = AttributeTarget(control, 0, 2, (4,)).level(score, real_engine().tokenizer)
    alone = to_grid(Score([replace(score.tracks[2], bars=[score.tracks[2].bars[4]])], score.resolution), config)
    assert level == control.value(alone, 0)
