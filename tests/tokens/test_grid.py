"""Resolution changes and value domains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midigpt_core.score import Bar, Note, Score, Track
from midigpt_core.tokens.domains import InstrumentGroups, VelocityLevels, listed_metre, nearest_metre
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import from_grid, grid_onset, grid_ticks, to_grid, with_listed_metres
from tests.support import encoders
from tests.tokens.test_config import open_config, without

CONFIG = EncoderConfig.from_dict(open_config())
CUTTING = EncoderConfig.from_dict(without(open_config(), "rounding"))  # as the peers' are


def one_bar(*notes: Note, resolution: int = 480, metre: tuple[int, int] = (4, 4)) -> Score:
    bar = Bar(list(notes), metre[0], metre[1], 4 * metre[0] / metre[1])
    return Score([Track([bar])], resolution=resolution)


def test_onsets_are_cut_down_to_the_grid_and_notes_last_one_tick_at_least() -> None:
    found = to_grid(one_bar(Note(60, 64, 479, 10, 3)), CUTTING)
    assert found.resolution == 12
    assert found.tracks[0].bars[0].notes == [Note(60, 64, 11, 1, 0)]


def test_a_note_played_a_hair_early_or_late_stays_on_its_beat() -> None:
    early, late = Note(60, 64, 479, 475), Note(62, 64, 492, 230)
    found = to_grid(one_bar(early, late), CONFIG).tracks[0].bars[0].notes
    assert found == [Note(60, 64, 12, 12), Note(62, 64, 12, 6)]


@given(
    st.sampled_from([(4, 4), (3, 4), (7, 8), (5, 16), (1, 16), (7, 32)]),
    st.sampled_from([24, 96, 100, 220, 384, 480, 960]),
    st.data(),
)
def test_the_nearest_tick_is_never_in_the_next_bar_nor_far_away(metre, resolution, data) -> None:
    quarters = 4 * metre[0] / metre[1]
    onset = data.draw(st.integers(0, max(0, round(quarters * resolution) - 1)))
    score = one_bar(Note(60, 64, onset, 1), resolution=resolution, metre=metre)
    bar = score.tracks[0].bars[0]
    found = to_grid(score, CONFIG).tracks[0].bars[0].notes[0]
    assert found.onset_ticks == grid_onset(bar.notes[0], bar, resolution, CONFIG)
    assert 0 <= found.onset_ticks < grid_ticks(quarters, 12)
    assert found.duration_ticks == max(1, (2 * 12 + resolution) // (2 * resolution))
    off = abs(12 * onset / resolution - found.onset_ticks)
    assert off <= (0.5 if found.onset_ticks < grid_ticks(quarters, 12) - 1 else 1.0)


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive"])
def test_configurations_that_say_nothing_of_rounding_cut_down(name: str) -> None:
    config = EncoderConfig.load(encoders() / f"{name}_encoder.json")
    score = one_bar(*(Note(60, 64, onset, onset + 1) for onset in range(480)))
    found = to_grid(score, config).tracks[0].bars[0].notes
    assert not config.rounds
    assert [n.onset_ticks for n in found] == [config.resolution * onset // 480 for onset in range(480)]
    assert [n.duration_ticks for n in found] == [max(1, config.resolution * (o + 1) // 480) for o in range(480)]


def test_micro_timing_leaves_nothing_to_round() -> None:
    assert not EncoderConfig.from_dict(open_config(emit_delta_tokens=True)).rounds
    assert (CONFIG.rounds, CUTTING.rounds) == (True, False)


def test_the_score_given_is_not_changed() -> None:
    score = one_bar(Note(60, 64, 479, 10, 3))
    to_grid(score, CONFIG)
    assert score == one_bar(Note(60, 64, 479, 10, 3))


def test_micro_timing_takes_up_what_the_grid_cuts_off() -> None:
    fine = EncoderConfig.from_dict(open_config(emit_delta_tokens=True))
    found = to_grid(one_bar(Note(60, 64, 50, 40)), fine)
    assert found.tracks[0].bars[0].notes == [Note(60, 64, 1, 1, 3)]  # 50/40 = 1 tick and 3/12


def test_a_grid_score_keeps_its_ticks_through_the_output_resolution() -> None:
    notes = [Note(60, 64, onset, 1 + onset % 96) for onset in range(192)]
    score = one_bar(*notes, resolution=12, metre=(16, 4))
    assert to_grid(from_grid(score, CONFIG), CONFIG) == score


@pytest.mark.parametrize("size", [2, 4, 32, 64, 128])
def test_a_velocity_decoded_belongs_to_its_level(size: int) -> None:
    levels = VelocityLevels(size)
    assert levels.encode(0) == 0
    assert levels.encode(127) == size - 1
    used = sorted({levels.encode(velocity) for velocity in range(1, 128)})
    assert [levels.encode(levels.decode(level)) for level in used] == used
    assert levels.levels == tuple(sorted(levels.levels))


def test_merged_programs_share_a_number_and_come_back_as_the_first_of_them() -> None:
    groups = InstrumentGroups(CONFIG.instrument_merge_groups)
    assert groups.size == 109
    assert groups.encode(1) == groups.encode(2) == groups.encode(0) == 0
    assert groups.decode(groups.encode(95)) == 88
    assert [groups.encode(groups.decode(i)) for i in range(109)] == list(range(109))


def test_a_metre_of_equal_length_stands_in_for_one_that_is_not_listed() -> None:
    listed = CONFIG.time_signatures
    assert listed_metre((6, 16), listed) == (3, 8)
    assert listed_metre((24, 16), listed) == (12, 8)
    assert listed_metre((3, 4), listed) == (3, 4)
    assert listed_metre((7, 16), listed) is None


def test_where_no_metre_is_of_equal_length_the_next_longer_one_stands_in() -> None:
    listed = CONFIG.time_signatures
    assert nearest_metre((7, 16), listed) == (4, 8)
    assert nearest_metre((100, 4), listed) == (16, 4)


def test_bars_in_strange_metres_keep_their_notes_as_context() -> None:
    score = one_bar(Note(60, 64, 0, 100), Note(62, 64, 700, 100), metre=(7, 16))
    found = with_listed_metres(score, CONFIG).tracks[0].bars[0]
    assert (found.ts_numerator, found.ts_denominator, found.beat_length) == (4, 8, 2.0)
    assert found.notes == score.tracks[0].bars[0].notes
    assert score.tracks[0].bars[0].ts_numerator == 7


def test_a_bar_longer_than_every_listed_metre_loses_what_begins_past_the_longest() -> None:
    score = one_bar(Note(60, 64, 0, 100), Note(62, 64, 18 * 480, 100), metre=(20, 4))
    assert [n.pitch for n in with_listed_metres(score, CONFIG).tracks[0].bars[0].notes] == [60]
