"""Every target is written once, in windows inside the piece, and as the peer plans it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midigpt_core.errors import RequestValidationError
from midigpt_core.plan.steps import PlanOptions, choose_window, history_bars, plan_steps, runs, smaller_window

WINDOWS = (4, 8, 12, 16)


@st.composite
def plans(draw: st.DrawFn, longer_than_window: bool = False) -> tuple[set[tuple[int, int]], int, PlanOptions]:
    window = draw(st.sampled_from(WINDOWS))
    n_bars = draw(st.integers(window if longer_than_window else 1, 60))
    cells = st.tuples(st.integers(0, 4), st.integers(0, n_bars - 1))
    options = PlanOptions(
        window=window,
        windows=WINDOWS,
        bars_per_step=draw(st.integers(0, window)),
        tracks_per_step=draw(st.integers(0, 6)),
        ar_overlap=draw(st.sampled_from((0.0, 0.25, 0.5, 0.75, 1.0))),
        min_overlap_bars=draw(st.integers(0, 6)),
        autoregressive=frozenset(draw(st.sets(st.integers(0, 4)))),
    )
    return draw(st.sets(cells, max_size=60)), n_bars, options


@given(plans())
def test_every_target_is_written_exactly_once_and_nothing_else(plan) -> None:
    targets, n_bars, options = plan
    steps = plan_steps(targets, n_bars, options)
    written = [cell for step in steps for cell in step.cells]
    assert sorted(written) == sorted(targets)


@given(plans())
def test_every_window_is_inside_the_piece_and_holds_its_bars(plan) -> None:
    targets, n_bars, options = plan
    for step in plan_steps(targets, n_bars, options):
        assert 0 <= step.start_bar < step.end_bar <= n_bars
        assert step.end_bar - step.start_bar == min(options.window, n_bars)
        assert step.n_bars == options.window
        assert step.cells
        assert all(step.start_bar <= bar < step.end_bar for _, bar in step.cells)


@given(plans())
def test_an_autoregressive_step_writes_consecutive_bars_of_one_track(plan) -> None:
    targets, n_bars, options = plan
    for step in plan_steps(targets, n_bars, options):
        if step.autoregressive:
            assert len({track for track, _ in step.cells}) == 1
            assert len(runs(bar for _, bar in step.cells)) == 1
            assert {track for track, _ in step.cells} <= options.autoregressive


@given(plans())
def test_pending_cells_are_those_of_later_steps_in_the_window(plan) -> None:
    targets, n_bars, options = plan
    steps = plan_steps(targets, n_bars, options)
    for place, step in enumerate(steps):
        later = {cell for other in steps[place + 1 :] for cell in other.cells}
        assert step.pending == {cell for cell in later if step.start_bar <= cell[1] < step.end_bar}


@given(plans(longer_than_window=True))
@settings(max_examples=150, deadline=None)
def test_steps_equal_the_peers(plan) -> None:
    planner = pytest.importorskip("midigpt.inference.planner", reason="needs the package midigpt 0.4.2")
    targets, n_bars, options = plan
    selected = [[(track, bar) in targets for bar in range(n_bars)] for track in range(5)]
    theirs = planner.plan(
        selected,
        [track in options.autoregressive for track in range(5)],
        [False] * 5,
        options.window,
        options.bars_per_step,
        options.tracks_per_step,
        options.ar_overlap,
        options.min_overlap_bars,
    )
    ours = plan_steps(targets, n_bars, options)
    assert [(s.start_bar, s.end_bar, s.autoregressive, set(s.cells)) for s in ours] == [
        (s.start_bar, s.end_bar, s.autoregressive, s.bars) for s in theirs
    ]


def test_the_automatic_window_is_the_longest_the_piece_fills() -> None:
    assert [choose_window(n, 0, WINDOWS) for n in (1, 4, 7, 8, 15, 16, 90)] == [4, 4, 4, 8, 12, 16, 16]
    assert smaller_window(12, WINDOWS) == 8
    assert smaller_window(4, WINDOWS) is None


def test_a_piece_shorter_than_every_window_is_padded_not_refused() -> None:
    (step,) = plan_steps({(0, 1)}, 2, PlanOptions(windows=WINDOWS))
    assert (step.start_bar, step.end_bar, step.n_bars) == (0, 2, 4)


@pytest.mark.parametrize(("n_bars", "window"), [(3, 3), (8, 8), (90, 8)])
def test_a_model_without_windows_of_its_own_gets_eight_bars_at_most(n_bars, window) -> None:
    assert choose_window(n_bars) == window


@pytest.mark.parametrize(
    ("options", "bars"),
    [
        (PlanOptions(ar_overlap=0.5, min_overlap_bars=2), 4),
        (PlanOptions(ar_overlap=0.0, min_overlap_bars=2), 2),
        (PlanOptions(ar_overlap=1.0), 7),
        (PlanOptions(bars_per_step=3), 5),
    ],
)
def test_a_continuation_keeps_as_much_of_its_past_as_asked_and_leaves_a_bar_to_write(options, bars) -> None:
    assert history_bars(8, options) == bars


def test_tracks_are_written_in_score_order() -> None:
    targets = {(track, 3) for track in range(3)}
    plain = plan_steps(targets, 8, PlanOptions(tracks_per_step=1))
    assert [min(step.cells)[0] for step in plain] == [0, 1, 2]
    assert plain[0].pending == {(1, 3), (2, 3)}
    assert plain[2].pending == frozenset()


@pytest.mark.parametrize(
    ("targets", "options", "field"),
    [
        ({(0, 8)}, PlanOptions(), "bars"),
        ({(-1, 0)}, PlanOptions(), "bars"),
        ({(0, 0)}, PlanOptions(window=5, windows=WINDOWS), "model_dim"),
        ({(0, 0)}, PlanOptions(window=4, bars_per_step=5), "bars_per_step"),
        ({(0, 0)}, PlanOptions(tracks_per_step=-1), "tracks_per_step"),
        ({(0, 0)}, PlanOptions(ar_overlap=1.5), "ar_overlap"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_by_name(targets, options, field) -> None:
    with pytest.raises(RequestValidationError) as refusal:
        plan_steps(targets, 8, options)
    assert refusal.value.field == field
    assert field in str(refusal.value)
