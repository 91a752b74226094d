"""Harmony makes pitches likelier that fit the other tracks, knows only what may be known, and yields to the caller."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import engine, request, song

from midigpt_core.compiled import compiled
from midigpt_core.constraints.masks import Cursor
from midigpt_core.generation.lane_constraints import build_constraints
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.step_context import harmony_strength
from midigpt_core.generation.step_prompt import prepare_step
from midigpt_core.harmony import pitches
from midigpt_core.harmony.band import band_of
from midigpt_core.harmony.pitches import WEIGHTS
from midigpt_core.request import InferenceConfig
from midigpt_core.score import DRUM, Note
from midigpt_core.tokens.types import TokenType

BASS, PIANO = 1, 2
USED = np.array(list(WEIGHTS.values()))
TWINS = [
    pytest.param(pitches, id="reference"),
    pytest.param(
        compiled("harmony"),
        id="compiled",
        marks=pytest.mark.skipif(compiled("harmony") is None, reason="the compiled harmony is not built"),
    ),
]


def step_prompt(score=None, cells=((BASS, 4),), controls=None, masked=(), **config):
    score = score or song()
    tokenizer = engine().tokenizer
    bars = {track: [bar for t, bar in cells if t == track] for track, _ in cells}
    wish = request(score, bars, controls, **{"harmony": 1.0, **config})
    tracks = [replace(p, mask_bars=[bar for t, bar in masked if t == p.id]) for p in wish.tracks]
    wish = replace(wish, tracks=tracks)
    [step] = fitting_plan(wish, score, cells, tokenizer, 0, 2048)
    return prepare_step(tokenizer, score, step, wish, ())


def harmony_of(prompt):
    return next((rule for rule in build_constraints(prompt, 1) if rule.name == "harmony"), None)


def bias_at(prompt, at: Cursor, rule=None) -> np.ndarray | None:
    """The bias on each pitch where all tokens are equally likely."""
    first, last = prompt.tokenizer.vocabulary.range(TokenType.NOTE_ONSET)
    size = prompt.tokenizer.vocabulary.size
    found = (rule or harmony_of(prompt)).bias(at, np.full(size, -np.log(size), dtype=np.float32))
    return None if found is None else found[first:last].copy()


def roll(*sounding: int, ticks: int = 12) -> np.ndarray:
    found = np.zeros((ticks, 128), dtype=np.int16)
    found[:, list(sounding)] = 1
    return found


@pytest.mark.parametrize("twin", TWINS)
def test_chord_tones_come_before_what_clashes_with_them(twin) -> None:
    scores = twin.PitchScores(roll(48, 64, 67), True, USED).values  # C, E, G
    assert min(scores[60], scores[76], scores[67]) > max(scores[61], scores[63], scores[66])
    assert scores[67] > scores[79] == scores[55]  # the pitch that sounds, its octaves
    assert (
        twin.PitchScores(roll(48), True, USED).values[61] < twin.PitchScores(roll(48), False, USED).values[61]
    )  # worse on the beat
    late = roll(48)
    late[:6] = 0
    assert not np.any(twin.PitchScores(late[:6], True, USED).values)  # where nothing sounds, nothing is said
    assert twin.PitchScores(late, False, USED).values[61] < 0  # but what sounds soon is heard


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 127), max_size=12),
    st.integers(1, 13),
    st.booleans(),
    st.lists(st.floats(-3, 3), min_size=len(WEIGHTS), max_size=len(WEIGHTS)),
    st.integers(0, 2**31),
)
@pytest.mark.skipif(compiled("harmony") is None, reason="the compiled harmony is not built")
def test_the_compiled_scores_and_biases_are_the_reference_s(sounding, ticks, on_beat, weights, seed) -> None:
    random, fast = np.random.default_rng(seed), compiled("harmony")
    found = roll(*sounding, ticks=ticks) * random.integers(0, 3, (ticks, 1), dtype=np.int16)
    slow, scores = (twin.PitchScores(found, on_beat, np.array(weights)) for twin in (pitches, fast))
    assert np.allclose(slow.values, scores.values, atol=1e-12)
    logprobs = np.log(random.random(200)).astype(np.float32)
    logprobs[random.random(200) < random.random()] = -np.inf
    first, second = pitches.PitchBias(30, 200).of(logprobs, slow), fast.PitchBias(30, 200).of(logprobs, scores)
    assert (first is None) == (second is None)
    assert first is None or np.allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("twin", TWINS)
def test_pitches_together_stay_as_likely_as_they_were(twin) -> None:
    random = np.random.default_rng(4)
    logprobs = np.log(random.dirichlet(np.ones(200))).astype(np.float32)
    logprobs[40:70] = -np.inf
    scores, at_work = twin.PitchScores(roll(48, 52, 55), True, USED), twin.PitchBias(30, 200)
    bias = at_work.of(logprobs, scores).copy()
    assert np.exp(logprobs + bias)[30:158].sum() == pytest.approx(np.exp(logprobs)[30:158].sum(), abs=1e-5)
    assert np.ptp((bias[30:158] - scores.values)[logprobs[30:158] > -np.inf]) < 1e-5  # all moved alike
    assert not np.any(bias[[*range(30), *range(40, 70), *range(158, 200)]])
    logprobs[70:158] = -np.inf
    after = at_work.of(logprobs, scores)
    assert np.any(after[30:40])
    assert not np.any(after[40:])  # nothing is left of the bias before
    logprobs[30:158] = -np.inf
    assert at_work.of(logprobs, scores) is None


def test_a_bass_rather_plays_the_tones_of_the_chord_above_it() -> None:
    score = song()
    root = score.tracks[PIANO].bars[4].notes[0].pitch % 12
    bias = bias_at(step_prompt(score), Cursor())
    assert min(bias[36 + root], bias[40 + root]) > max(bias[37 + root], bias[38 + root])


def test_what_another_track_holds_from_the_bar_before_is_heard() -> None:
    score = song()
    for bar in score.tracks[PIANO].bars:
        bar.notes = []
    assert not np.any(bias_at(step_prompt(score), Cursor()))
    score.tracks[PIANO].bars[3].notes = [Note(60, 80, 3 * 480, 2 * 480)]
    bias = bias_at(step_prompt(score), Cursor())
    assert bias[48] > bias[49]
    assert not np.any(bias_at(step_prompt(score), Cursor(tick=12)))  # it has ended by then


def test_a_long_note_is_heard_that_begins_before_the_window() -> None:
    score = song(24)
    for bar in score.tracks[PIANO].bars:
        bar.notes = []
    score.tracks[PIANO].bars[9].notes = [Note(60, 80, 0, 4 * 1920)]
    prompt = step_prompt(score, cells=((BASS, 12),), model_dim=4)
    assert prompt.step.start_bar > 9
    bias = bias_at(prompt, Cursor())
    assert bias[48] > bias[49]


def test_drums_and_hidden_bars_and_bars_to_be_written_are_not_heard() -> None:
    score = song()
    silent = step_prompt(score, masked=[(PIANO, 4)])
    assert not np.any(bias_at(silent, Cursor()))
    together = step_prompt(score, cells=((BASS, 4), (PIANO, 4)))
    assert not np.any(bias_at(together, Cursor()))  # the piano's old notes are gone, new ones are not there
    score.tracks[PIANO].track_type = DRUM
    assert not np.any(bias_at(step_prompt(score), Cursor()))


def test_nothing_that_stands_in_the_bars_to_be_written_is_heard() -> None:
    score, other = song(), song()
    for note in other.tracks[BASS].bars[4].notes:
        note.pitch += 5
    assert np.array_equal(*(bias_at(step_prompt(s), Cursor()) for s in (score, other)))


def test_notes_the_lane_has_written_in_other_tracks_are_heard() -> None:
    prompt = step_prompt(cells=((BASS, 4), (PIANO, 4)))
    rule, at = harmony_of(prompt), Cursor()
    for kind, value in ((TokenType.TIME_ABSOLUTE_POS, 12), (TokenType.NOTE_ONSET, 40), (TokenType.NOTE_DURATION, 23)):
        at.advance(kind, value, False)
        rule.advance(kind, value, at)
    assert not np.any(bias_at(prompt, Cursor(cell=0, tick=12), rule))  # a track does not listen to itself
    bias = bias_at(prompt, Cursor(cell=1, tick=24), rule)
    assert bias[64] > bias[65]
    assert not np.any(bias_at(prompt, Cursor(cell=1, tick=36), rule))  # 24 ticks long, from 12
    assert not np.any(bias_at(prompt, Cursor(cell=1, tick=24)))  # another lane has not written it


def test_lengths_are_left_alone() -> None:
    assert bias_at(step_prompt(), Cursor(pitch=40)) is None


def test_harmony_is_off_where_pitches_are_the_callers() -> None:
    assert harmony_of(step_prompt()) is not None
    assert harmony_of(step_prompt(controls={"pitch_mask": {"scale": "major", "root": 0}})) is None
    prompt = step_prompt(song(), cells=((BASS, 4), (0, 4)))
    assert list(harmony_of(prompt).cells.values()) == [(BASS, 4)]  # nor on drums


def test_strength_is_what_was_asked_or_what_the_checkpoint_recommends() -> None:
    tokenizer = engine().tokenizer
    assert harmony_of(step_prompt(harmony=0.0)) is None
    asked = replace(request(song(), {1: [4]}), config=InferenceConfig(harmony=0.5))
    assert harmony_strength(tokenizer, asked) == 0.5
    single, double = (bias_at(step_prompt(harmony=s), Cursor()) for s in (1.0, 2.0))
    gap = single[48] - single[49]
    assert double[48] - double[49] == pytest.approx(2 * gap, rel=1e-4)


def test_a_band_is_on_the_grid_and_counts_what_all_other_tracks_play() -> None:
    score = song()
    score.tracks[PIANO].bars[3].notes.append(Note(90, 80, 1900, 480))  # played a hair early, held into the next bar
    prompt = step_prompt(score)
    band = band_of(score, prompt.step, prompt.tracks, prompt.known.around.unknown, 12)
    others, start = band.others[BASS], band.starts[4]
    assert others[start - 1, 90] == 0
    assert others[start, 90] == others[start + 11, 90] == 1
    assert others[start, score.tracks[PIANO].bars[4].notes[0].pitch] == 1
    assert not others[:, 36].any()  # neither the kick nor the bass itself
