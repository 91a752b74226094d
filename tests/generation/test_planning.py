"""What a request comes to: which cells, in which steps, from which seed."""

from __future__ import annotations

from dataclasses import replace

from tiny import engine, request, song

from midigpt_core.generation.request_plan import chosen_cells, plan


def planned(wish, score):
    return plan(wish, score, engine().tokenizer, engine().model.n_positions)


def test_a_share_of_the_infill_bars_is_drawn_by_the_seed() -> None:
    score = song()
    wish = request(score, {1: list(range(8)), 2: list(range(8))}, infill_probability=0.25)
    drawn = [chosen_cells(wish, score, seed) for seed in range(6)]
    assert {len(cells) for cells in drawn} == {4}
    assert len(set(drawn)) > 1
    assert drawn[0] == chosen_cells(wish, score, 0)
    assert all(track in (1, 2) and bar < 8 for cells in drawn for track, bar in cells)
    assert planned(replace(wish, config=replace(wish.config, seed=3)), score).cells == drawn[3]


def test_a_track_that_is_continued_is_written_whole_whatever_the_share() -> None:
    score = song()
    wish = request(score, {1: list(range(4, 12))}, infill_probability=0.25)
    wish.tracks[1] = replace(wish.tracks[1], autoregressive=True)
    assert len(chosen_cells(wish, score, 1)) == 8


def test_shuffled_steps_come_in_an_order_of_the_seed_and_know_what_is_still_to_come() -> None:
    score = song()
    wish = request(score, {1: list(range(12))}, bars_per_step=1, model_dim=8)
    plain = planned(wish, score).steps
    orders = set()
    for seed in range(4):
        steps = planned(replace(wish, config=replace(wish.config, shuffle=True, seed=seed)), score).steps
        orders.add(tuple(min(step.cells) for step in steps))
        assert {step.cells for step in steps} == {step.cells for step in plain}
        for number, step in enumerate(steps):
            later = {cell for other in steps[number + 1 :] for cell in other.cells}
            assert step.pending == {cell for cell in later if step.start_bar <= cell[1] < step.end_bar}
    assert len(orders) > 1
    assert tuple(min(step.cells) for step in plain) not in orders


def test_a_seed_is_drawn_where_none_is_named() -> None:
    score = song()
    drawn = {planned(request(score, {1: [4]}, seed=-1), score).seed for _ in range(4)}
    assert len(drawn) > 1
    assert all(0 <= seed < 2**31 for seed in drawn)
    assert planned(request(score, {1: [4]}, seed=11), score).seed == 11
