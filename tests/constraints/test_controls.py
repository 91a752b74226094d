"""Controls at decode time hold in the written notes, on any checkpoint."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tiny import engine, request, song

from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.line_controls import ContourControl
from midigpt_core.errors import RequestValidationError
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt


def written(controls: dict[str, object], bars: tuple[int, ...] = (4, 5), track: int = 2, **config: object):
    score = song()
    session = engine().session(score, request(score, {track: list(bars)}, controls, **config))
    after = session.run_takes().takes[0].score
    return [after.tracks[track].bars[b].notes for b in bars], [score.tracks[track].bars[b].notes for b in bars]


def onsets(bars):
    return [sorted(n.onset_ticks for n in notes) for notes in bars]


@pytest.mark.parametrize("seed", range(4))
def test_a_scale_leaves_only_its_pitches(seed: int) -> None:
    bars, _ = written({"pitch_mask": {"scale": "major", "root": 2, "range": [48, 72]}}, seed=seed)
    assert all(48 <= n.pitch <= 72 and (n.pitch - 2) % 12 in (0, 2, 4, 5, 7, 9, 11) for notes in bars for n in notes)


def test_a_pitch_set_is_exact() -> None:
    bars, _ = written({"pitch_mask": {"pitches": [60, 64, 67]}})
    assert {n.pitch for notes in bars for n in notes} <= {60, 64, 67}


def test_a_uniform_shape_keeps_the_register() -> None:
    bars, _ = written({"pitch_mask": {"shape": {"type": "uniform", "min": 50, "max": 60}}})
    assert all(50 <= n.pitch <= 60 for notes in bars for n in notes)


@pytest.mark.parametrize("seed", range(3))
def test_rhythm_lock_keeps_onsets_and_chord_sizes(seed: int) -> None:
    bars, before = written({"rhythm_lock": True}, track=1, seed=seed)
    assert onsets(bars) == onsets(before)
    assert [[n.pitch for n in b] for b in bars] != [[n.pitch for n in b] for b in before]


@pytest.mark.parametrize(("amount", "changed"), [(0.34, 1), (0.67, 2)])
def test_remix_changes_its_share_of_the_notes_and_keeps_the_rest(amount: float, changed: int) -> None:
    bars, before = written({"remix": {"amount": amount}}, track=1, bars=(4,), seed=2)
    assert onsets(bars) == onsets(before)
    key = [(n.onset_ticks, n.pitch, n.duration_ticks) for n in before[0]]
    assert sum((n.onset_ticks, n.pitch, n.duration_ticks) not in key for n in bars[0]) == changed
    assert [n.duration_ticks for n in bars[0]] == [n.duration_ticks for n in before[0]]


def test_rhythm_positions_are_exact() -> None:
    bars, _ = written({"rhythm_mask": {"positions": [{"pos": 6, "polyphony": 2}, {"pos": 30}]}})
    assert onsets(bars) == [[240, 240, 1200]] * 2


@pytest.mark.parametrize("seed", range(3))
def test_a_full_strength_grid_leaves_no_onset_between(seed: int) -> None:
    bars, _ = written({"rhythm_mask": {"grid": {"unit": "eighth"}}}, seed=seed)
    assert all(n.onset_ticks % 240 == 0 for notes in bars for n in notes)


def test_no_repeat_never_writes_an_ngram_of_the_context() -> None:
    score = song()
    wish = request(score, {1: [4, 5]}, {"pitch_mask": {"pitches": [36, 41, 43, 38, 48]}}, no_repeat_ngram=2, seed=3)
    after = engine().session(score, wish).run_takes().takes[0].score
    context = [n.pitch for b, bar in enumerate(score.tracks[1].bars) if b not in (4, 5) and b < 9 for n in bar.notes]
    pairs = set(pairwise(context))
    for b in (4, 5):
        pitches = [n.pitch for n in sorted(after.tracks[1].bars[b].notes, key=lambda n: (n.onset_ticks, n.pitch))]
        assert not pairs & set(pairwise(pitches))


def test_a_preference_that_leaves_nothing_yields_and_the_trace_says_so() -> None:
    from midigpt_core import trace

    score = song()
    prompts = [TrackPrompt(0), TrackPrompt(1, [4], controls={"rhythm_lock": True, "pitch_mask": {"pitches": [60]}})]
    for note in score.tracks[1].bars[4].notes:
        note.onset_ticks = 0
    score.tracks[1].bars[4].notes[1].pitch += 1
    prompts.append(TrackPrompt(2))
    session = engine().session(score, GenerationRequest(prompts, InferenceConfig(seed=1)))
    events: list[trace.Event] = []
    session.listener = events.append
    session.run_takes()
    assert any(isinstance(e, trace.ConstraintRelaxed) for e in events)


def test_asked_attributes_stand_in_the_prompt_and_unasked_ones_do_not() -> None:
    from midigpt_core.generation.request_plan import fitting_plan
    from midigpt_core.generation.step_prompt import prepare_step
    from midigpt_core.tokens.types import TokenType

    score, tokenizer = song(), engine().tokenizer
    prompts = [TrackPrompt(0), TrackPrompt(1, [4], attributes={"note_density": 3}), TrackPrompt(2)]
    wish = GenerationRequest(prompts, InferenceConfig(seed=1))
    [step] = fitting_plan(wish, score, [(1, 4)], tokenizer, 0, 2048)
    kinds = [tokenizer.vocabulary.decode(t) for t in prepare_step(tokenizer, score, step, wish, ()).prompt.tokens]
    assert [k for k in kinds if k[0] is TokenType.NOTE_DENSITY] == [(TokenType.NOTE_DENSITY, 3)]
    assert not [k for k in kinds if k[0] is TokenType.MIN_POLYPHONY]


@pytest.mark.parametrize(
    ("controls", "says"),
    [
        ({"pitch_mask": {"scale": "majro"}}, "did you mean 'major'"),
        ({"pitch_mask": {"pitches": [200]}}, "0 to 127"),
        ({"pitch_mask": {"pitches": [60], "pitch_classes": [0]}}, "twice"),
        ({"pitch_mask": {"pitches": [60], "range": [70, 80]}}, "leaves no pitch"),
        ({"rhythm_mask": {"grid": {"unit": "eigth"}}}, "did you mean 'eighth'"),
        ({"rhythm_mask": {"positions": []}}, "positions = .* is empty"),
        ({"remix": {"amount": 0}}, "above 0"),
        ({"remix": {"amount": 0.5}, "rhythm_lock": True}, "all set the rhythm"),
        ({"rythm_lock": True}, "did you mean 'rhythm_lock'"),
        ({"pitch_mask": {"scale": ["major"]}}, "is not a string"),
        ({"pitch_mask": {"shape": {"type": "uniform", "min": "low"}}}, "shape.min = 'low' is not a number"),
        ({"pitch_mask": {"shape": {"type": "normal", "std": float("nan")}}}, "shape.std = nan is not a number"),
        ({"pitch_mask": {"shape": {"type": "round"}}}, "known: normal, uniform"),
        ({"rhythm_mask": {"grid": {"unit": ["eighth"]}}}, "is not a string"),
        ({"time_signature": "9/7"}, "not a time signature of this checkpoint"),
    ],
)
def test_a_control_that_cannot_be_obeyed_is_refused_with_a_remedy(controls: dict[str, object], says: str) -> None:
    with pytest.raises(RequestValidationError, match=says):
        written(controls)


def scene(bars: tuple[int, ...], asked: dict[int, dict[str, object]]) -> Scene:
    """Bars of the piano of the song, written with the controls asked for."""
    prompts = {2: TrackPrompt(2, list(bars), bar_controls=asked)}
    there = song().tracks[2].bars
    return Scene(
        engine().tokenizer.vocabulary, tuple(there[bar] for bar in bars), 1, tuple((2, bar) for bar in bars), prompts
    )


def test_bars_in_a_row_share_a_line_where_they_ask_for_the_same() -> None:
    asked = {bar: {"contour": "rising"} for bar in (3, 5, 6, 7)} | {8: {"contour": "falling"}}
    rows = scene((3, 5, 6, 7, 8), asked)
    assert [rows.run(cell, "contour") for cell in range(5)] == [(0, 1), (0, 3), (1, 3), (2, 3), (0, 1)]


def test_a_line_runs_in_the_middle_of_what_its_track_plays() -> None:
    there = scene((4, 5, 6, 7), {})
    low, high = ContourControl()._range(there, 0)
    pitches = [note.pitch for bar in there.bars for note in bar.notes]
    assert min(pitches) <= (low + high) / 2 <= max(pitches)
