"""Rules of voices: what hands and strings reach, which moves are parallel, and whose notes a remark is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from midigpt_core.score import Bar, Note, Score, Track
from midigpt_core.voices.leading import Stave, VoicePart, pairs_of, parallel, parallels, voices_of
from midigpt_core.voices.playable import grip_of, on_bass, on_guitar, two_hands
from midigpt_core.voices.ranges import range_of
from midigpt_core.voices.remarks import Remark, of_leading, of_playing

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def line(*pitches: int) -> list[Note]:
    return [Note(pitch, 90, 480 * i, 480) for i, pitch in enumerate(pitches)]


def piece(*voices: list[list[Note]], program: int = 0) -> Score:
    return Score([Track([Bar(notes) for notes in bars], program) for bars in voices])


@pytest.mark.parametrize(
    ("pitches", "reached"),
    [
        ((48, 52, 55, 60, 64, 67, 72), True),
        ((36, 50, 72, 86), True),  # a ninth in either hand
        ((36, 51, 53, 72), False),  # the left one would need a tenth, the right one more
        (tuple(range(60, 70)), True),
        (tuple(range(60, 71)), False),  # eleven fingers
    ],
)
def test_two_hands_have_five_fingers_and_span_a_ninth_each(pitches: tuple[int, ...], reached: bool) -> None:
    assert two_hands(pitches) is reached


@pytest.mark.parametrize(
    ("pitches", "reached"),
    [
        ((40, 47, 52, 56, 59, 64), True),  # E major, open
        ((41, 48, 53, 57, 60, 65), True),  # F major, barred
        ((40, 41), False),  # both on the lowest string
        ((60, 61, 62, 63), False),
        ((40, 47, 52, 56, 59, 64, 68), False),  # seven strings
        ((38,), False),
    ],
)
def test_a_guitar_plays_what_its_strings_have_within_four_frets(pitches: tuple[int, ...], reached: bool) -> None:
    assert on_guitar(pitches) is reached


def test_a_bass_plays_octaves_and_no_cluster() -> None:
    assert on_bass((28, 40))
    assert not on_bass((23, 24))


def test_instruments_have_their_ranges_and_synthesizers_none() -> None:
    assert [range_of(program) for program in (40, 73, 32, 80, 127)] == [
        (55, 103),
        (59, 98),
        (28, 67),
        (0, 127),
        (0, 127),
    ]
    assert all(low < high for low, high in map(range_of, range(128)))
    assert grip_of(0)[0] is two_hands
    assert grip_of(73) is None


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ((48, 67), (50, 69), 7),  # C-G to D-A
        ((48, 72), (43, 67), 0),
        ((48, 55), (43, 62), None),  # contrary motion
        ((48, 67), (48, 67), None),
        ((48, 64), (50, 66), None),  # thirds
        ((48, 67), (50, 70), None),
    ],
)
def test_a_parallel_keeps_its_interval_and_goes_one_way(first, second, kept) -> None:
    assert parallel(first, second) == kept


def test_voices_move_where_both_have_a_note_and_from_the_ones_before_it() -> None:
    low, high = {0: 48, 12: 50, 30: 52}, {0: 67, 6: 65, 12: 69, 30: 71}
    assert list(parallels(low, high)) == [(12, 12, 30, 7)]  # at 12 the upper voice comes from another note


def test_neighbours_and_the_outer_two_are_compared_and_doubling_is_one_voice() -> None:
    score = piece(*([line(*[p + 12 * octave + 4 * octave for p in (48, 50, 52, 53)])] for octave in range(3)))
    written = [(0, 0)]
    assert [tuple(v.track for v in pair) for pair in pairs_of(score, written)] == [(0, 1), (0, 2)]
    doubled = piece([line(48, 50, 52, 53)] * 3, [line(60, 62, 64, 65)] * 3)
    assert pairs_of(doubled, [(0, 1)]) == ()


def test_voices_are_ordered_by_height_and_the_lowest_is_its_lowest_notes() -> None:
    score = Score.from_midi(SAMPLES / "pop.mid")
    assert voices_of(Stave.of(score, 4, 8)) == (VoicePart(2, True), VoicePart(1, False), VoicePart(0, False))
    lead = Stave.of(Score.from_midi(SAMPLES / "chorale.mid"), 0, 10)
    assert [voice.track for voice in voices_of(lead)] == [3, 2, 1, 0]


def test_a_silent_track_that_is_written_is_expected_in_the_middle_of_its_range() -> None:
    score = piece([line(40)], [line(60)], [[]])
    score.tracks[2].instrument = 73  # a flute
    stave = Stave.of(score, 0, 1)
    assert [voice.track for voice in voices_of(stave)] == [0, 1]
    assert [voice.track for voice in voices_of(stave, {2})] == [0, 1, 2]


def test_remarks_are_on_moves_in_which_a_written_note_takes_part() -> None:
    score = piece([line(48, 50), line(55)], [line(67, 69), line(74)])
    pairs = ((VoicePart(0, True), VoicePart(1, False)),)
    assert list(of_leading(score, [(0, 0)], pairs)) == [
        Remark("parallel fifths", 0, (0, 1)),
        Remark("parallel fifths", 1, (0, 1)),  # over the bar line, from a note that was written
    ]
    assert list(of_leading(score, [(1, 1)], pairs)) == [Remark("parallel fifths", 1, (0, 1))]


def test_a_real_chorale_has_few_parallels_and_a_shifted_voice_has_many() -> None:
    score = Score.from_midi(SAMPLES / "chorale.mid")
    cells = [(0, bar) for bar in range(10)]
    pairs = pairs_of(score, cells)
    assert len(list(of_leading(score, cells, pairs))) <= 1
    bass = [
        [Note(n.pitch + 19, 90, n.onset_ticks, n.duration_ticks) for n in bar.notes] for bar in score.tracks[3].bars
    ]
    bars = [
        Bar(new, b.ts_numerator, b.ts_denominator, b.beat_length)
        for new, b in zip(bass, score.tracks[0].bars, strict=True)
    ]
    shifted = Score([Track(bars, 52), *score.tracks[1:]], score.resolution)
    assert len(list(of_leading(shifted, cells, pairs))) > 10


def test_what_cannot_be_played_is_told_once_per_bar() -> None:
    violin = piece([line(50, 51), line(60)], program=40)
    assert list(of_playing(violin, [(0, 0), (0, 1)])) == [Remark("out of range", 0, (0,))]
    piano = piece([[Note(pitch, 90, 0, 100) for pitch in (36, 60, 96)]])
    assert list(of_playing(piano, [(0, 0)])) == [Remark("more than two hands reach", 0, (0,))]
    assert Remark("out of range", 0, (0,)).text == "out of range in bar 1, track 1"
