"""Chord tones, clashes and leaps are counted as a musician would, on scores small enough to count by hand."""

from __future__ import annotations

import pytest
from support import songs

from midigpt_core.evaluate.band_fit import fit_with_band, leaps
from midigpt_core.evaluate.floors import copy_previous, random_in_key, stock
from midigpt_core.evaluate.metrics import Passage, measure
from midigpt_core.evaluate.tasks import draw_tasks
from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track

QUARTER = 480
TRIAD = [Note(pitch, 80, 0, 4 * QUARTER) for pitch in (48, 52, 55)]  # C major, all bar


def band(*parts: list[list[Note]], kinds: tuple[str, ...] = ()) -> Score:
    """Tracks of 4/4 bars with these notes."""
    return Score(
        [
            Track([Bar(list(notes)) for notes in bars], track_type=kind)
            for bars, kind in zip(parts, kinds or (MELODIC,) * len(parts), strict=True)
        ]
    )


def beside(chords: list[Note], new: list[Note], kind: str = MELODIC) -> dict[str, float]:
    """The measures of `new`, written into a bar beside these chords."""
    return fit_with_band(band([[]], [chords], kinds=(MELODIC, kind)), {(0, 0): new})


def test_each_sixteenth_of_a_new_note_counts_as_chord_tone_clash_or_neither() -> None:
    new = [Note(72, 80, 0, QUARTER), Note(73, 80, QUARTER, QUARTER), Note(69, 80, 2 * QUARTER, 2 * QUARTER)]
    assert beside(TRIAD, new) == {"chord_tone": 4 / 16, "clash": 4 / 16}  # C; C sharp beside C; A is neither


def test_a_chord_tone_a_semitone_from_another_is_no_clash() -> None:
    seventh = [*TRIAD, Note(59, 80, 0, 4 * QUARTER)]
    assert beside(seventh, [Note(71, 80, 0, QUARTER), Note(72, 80, QUARTER, QUARTER)])["clash"] == 0


def test_where_no_other_melodic_track_sounds_nothing_counts() -> None:
    until_three = [Note(48, 80, 0, 2 * QUARTER)]
    new = [Note(72, 80, 0, QUARTER), Note(73, 80, QUARTER, 3 * QUARTER)]
    assert beside(until_three, new) == {"chord_tone": 1 / 2, "clash": 1 / 2}
    assert beside(until_three, [Note(73, 80, 2 * QUARTER, QUARTER)]) == {}
    assert beside(TRIAD, new, kind=DRUM) == {}


def test_a_note_held_over_the_bar_line_sounds_in_the_next_bar() -> None:
    score = band([[], []], [[Note(48, 80, 2 * QUARTER, 4 * QUARTER)], []])
    assert fit_with_band(score, {(0, 1): [Note(60, 80, 0, 4 * QUARTER)]})["chord_tone"] == 1
    assert fit_with_band(score, {(0, 1): [Note(61, 80, QUARTER, QUARTER)]})["clash"] == 1


def test_tracks_written_together_are_held_against_each_other_as_written() -> None:
    score = band([TRIAD], [TRIAD])  # what stood there is gone
    written = {(0, 0): [Note(60, 80, 0, QUARTER)], (1, 0): [Note(61, 80, 0, QUARTER)]}
    assert fit_with_band(score, written) == {"chord_tone": 0, "clash": 1}


def test_leaps_are_taken_over_both_seams_and_by_the_highest_note() -> None:
    before, after = [Note(60, 80, 0, 10), Note(64, 80, QUARTER, 10), Note(55, 80, QUARTER, 10)], [Note(67, 80, 0, 10)]
    score = band([before, [], after])
    new = {(0, 1): [Note(50, 80, QUARTER, 10), Note(62, 80, 0, 10)]}
    assert list(leaps(score, new, 0)) == [2, 17]  # 64 to 62, 50 to 67
    assert fit_with_band(score, new) == {"leap": 9.5}


def test_a_seam_beside_silence_is_no_leap() -> None:
    score = band([[], [], [Note(60, 80, 0, 10)]])
    assert list(leaps(score, {(0, 1): []}, 0)) == []
    assert list(leaps(score, {(0, 2): [Note(72, 80, 0, 10)]}, 0)) == []


def test_real_music_fits_its_band_better_than_bars_of_another_song() -> None:
    tasks = draw_tasks(songs(30, stride=150), 12, 3, kinds=("2 bars", "4 bars"))
    shelf, found = stock(tasks), {"original": [], "other": [], "before": []}
    for task in tasks:
        scene = Passage(task.score, task.cells)
        for name, notes in (
            ("original", scene.original()),
            ("other", random_in_key(task, shelf)),
            ("before", copy_previous(task, shelf)),
        ):
            found[name].append(measure(scene, notes))
    clash, tone = (
        {name: [row[key] for row in rows if key in row] for name, rows in found.items()}
        for key in ("clash", "chord_tone")
    )
    mean = {name: sum(rows) / len(rows) for name, rows in clash.items()}
    assert mean["original"] < mean["before"] < mean["other"]
    assert sum(tone["original"]) / len(tone["original"]) > sum(tone["other"]) / len(tone["other"])
    assert mean["original"] == pytest.approx(0.05, abs=0.05)
