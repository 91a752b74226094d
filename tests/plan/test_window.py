"""Cut and paste are inverse, and touch nothing but the cells of the step."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midigpt_core.errors import ScoreError
from midigpt_core.plan.cut_paste import cut, kept_notes, paste
from midigpt_core.plan.steps import PlanOptions, Step, plan_steps
from midigpt_core.score import Bar, Note, Score, Track

METRES = ((4, 4), (3, 4), (7, 8), (5, 4))


def make_score(n_tracks: int, n_bars: int, resolution: int = 480) -> Score:
    """A score whose every note says where it is: the pitch is the bar, the velocity the track."""
    tracks = []
    for number in range(n_tracks):
        bars = []
        for place in range(n_bars):
            beats, unit = METRES[place % len(METRES)]
            notes = [Note(place % 128, number + 1, onset, 200) for onset in (0, 240)]
            bars.append(Bar(notes, beats, unit, 4 * beats / unit))
        attributes = {"note_density": number, f"bar_Tension_{n_bars - 1}": 3}
        tracks.append(Track(bars, number, "drum" if number == 1 else "melodic", attributes, f"track {number}"))
    return Score(tracks, resolution)


@st.composite
def planned(draw: st.DrawFn) -> tuple[Score, list[Step]]:
    n_tracks, n_bars = draw(st.integers(1, 4)), draw(st.integers(1, 30))
    cells = st.tuples(st.integers(0, n_tracks - 1), st.integers(0, n_bars - 1))
    options = PlanOptions(
        windows=(4, 8),
        bars_per_step=draw(st.integers(0, 4)),
        tracks_per_step=draw(st.integers(0, 2)),
        autoregressive=frozenset(draw(st.sets(st.integers(0, n_tracks - 1)))),
    )
    return make_score(n_tracks, n_bars), plan_steps(draw(st.sets(cells, min_size=1)), n_bars, options)


@given(planned())
def test_pasting_what_was_cut_changes_nothing(case) -> None:
    score, steps = case
    before = copy.deepcopy(score)
    for step in steps:
        assert paste(score, step, cut(score, step)) == before
    assert score == before


@given(planned())
def test_only_the_steps_cells_change_and_each_changes_once(case) -> None:
    score, steps = case
    before = copy.deepcopy(score)
    targets = {cell for step in steps for cell in step.cells}
    done = score
    for number, step in enumerate(steps):
        window = cut(done, step)
        for track in window.tracks:
            for bar in track.bars:
                bar.notes = [Note(100, 100, 7, number)]
        done = paste(done, step, window)
    for number, track in enumerate(done.tracks):
        for place, bar in enumerate(track.bars):
            old = before.tracks[number].bars[place]
            if (number, place) in targets:
                (writer,) = [n for n, step in enumerate(steps) if (number, place) in step.cells]
                assert bar == replace(old, notes=[Note(100, 100, 7, writer)])
            else:
                assert bar == old
    assert score == before


def test_a_window_longer_than_the_piece_is_padded_with_empty_bars_of_the_last_metre() -> None:
    score = make_score(2, 3)
    window = cut(score, Step(0, 3, False, frozenset({(0, 1)}), window=8))
    assert [len(track.bars) for track in window.tracks] == [8, 8]
    assert all(not bar.notes and (bar.ts_numerator, bar.ts_denominator) == (7, 8) for bar in window.tracks[0].bars[3:])


def test_hidden_cells_are_marked() -> None:
    score = make_score(3, 10)
    step = Step(4, 8, False, frozenset({(0, 5)}))
    window = cut(score, step, hidden={(0, 6), (2, 4)})
    marked = {(t, b) for t, track in enumerate(window.tracks) for b, bar in enumerate(track.bars) if bar.future}
    assert marked == {(0, 2), (2, 0)}


def test_bar_level_controls_follow_their_bar_into_the_window() -> None:
    score = make_score(1, 10)
    assert cut(score, Step(6, 10, False, frozenset())).tracks[0].attributes == {"note_density": 0, "bar_Tension_3": 3}
    assert cut(score, Step(2, 6, False, frozenset())).tracks[0].attributes == {"note_density": 0}


def test_notes_of_another_resolution_are_rescaled_and_never_leave_their_bar() -> None:
    score = make_score(1, 4, resolution=100)
    step = Step(0, 4, False, frozenset({(0, 0)}))
    window = Score([Track([Bar([Note(60, 90, 1919, 960), Note(61, 90, 7679, 2)]) for _ in range(4)])], 1920)
    notes = paste(score, step, window).tracks[0].bars[0].notes
    assert [(n.onset_ticks, n.duration_ticks) for n in notes] == [(100, 50), (399, 1)]


def test_note_that_would_begin_after_the_end_of_a_cut_bar_is_left_out() -> None:
    piece = Score([Track([Bar([], 4, 4, 1.5), Bar()])], resolution=480)
    step = Step(0, 2, False, frozenset({(0, 0)}))
    written = Score(
        [Track([Bar([Note(60, 80, 12, 6), Note(61, 80, 18, 6), Note(62, 80, 40, 6)]), Bar()])], resolution=12
    )
    assert [note.pitch for note in paste(piece, step, written).tracks[0].bars[0].notes] == [60]


def test_a_written_window_without_the_bar_is_refused() -> None:
    score = make_score(1, 8)
    with pytest.raises(ScoreError, match="bar 3"):
        paste(score, Step(0, 8, False, frozenset({(0, 3)})), Score([Track([Bar()])]))


def test_cutting_does_not_touch_bars_outside_the_window() -> None:
    score = make_score(2, 200)
    for track in score.tracks:
        track.bars[150] = None  # type: ignore[call-overload]  # would fail if the whole song were walked
    assert len(cut(score, Step(10, 18, False, frozenset({(0, 12)}))).tracks[0].bars) == 8


def test_what_begins_within_reach_of_a_window_is_kept_in_any_metre() -> None:
    bars = [Bar([Note(place, 80, 0, 100)], 7, 8, 3.5) for place in range(30)]
    kept = kept_notes(Score([Track(bars)]), Step(12, 14, False, frozenset({(0, 12)})), 12)[0]
    # ten bars of 3.5 quarters begin within 32 quarters on either side
    assert sorted(pitch for _, _, pitch in kept) == [*range(2, 12), *range(13, 24)]
