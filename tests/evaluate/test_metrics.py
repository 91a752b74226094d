"""Metrics say what they mean: equal bars score best, and each measure sees what it is for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny import song

from midigpt_core.evaluate.metrics import Passage, copy_rate, in_key_rate, key_of, measure
from midigpt_core.score import Note

CELLS = ((1, 4), (1, 5))


def scene() -> Passage:
    return Passage(song(), CELLS)


def moved(pitch: int = 0, ticks: int = 0) -> dict[tuple[int, int], list[Note]]:
    found = scene().original()
    return {
        c: [replace(n, pitch=n.pitch + pitch, onset_ticks=n.onset_ticks + ticks) for n in notes]
        for c, notes in found.items()
    }


def test_the_original_scores_best_on_everything_compared_with_it() -> None:
    found = measure(scene(), moved())
    assert found["note_f1"] == found["chroma"] == found["groove"] == found["covered"] == pytest.approx(1.0)
    assert found["pce_diff"] == 0


def test_silence_covers_nothing_and_finds_no_note() -> None:
    found = measure(scene(), {cell: [] for cell in CELLS})
    assert found["note_f1"] == found["covered"] == found["chroma"] == 0


def test_note_f1_forgives_less_than_half_a_sixteenth_and_no_more() -> None:
    assert measure(scene(), moved(ticks=50))["note_f1"] == 1
    assert measure(scene(), moved(ticks=70))["note_f1"] == 0


def test_a_wrong_pitch_keeps_the_groove_and_loses_the_note() -> None:
    found = measure(scene(), moved(pitch=1))
    assert found["groove"] == 1
    assert found["note_f1"] == 0


def test_the_key_of_a_c_major_scale_is_c_major() -> None:
    score = song(4)
    for track in score.tracks[1:]:
        for bar in track.bars:
            bar.notes = [Note(60 + step, 80, i * 200, 200) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12))]
            bar.notes += [Note(60, 80, 0, 1900), Note(67, 80, 0, 1900)]
    assert key_of(score) == (0, 0)


def test_in_key_rate_counts_the_notes_of_the_scale() -> None:
    score = song(8)
    for track in score.tracks[1:]:
        for bar in track.bars:
            bar.notes = [Note(60 + step, 80, i * 200, 200) for i, step in enumerate((0, 4, 7, 0, 4, 7, 5, 9))]
    found = Passage(score, CELLS)
    half = {cell: [Note(60, 80, 0, 100), Note(61, 80, 0, 100)] for cell in CELLS}
    assert in_key_rate(found, half, CELLS) == 0.5


def test_copying_a_bar_of_the_context_is_seen() -> None:
    found = scene()
    copied = {cell: found.score.tracks[1].bars[0].notes for cell in CELLS}
    assert copy_rate(found, copied) == 1
    assert copy_rate(found, moved(pitch=1)) == 0


def test_a_copy_is_seen_whether_played_notes_were_cut_down_or_rounded() -> None:
    found = scene()
    for note in found.score.tracks[1].bars[0].notes:
        note.onset_ticks += 37  # of the 40 ticks between two places of the grid
    played = found.score.tracks[1].bars[0].notes
    for moved_to in (0, 40):
        copied = {cell: [replace(n, onset_ticks=n.onset_ticks - 37 + moved_to) for n in played] for cell in CELLS}
        assert copy_rate(found, copied) == 1
    late = {cell: [replace(n, onset_ticks=n.onset_ticks + 43) for n in played] for cell in CELLS}
    assert copy_rate(found, late) == 0


def test_one_pitch_over_and_over_is_collapse() -> None:
    stuck = {cell: [Note(40, 80, i * 120, 100) for i in range(8)] for cell in CELLS}
    assert measure(scene(), stuck)["collapse"] == 1
    assert measure(scene(), moved())["collapse"] == 0


def test_two_measures_agree_with_pretty_midi_s_own() -> None:
    """Pitch-class histogram: the package's duration-weighted one equals ours up to scale."""
    import numpy as np
    import pretty_midi

    from midigpt_core.evaluate.metrics import chroma

    notes = [Note(60, 80, 0, 480), Note(64, 80, 0, 240), Note(67, 90, 480, 960), Note(72, 80, 960, 120)]
    instrument = pretty_midi.Instrument(0)
    for n in notes:
        instrument.notes.append(
            pretty_midi.Note(n.velocity, n.pitch, n.onset_ticks / 960, (n.onset_ticks + n.duration_ticks) / 960)
        )
    theirs = instrument.get_pitch_class_histogram(use_duration=True, normalize=True)
    ours = chroma(notes) / chroma(notes).sum()
    assert np.allclose(ours, theirs)


def test_a_bar_in_another_register_is_out_of_range() -> None:
    found = scene()
    low = min(n.pitch for b, bar in enumerate(found.score.tracks[1].bars) if (1, b) not in CELLS for n in bar.notes)
    outside = {cell: [Note(low - 1, 80, 0, 100)] for cell in CELLS}
    assert measure(found, found.original())["in_range"] == 1
    assert measure(found, outside)["in_range"] == 0
    assert measure(found, {**outside, CELLS[0]: [Note(low, 80, 0, 100)]})["in_range"] == 1 / len(CELLS)
