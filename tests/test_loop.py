"""Loops are equally long, closed at the seam, different from each other, and everything else loops as it was."""

from __future__ import annotations

from dataclasses import replace

import mido
import pytest
from tiny import engine, song

from midigpt_core.errors import RequestValidationError
from midigpt_core.loop import LoopRequest, loop
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.midi_file.excerpt import excerpt
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Note, Score

SAMPLE = "samples/nocturne.mid"


def length(score: Score) -> int:
    return sum(round(bar.beat_length * score.resolution) for bar in score.tracks[0].bars)


def variations(score: Score, **wish):
    wish = {"first": 4, "end": 8, "tracks": (1,), "variations": 3, "config": InferenceConfig(seed=5), **wish}
    return list(loop(engine(), score, LoopRequest(**wish)))


@pytest.mark.parametrize("n_bars", [1, 2, 4, 8])
def test_every_variation_has_exactly_the_loop_s_length(n_bars: int) -> None:
    made = variations(song(12), first=2, end=2 + n_bars)
    assert [v.number for v in made] == [1, 2, 3]
    assert {length(v.score) for v in made} == {n_bars * 1920}
    for variation in made:
        file = mido.MidiFile(file=__import__("io").BytesIO(score_to_bytes(variation.score)))
        assert {sum(m.time for m in track) for track in file.tracks} == {n_bars * 1920}


@pytest.mark.parametrize("seam", ["cut", "wrap"])
def test_no_note_sounds_past_the_end(seam: str) -> None:
    score = song(12)
    for bar in score.tracks[2].bars:
        bar.notes = [Note(60, 80, 1440, 1920)]
    for variation in variations(score, seam=seam, tracks=(1, 2)):
        for track in variation.score.tracks:
            start = 0
            for bar in track.bars:
                assert all(start + n.onset_ticks + n.duration_ticks <= 4 * 1920 for n in bar.notes)
                start += 1920


def test_wrapped_notes_sound_on_at_the_beginning() -> None:
    score = song(12)
    score.tracks[2].bars[7].notes = [Note(50, 80, 1440, 960)]
    cut, wrapped = excerpt(score, 4, 8), excerpt(score, 4, 8, wrap=True)
    assert Note(50, 80, 0, 480) in wrapped.tracks[2].bars[0].notes
    assert Note(50, 80, 0, 480) not in cut.tracks[2].bars[0].notes


def test_other_tracks_loop_as_they_were() -> None:
    score = song(12)
    for variation in variations(score):
        for t in (0, 2):
            assert [b.notes for b in variation.score.tracks[t].bars] == [b.notes for b in score.tracks[t].bars[4:8]]


def test_variations_differ_and_the_same_seed_gives_the_same() -> None:
    def notes(v):
        return [[(n.pitch, n.onset_ticks) for n in bar.notes] for bar in v.score.tracks[1].bars]

    first, again = variations(song(12)), variations(song(12))
    assert [notes(v) for v in first] == [notes(v) for v in again]
    assert len({str(notes(v)) for v in first}) == 3
    assert [v.seed for v in first] == [5, 6, 7]


def test_the_tempo_can_be_set_and_is_the_file_s_otherwise() -> None:
    score = Score.from_midi(SAMPLE)
    slow = excerpt(score, 4, 8, tempo=1_000_000)
    midi = mido.MidiFile(file=__import__("io").BytesIO(score_to_bytes(slow)))
    assert [m.tempo for track in midi.tracks for m in track if m.type == "set_tempo"] == [1_000_000]
    there = mido.MidiFile(file=__import__("io").BytesIO(score_to_bytes(excerpt(score, 4, 8))))
    assert next(m.tempo for track in there.tracks for m in track if m.type == "set_tempo") > 0


def test_controllers_are_reset_at_the_start_and_then_as_they_had_come_to_be() -> None:
    score = Score.from_midi(SAMPLE)
    midi = mido.MidiFile(file=__import__("io").BytesIO(score_to_bytes(excerpt(score, 4, 8))))
    for track in midi.tracks:
        controls = [m.control for m in track if m.type == "control_change"]
        if any(m.type == "note_on" for m in track):
            assert controls[0] == 121


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"end": 99}, "use 5 to 12"),
        ({"first": 12}, "bars 0 to 11"),
        ({"tracks": ()}, "at least one"),
        ({"tracks": (9,)}, "use 0 to 2"),
        ({"variations": 21}, "use 1 to 20"),
        ({"seam": "fade"}, "known: cut, wrap"),
        ({"bpm": 20}, "40 to 300"),
    ],
)
def test_what_cannot_loop_is_refused(wish, says: str) -> None:
    with pytest.raises(RequestValidationError, match=says):
        variations(song(12), **wish)


def test_the_seam_score_is_a_log_probability() -> None:
    assert all(v.seam < 0 for v in variations(song(12)))


def test_tracks_may_be_written_one_after_the_other() -> None:
    one_by_one = InferenceConfig(seed=5, tracks_per_step=1)
    made = variations(song(12), tracks=(1, 2), variations=1, end=6, config=one_by_one)
    assert made[0].seam < 0


def test_the_seam_of_more_tracks_than_the_model_reads_at_once_is_scored_step_by_step() -> None:
    small = song(4)
    many = replace(small, tracks=[small.tracks[2]] * 24)
    request = LoopRequest(0, 2, tuple(range(24)), 1, config=InferenceConfig(seed=3, pool=1, max_attempts=1))
    [only] = loop(engine(n_positions=640), many, request)
    assert only.seam < 0
