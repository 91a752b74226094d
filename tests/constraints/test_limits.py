"""What is asked of written bars holds note by note, on real music, whatever the model would rather write."""

from __future__ import annotations

from collections import Counter
from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real import engine, sample, written, yielded

from midigpt_core import trace
from midigpt_core.attributes.key_signature import KeySignature
from midigpt_core.attributes.note_density import density_class
from midigpt_core.attributes.silence import SilenceProportion
from midigpt_core.constraints.attribute_limits import HANDS, among_pitches
from midigpt_core.constraints.attribute_targets import (
    MAJOR_SCALE,
    MINOR_SCALE,
    NOWHERE,
    AttributeTarget,
    _Builder,
    notes_of,
)
from midigpt_core.constraints.masks import AllowedTokens
from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track
from midigpt_core.tokens.grid import grid_ticks
from midigpt_core.tokens.types import TokenType

LINES = [("pop", 0), ("waltz", 3), ("seven", 1)]  # song, track: 4/4, 3/4, 7/8
BARS = [4, 5, 6]


def bars(name: str, track: int, attributes: dict[str, int], heard: list[trace.Event] | None = None, **more):
    return written(sample(name), track, BARS, attributes, [] if heard is None else heard, **more)[1]


def begun(bar: Bar) -> list[int]:
    """How many notes begin at each onset, in time order."""
    counts = Counter(note.onset_ticks for note in bar.notes)
    return [counts[onset] for onset in sorted(counts)]


def _on_grid(bar: Bar) -> set[tuple[int, int, int]]:
    return {(round(n.onset_ticks / 40), n.pitch, max(1, round(n.duration_ticks / 40))) for n in bar.notes}


@pytest.mark.parametrize("level", [0, 4, 8])
@pytest.mark.parametrize(("name", "track"), [*LINES, ("drums", 0)])
def test_every_bar_has_as_many_notes_as_the_density_asked_for(name: str, track: int, level: int) -> None:
    fewest, most = notes_of(sample(name).tracks[track], level)
    assert all(fewest <= len(bar.notes) <= most for bar in bars(name, track, {"note_density": level}))


def test_a_bar_of_its_own_density_stands_among_the_others() -> None:
    found = bars("pop", 0, {"note_density": 2}, bar_attributes={5: {"bar_note_density": 8}})
    for bar, level in zip(found, (2, 8, 2), strict=True):
        fewest, most = notes_of(sample("pop").tracks[0], level)
        assert fewest <= len(bar.notes) <= most


def test_bars_written_one_after_another_obey_too() -> None:
    score = sample("pop")
    fewest, most = notes_of(score.tracks[2], 6)
    _, found = written(score, 2, [13, 14, 15], {"note_density": 6}, [], autoregressive=True)
    assert all(fewest <= len(bar.notes) <= most for bar in found)


@pytest.mark.parametrize("level", [0, 3, 7, 9])
@pytest.mark.parametrize(("name", "track"), LINES)
def test_no_bar_of_a_melodic_track_is_more_or_less_silent_than_asked(name: str, track: int, level: int) -> None:
    control = engine().tokenizer.attributes.get("silence_proportion")
    take, found = written(sample(name), track, BARS, {"silence_proportion": level}, [])
    levels = [AttributeTarget(control, level, track, (bar,)).level(take.score, engine().tokenizer) for bar in BARS]
    assert levels == [level] * len(BARS)
    assert all(count <= HANDS for bar in found for count in begun(bar))


@pytest.mark.parametrize(("fewest", "most"), [(0, 0), (1, 1), (1, 2)])
@pytest.mark.parametrize(("name", "track"), [("pop", 1), ("nocturne", 1), ("seven", 1)])
def test_never_more_or_fewer_voices_begin_at_an_onset_than_asked(name, track, fewest, most) -> None:
    found = bars(name, track, {"min_polyphony": fewest, "max_polyphony": most})
    assert all(fewest + 1 <= count <= most + 1 for bar in found for count in begun(bar))


@pytest.mark.parametrize(("shortest", "longest"), [(1, 1), (2, 3), (0, 5)])
@pytest.mark.parametrize(("name", "track"), LINES)
def test_only_durations_asked_for_are_written(name: str, track: int, shortest: int, longest: int) -> None:
    found = bars(name, track, {"min_note_duration": shortest, "max_note_duration": longest})
    levels = {min(5, max(0, int(log2(note.duration_ticks / 480) + 3))) for bar in found for note in bar.notes}
    assert levels <= set(range(shortest, longest + 1))


@pytest.mark.parametrize("span", [0, 4, 12])
@pytest.mark.parametrize(("name", "track"), LINES)
def test_a_pitch_range_is_never_exceeded(name: str, track: int, span: int) -> None:
    pitches = [note.pitch for bar in bars(name, track, {"pitch_range": span}) for note in bar.notes]
    assert max(pitches) - min(pitches) <= span


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("name", "track"), LINES)
def test_no_bar_has_more_pitch_classes_than_asked(name: str, track: int, count: int) -> None:
    asked = {bar: {"pitch_class_set": count} for bar in BARS}
    found = bars(name, track, {}, bar_attributes=asked)
    assert all(len({note.pitch % 12 for note in bar.notes}) <= count for bar in found)


@pytest.mark.parametrize("key", [1, 6, 15])
@pytest.mark.parametrize(("name", "track"), LINES)
def test_only_notes_of_the_asked_key_are_written(name: str, track: int, key: int) -> None:
    scale = {(key + step) % 12 for step in (MAJOR_SCALE if key < 12 else MINOR_SCALE)}
    found = bars(name, track, {"key_signature": key})
    assert {note.pitch % 12 for bar in found for note in bar.notes} <= scale


def test_asking_for_a_key_does_not_ask_for_more_notes() -> None:
    def count(attributes: dict[str, int]) -> int:
        found = (bars(name, track, attributes, seed=seed) for name, track in LINES for seed in range(2))
        return sum(len(bar.notes) for part in found for bar in part)

    assert 0.6 < count({"key_signature": 4}) / count({}) < 1.5


def test_a_lean_on_pitches_leaves_a_note_as_likely_as_it_is() -> None:
    vocabulary = engine().tokenizer.vocabulary
    start, end = vocabulary.range(TokenType.NOTE_ONSET)
    logprobs = np.full(vocabulary.size, -np.inf, np.float32)
    logprobs[[start + 60, start + 64, end + 1]] = np.log([0.2, 0.3, 0.5])
    bias = np.zeros(vocabulary.size, np.float32)
    bias[start + 64] = 3.0
    moved = np.exp(logprobs + among_pitches(vocabulary, bias, logprobs))
    assert moved[start:end].sum() == pytest.approx(0.5)
    assert moved[start + 64] / moved[start + 60] == pytest.approx(1.5 * np.exp(3.0), rel=1e-4)
    assert among_pitches(vocabulary, bias, np.where(np.arange(len(logprobs)) < end, -np.inf, logprobs)) is None


# ---- what gives way ----


@pytest.mark.parametrize(
    ("attributes", "more", "who"),
    [
        ({"note_density": 9}, {"density_hard_limit": 2}, "note_count"),
        ({"min_polyphony": 3}, {"polyphony_hard_limit": 1}, "chord_size"),
        ({"min_note_duration": 4, "max_note_duration": 1}, {}, "note_length"),
        ({"note_density": 8}, {"controls": {"rhythm_lock": True}}, "note_count"),
        ({"min_polyphony": 2}, {"controls": {"pitch_mask": {"pitches": [60]}}}, "chord_size"),
    ],
)
def test_what_cannot_be_obeyed_gives_way_and_is_told(attributes, more, who) -> None:
    heard: list[trace.Event] = []
    assert all(bar.notes for bar in bars("pop", 0, attributes, heard, **more))
    assert yielded(heard) == {who}


def test_hard_limits_are_stricter_than_wishes() -> None:
    limited = bars("pop", 1, {"note_density": 9, "min_polyphony": 5}, density_hard_limit=4, polyphony_hard_limit=2)
    assert all(len(bar.notes) <= 4 and max(begun(bar)) <= 2 for bar in limited)


@pytest.mark.parametrize(
    "attributes",
    [
        {"min_polyphony": 2, "max_polyphony": 3},
        {"note_density": 9},
        {"silence_proportion": 0},
        {"key_signature": 0},
        {"key_signature": 0, "note_density": 7, "pitch_range": 9, "min_polyphony": 1},
    ],
)
@pytest.mark.parametrize("pitches", [[61], [60, 61, 63]])
def test_a_pitch_mask_is_stricter_than_wishes(attributes: dict[str, int], pitches: list[int]) -> None:
    found = bars("pop", 0, attributes, controls={"pitch_mask": {"pitches": pitches}})
    assert all(bar.notes for bar in found)
    assert {note.pitch for bar in found for note in bar.notes} <= set(pitches)


@pytest.mark.parametrize(
    "attributes", [{"note_density": 9}, {"max_polyphony": 0}, {"silence_proportion": 8}, {"key_signature": 5}]
)
def test_a_locked_rhythm_is_stricter_than_wishes(attributes: dict[str, int]) -> None:
    before = [sample("pop").tracks[1].bars[b] for b in BARS]
    found = bars("pop", 1, attributes, controls={"rhythm_lock": True})
    assert [begun(bar) for bar in found] == [begun(bar) for bar in before]
    assert [{n.onset_ticks for n in bar.notes} for bar in found] == [
        {n.onset_ticks for n in bar.notes} for bar in before
    ]


def test_a_remix_keeps_what_it_does_not_change_whatever_is_wished() -> None:
    before = [sample("pop").tracks[2].bars[b] for b in BARS]
    asked = {"key_signature": 1, "note_density": 9, "pitch_range": 2, "max_note_duration": 0}
    found = bars("pop", 2, asked, controls={"remix": {"amount": 0.2}})
    for old, new in zip(before, found, strict=True):
        assert len(old.notes) == len(new.notes)
        assert len(_on_grid(old) & _on_grid(new)) == len(old.notes) - 1


def test_a_rhythm_grid_is_stricter_than_wishes() -> None:
    grid = {"rhythm_mask": {"grid": {"unit": "half"}}}
    for attributes in ({"note_density": 8}, {"silence_proportion": 0}):
        found = bars("pop", 0, attributes, controls=grid)
        assert {note.onset_ticks for bar in found for note in bar.notes} <= {0, 960}


# ---- the bounds agree with what controls measure ----


@given(st.sampled_from([(4, 4), (3, 4), (7, 8), (5, 16), (1, 16), (17, 16)]), st.integers(0, 9), st.data())
def test_the_bounds_of_silence_are_those_of_the_control(metre: tuple[int, int], level: int, data) -> None:
    ticks = grid_ticks(4 * metre[0] / metre[1], 12)
    sounding = data.draw(st.sets(st.integers(0, ticks - 1), min_size=1))
    bar = Bar([Note(60, 80, tick, 1) for tick in sorted(sounding)], *metre, 4 * metre[0] / metre[1])
    score = Score([Track([bar])], resolution=12)
    control = SilenceProportion()
    control.revision = 2
    help = _Builder(engine().tokenizer.vocabulary, score, NOWHERE)
    help.add(AttributeTarget(control, level, 0, (0,)), 0, ticks)
    bounds = help.covers[0]
    assert bounds.low >= 1
    assert 1 <= bounds.high <= ticks
    possible = ceil(level * ticks / 10) < ceil((level + 1) * ticks / 10) and ceil(level * ticks / 10) < ticks
    if possible:
        assert (bounds.low <= len(sounding) <= bounds.high) is (control.value(score, 0) == level)


@given(st.integers(0, 127), st.booleans(), st.integers(0, 9), st.integers(1, 200))
def test_the_notes_of_a_density_are_those_the_control_counts_as_it(program, drums, level, notes) -> None:
    track = Track(instrument=program, track_type=DRUM if drums else MELODIC)
    fewest, most = notes_of(track, level)
    there = [density_class(track, count) for count in range(1, 201)]
    wanted = min(there, key=lambda found: abs(found - level))
    assert (fewest <= notes <= most) is (density_class(track, notes) == wanted)


def test_a_minor_key_has_both_its_sevenths() -> None:
    vocabulary = engine().tokenizer.vocabulary
    start, end = vocabulary.range(TokenType.NOTE_ONSET)
    help = _Builder(vocabulary, sample("pop"), NOWHERE)
    help.add(AttributeTarget(KeySignature(), 12 + 9, 0, (4,)), 0, 48)
    mask = next(each for each in help.constraints() if isinstance(each, AllowedTokens)).by_cell[0][start:end]
    assert {pitch % 12 for pitch in np.flatnonzero(mask)} == {9, 11, 0, 2, 4, 5, 7, 8}  # A minor, with G and G sharp


@pytest.mark.parametrize(("asked", "most"), [(0, 1), (1, 1), (3, 3)])
def test_as_many_pitch_classes_may_be_written_as_are_asked_for_and_at_least_one(asked: int, most: int) -> None:
    help = _Builder(engine().tokenizer.vocabulary, sample("pop"), NOWHERE)
    help.add(AttributeTarget(engine().tokenizer.attributes.get("pitch_class_set"), asked, 0, (4,)), 0, 48)
    assert help.classes[0][1] == most
