"""What a track tells about another: by the parts they play, by their instruments' families, by what sounds near."""

from __future__ import annotations

import pytest
from real import sample

from midigpt_core.plan.cut_paste import REACH, cut, kept_notes
from midigpt_core.plan.divide import Division, divided
from midigpt_core.plan.drop_order import expected_tokens, guessed_costs
from midigpt_core.plan.roles import _PARTS, _RELEVANCE, SILENT, relevance, role
from midigpt_core.plan.steps import PlanOptions, Step, plan_steps
from midigpt_core.score import DRUM, Bar, Note, Score, Track

PIANO, GUITAR, KIT = Track(instrument=7), Track(instrument=24), Track(track_type=DRUM)
CYMBALS = (42, 44, 46, 49, 51, 52, 53, 55, 57, 59)  # hi-hats, crashes, rides, splash, china, bell


def struck(pitch: int) -> Track:
    return Track([Bar([Note(pitch, 90, 0, 6)])], track_type=DRUM)


def test_what_parts_tell_is_a_share_and_silence_tells_nothing() -> None:
    assert all(0 <= share <= 1 for row in _RELEVANCE.values() for share in row)
    assert all(len(row) == len(_PARTS) and row[_PARTS.index(SILENT)] == 0 for row in _RELEVANCE.values())


def test_an_instrument_of_the_same_family_tells_more_and_another_drum_track_does_not() -> None:
    def told(target: Track, track: Track) -> float:
        return relevance(target, "lead", track, "harmony")

    assert told(PIANO, Track(instrument=0)) > told(PIANO, GUITAR)
    assert told(Track(instrument=9), Track(instrument=8)) > told(Track(instrument=8), PIANO)  # 7 and 8 are two families
    assert told(KIT, Track(track_type=DRUM)) == told(KIT, GUITAR)
    assert relevance(PIANO, "lead", Track(instrument=0), SILENT) == 0


@pytest.mark.parametrize("pitch", range(27, 88))
def test_drums_are_told_apart_as_general_midi_names_them(pitch: int) -> None:
    track = struck(pitch)
    expected = "kit" if 35 <= pitch <= 40 else "cymbals" if pitch in CYMBALS else "percussion"
    assert role(track, 0, 1) == expected


def test_a_note_of_drums_takes_fewer_tokens_and_a_bar_without_notes_its_own() -> None:
    bars = [Bar([Note(60, 90, 12 * beat, 6) for beat in range(4)]) for _ in range(4)]
    score = Score([Track(bars), Track(bars, track_type=DRUM), Track([Bar()] * 4)], 12)
    assert guessed_costs(score, Step(0, 4, False, frozenset({(2, 0)})), range(3)) == {0: 72, 1: 56, 2: 16}


@pytest.mark.parametrize(("kind", "tokens"), [("melodic", 39), (DRUM, 59)])
@pytest.mark.parametrize("there", [[Bar()], []])
def test_bars_without_a_note_to_go_by_are_expected_as_long_as_bars_usually_are(there, kind: str, tokens: int) -> None:
    song = Score([Track(there, track_type=kind)], 12)
    assert expected_tokens(song, Step(0, 1, False, frozenset({(0, 0)}))) == tokens


def test_divided_steps_come_in_the_order_of_tracks_and_of_bars() -> None:
    one_each = Division(lambda step: len(step.cells) == 1)
    parts = divided(Step(0, 8, False, frozenset((track, bar) for track in (0, 2) for bar in (1, 4, 5))), one_each)
    assert [cell for part in parts for cell in part.cells] == [(0, 1), (0, 4), (0, 5), (2, 1), (2, 4), (2, 5)]


def test_a_window_of_a_single_bar_is_planned() -> None:
    assert [step.n_bars for step in plan_steps({(0, 3)}, 8, PlanOptions(window=1))] == [1]


@pytest.mark.parametrize(("name", "track"), [("pop", 1), ("waltz", 0), ("seven", 1)])
def test_what_sounds_around_the_bars_of_a_step_is_known_where_it_sounds(name: str, track: int) -> None:
    score = sample(name)
    step = Step(5, 9, False, frozenset({(track, 6)}))
    bars, found = score.tracks[track].bars, set()
    begins = [sum(bar.beat_length for bar in bars[:place]) for place in range(len(bars))]
    for place, bar in enumerate(bars):
        for note in bar.notes if place != 6 else ():
            start = begins[place] + note.onset_ticks / score.resolution - begins[5]
            if -REACH <= start < begins[9] - begins[5] + REACH:
                found.add((round(start * 12, 6), note.pitch))
    kept = {(start, pitch) for start, _, pitch in kept_notes(score, step, 12)[track]}
    assert {(int(start // 1), pitch) for start, pitch in found} <= kept
    assert {pitch for _, pitch in kept} <= {note.pitch for bar in bars for note in bar.notes}


def test_a_track_that_ends_early_gets_empty_bars_in_the_metre_of_the_longest() -> None:
    score = sample("waltz")
    score.tracks[0].bars = [Bar()]  # 4/4, and no more
    window = cut(score, Step(1, 4, False, frozenset({(0, 3)})))
    assert [(bar.ts_numerator, bar.ts_denominator) for bar in window.tracks[0].bars] == [(3, 4)] * 3
