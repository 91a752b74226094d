"""Each attribute measures what it says, and the compiled measures are the readable ones."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from midigpt_core.attributes import ATTRIBUTES, AttributeTable, make_attribute
from midigpt_core.attributes.attribute_table import make_attributes
from midigpt_core.errors import EncoderConfigError, TokenError
from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track
from midigpt_core.tokens import kernels
from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES
from midigpt_core.tokens.grid import to_grid
from midigpt_core.tokens.tokenizer import Tokenizer
from tests.support import encoders, songs
from tests.tokens.test_config import open_config

OPEN = Tokenizer.from_config(open_config())


def score_of(*bars: list[Note], track_type: str = MELODIC, resolution: int = 12, program: int = 0) -> Score:
    return Score([Track([Bar(list(notes)) for notes in bars], program, track_type)], resolution)


def attribute(name: str, revision: int = 1, **params: str) -> Any:
    return make_attribute({"name": name, "params": params, "revision": revision})


def chord(*pitches: int, onset: int = 0, duration: int = 12) -> list[Note]:
    return [Note(pitch, 90, onset, duration) for pitch in pitches]


def test_density_is_measured_on_the_instruments_own_scale() -> None:
    four = score_of(chord(60, 62, 64, 65), [], [])
    assert attribute("note_density_quantile", track_type="both").value(four, 0) == 2  # a piano bar of 4 is thin
    bells = replace(four, tracks=[replace(four.tracks[0], instrument=14)])
    assert attribute("note_density_quantile", track_type="both").value(bells, 0) == 6  # and of bells a full one
    drums = score_of(chord(36), track_type=DRUM)
    assert attribute("note_density_quantile").value(drums, 0) == 0


def test_polyphony_counts_voices_that_sound_together() -> None:
    found = score_of([*chord(60, 64, 67, duration=36), *chord(72, onset=36, duration=12)])
    assert attribute("polyphony_quantile", mode="min").value(found, 0) == 0
    assert attribute("polyphony_quantile", mode="max").value(found, 0) == 2
    assert attribute("polyphony_quantile", mode="max", level="bar").value(found, 0, 0) == 2


def test_polyphony_sees_notes_held_over_the_bar_line() -> None:
    held = score_of(chord(60, duration=96), chord(64, duration=48))
    assert attribute("polyphony_quantile", mode="max").value(held, 0) == 1
    assert attribute("polyphony_quantile", mode="max", level="bar").value(held, 0, 1) == 0


@pytest.mark.parametrize(
    ("ticks", "level"), [(1, 0), (2, 0), (3, 1), (6, 2), (11, 2), (12, 3), (24, 4), (48, 5), (400, 5)]
)
def test_durations_are_levelled_from_32nd_to_whole(ticks: int, level: int) -> None:
    assert attribute("note_duration_quantile", mode="min").value(score_of(chord(60, duration=ticks)), 0) == level


def test_drum_hits_count_as_quarter_notes() -> None:
    drums = score_of(chord(36, duration=1), track_type=DRUM)
    assert attribute("note_duration_quantile", mode="max", track_type="both").value(drums, 0) == 3


@pytest.mark.parametrize(("pitches", "label"), [((60, 64, 67, 72), "C major"), ((57, 60, 64, 69), "A minor")])
def test_the_key_is_named_by_its_label(pitches: tuple[int, ...], label: str) -> None:
    key = attribute("key_signature")
    assert key.labels()[key.value(score_of(chord(*pitches)), 0)] == label


def test_a_silent_piece_has_no_key_and_drums_have_none_from_revision_2_on() -> None:
    drums = score_of(chord(36, 38, 42), track_type=DRUM)
    assert attribute("key_signature").value(score_of([]), 0) == 24
    assert attribute("key_signature").value(drums, 0) != 24
    assert attribute("key_signature", revision=2).value(drums, 0) == 24


def test_silence_is_the_share_of_time_without_a_note_from_revision_2_on() -> None:
    halves = score_of(*[chord(60, duration=24)] * 4)
    assert attribute("silence_proportion", revision=2).value(halves, 0) == 5
    assert attribute("silence_proportion").value(halves, 0) == 8  # only the first bar is heard


def test_pitch_range_and_pitch_classes() -> None:
    found = score_of(chord(48, 60, 64), chord(67))
    assert attribute("pitch_range").value(found, 0) == 19
    assert [attribute("pitch_class_set").value(found, 0, bar) for bar in (0, 1)] == [2, 1]


def test_free_timing_reads_as_expressive_and_strict_timing_does_not() -> None:
    strict = score_of(chord(60), chord(62, onset=480), resolution=480)
    free = score_of(chord(60, onset=7), chord(62, onset=491), resolution=480)
    assert attribute("nomml").value(strict, 0) == 0
    assert attribute("nomml").value(free, 0) == 12
    free.tracks[0].attributes["_nomml_raw"] = 3
    assert attribute("nomml").value(free, 0) == 3


def test_most_common_duration_and_most_notes_at_once() -> None:
    found = score_of([*chord(60, 64, duration=6), *chord(67, onset=6, duration=24)])
    assert attribute("note_duration_dist").value(found, 0) == 2
    assert attribute("onset_polyphony").value(found, 0) == 2
    assert attribute("note_density").value(found, 0) == 3


def test_bar_values_of_pitch_classes_reach_the_prompt_from_revision_2_on() -> None:
    assert attribute("pitch_class_set").key(3) == "bar_BarLevelPitchClassSet_3"
    assert attribute("pitch_class_set", revision=2).key(3) == "bar_PitchClassSet_3"


@pytest.mark.parametrize("name", ["tension", "tension_drum"])
def test_measuring_tension_is_refused_with_a_way_out(name: str) -> None:
    kind = DRUM if name == "tension_drum" else MELODIC
    with pytest.raises(TokenError, match=rf"{name} of track 0, bar 1 .* 0 to 9 .*bar_attributes"):
        attribute(name).value(score_of(chord(60), [], track_type=kind), 0, 1)


def test_tension_is_carried_but_not_measured() -> None:
    table = AttributeTable((attribute("tension"),))
    assert table.annotate(score_of(chord(60))).tracks[0].attributes == {}


@pytest.mark.parametrize("name", sorted(ATTRIBUTES))
def test_every_control_has_a_domain_and_a_label_for_each_value_or_for_none(name: str) -> None:
    found = attribute(name, **({"mode": "min"} if name in ("polyphony_quantile", "note_duration_quantile") else {}))
    assert found.size >= 1
    assert found.level in ("track", "bar")
    assert found.track_type in ("melodic", "drum", "both")
    assert len(found.labels()) in (0, found.size)


def test_an_entry_replaces_what_its_token_type_implies() -> None:
    implied = make_attributes(["NoteDensity"], [])
    named = make_attributes(["NoteDensity"], [{"name": "note_density_quantile", "params": {"track_type": "both"}}])
    assert [c.track_type for c in (*implied, *named)] == ["drum", "both"]
    with pytest.raises(EncoderConfigError, match="loud"):
        make_attributes([], [{"name": "loud"}])


def test_annotate_leaves_the_score_given_as_it_was() -> None:
    score = score_of(chord(60))
    found = OPEN.attributes.annotate(score)
    assert score.tracks[0].attributes == {}
    assert found.tracks[0].attributes["pitch_range"] == 0
    assert found.tracks[0].bars == score.tracks[0].bars


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive", "open"])
def test_compiled_measures_are_the_readable_ones_on_real_songs(name: str) -> None:
    config = open_config() if name == "open" else json.loads((encoders() / f"{name}_encoder.json").read_text())
    tokenizer = Tokenizer.from_config(config)
    if kernels.FAST_MEASURE is None:
        pytest.skip("the compiled twins are not built: python setup.py build_ext --inplace")
    for path in songs(7, 1697):
        score = to_grid(Score.from_midi(path), tokenizer.config)
        score = replace(score, tracks=[replace(t, bars=t.bars[4:20]) for t in score.tracks])
        found = kernels.measure_table(kernels.grid_table(score, tokenizer.vocabulary), tokenizer.attributes)
        cell = 0
        for index, track in enumerate(score.tracks):
            values = tokenizer.attributes.values(score, index)
            assert found.tracks[index].tolist() == [values.get(key, -1) for key, _ in TRACK_ATTRIBUTES]
            for bar in range(len(track.bars)):
                expected = [values.get(f"bar_{kind}_{bar}", -1) for kind, _ in BAR_ATTRIBUTES]
                assert found.cells[cell].tolist() == expected
                cell += 1
