"""Real and strange MIDI files become bars of notes at their exact ticks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from midi_cases import BAR, BEYOND_MIDO, CASES, SCALE, midi, on, played, program, tempo, text, track
from support import songs

from midigpt_core import Score


def read(name: str) -> Score:
    return Score.from_midi((CASES | BEYOND_MIDO)[name])


def metres(score: Score) -> list[tuple[int, int, float]]:
    return [(bar.ts_numerator, bar.ts_denominator, bar.beat_length) for bar in score.tracks[0].bars]


def parts(score: Score) -> list[tuple[int | None, int | None, int, str]]:
    return [(part.midi_track, part.channel, part.instrument, part.track_type) for part in score.tracks]


def test_track_is_a_chunk_and_a_channel() -> None:
    assert parts(read("format 0, three channels")) == [(0, 0, 0, "melodic"), (0, 1, 24, "melodic"), (0, 9, 0, "drum")]
    assert parts(read("two tracks on one channel")) == [(0, 0, 40, "melodic"), (1, 0, 40, "melodic")]
    assert len(read("more than 16 tracks").tracks) == 20


def test_notes_have_exact_ticks() -> None:
    score = read("format 1")
    found = [(i * BAR + n.onset_ticks, n.duration_ticks, n.pitch) for i, bar in enumerate(score.tracks[0].bars)
             for n in bar.notes]  # fmt: skip
    assert found == [(a, b - a, p) for a, b, p in SCALE]
    assert score.resolution == 96


@pytest.mark.parametrize(
    "name", ["drums off channel 10, XG", "drums off channel 10, GS", "drums off channel 10, by name"]
)
def test_drums_off_channel_10_are_known_where_the_file_says_so(name: str) -> None:
    assert [part.track_type for part in read(name).tracks] == ["drum"]


@pytest.mark.parametrize("name", [b"Steel Drums", b"Percussion", b"Drummer boy", b"Bass Drum & Timpani"])
def test_melodic_parts_with_drums_in_their_name_stay_melodic(name: bytes) -> None:
    score = Score.from_midi(midi(track((0, text(3, name)), *played(SCALE))))
    assert score.tracks[0].track_type == "melodic"


GS_RESET = bytes.fromhex("f0 0a 41 10 42 12 40 00 7f 00 41 f7")


@pytest.mark.parametrize("bank", [120, 126, 127])
def test_a_drum_bank_means_drums_but_after_a_gs_reset(bank: int) -> None:
    chosen = ((1, bytes((0xB3, 0, bank))), (1, program(0, 3)), *played(SCALE, 3))
    assert Score.from_midi(midi(track(*chosen))).tracks[0].track_type == "drum"
    assert Score.from_midi(midi(track((0, GS_RESET), *chosen))).tracks[0].track_type == "melodic"


def test_program_is_the_one_most_notes_sound_in() -> None:
    assert read("program changes inside a track").tracks[0].instrument == 30


def test_program_sent_by_another_chunk_counts_where_a_chunk_has_none() -> None:
    score = Score.from_midi(midi(track((0, program(11, 2))), track(*played(SCALE, 2))))
    assert score.tracks[0].instrument == 11


def test_first_note_off_closes_the_first_note_on() -> None:
    notes = [note for bar in read("overlapping notes of one pitch").tracks[0].bars for note in bar.notes]
    assert [(note.velocity, note.duration_ticks) for note in notes] == [(1, 300), (2, 400), (3, 700)]


def test_velocity_0_ends_a_note() -> None:
    notes = [note for bar in read("note-on velocity 0").tracks[0].bars for note in bar.notes]
    assert [note.duration_ticks for note in notes] == [48] * 12


def test_note_without_an_end_is_not_in_the_score() -> None:
    assert [note.pitch for bar in read("hanging notes").tracks[0].bars for note in bar.notes] == [62]


def test_zero_length_note_on_the_last_tick_has_a_bar() -> None:
    score = read("zero-length note on the last tick")
    assert [len(bar.notes) for bar in score.tracks[0].bars] == [1, 1]
    assert score.tracks[0].bars[1].notes[0].onset_ticks == 0


@pytest.mark.parametrize(
    "name", ["running status", "running status across a meta event", "running status across sysex"]
)
def test_running_status_is_followed(name: str) -> None:
    notes = [note for bar in read(name).tracks[0].bars for note in bar.notes]
    assert notes
    assert all(note.duration_ticks in (48, 96) for note in notes)


# ---- bars ----


def test_pickup_bar_is_short() -> None:
    assert metres(read("pickup bar"))[:3] == [(1, 4, 1.0), (3, 4, 3.0), (3, 4, 3.0)]


def test_metre_change_in_mid_bar_cuts_the_bar() -> None:
    found = metres(read("metre change in mid-bar"))
    assert found[:4] == [(4, 4, 4.0), (4, 4, 116 / 96), (7, 8, 3.5), (3, 4, 3.0)]


def test_metre_in_any_chunk_counts() -> None:
    assert metres(read("time signature in a later chunk"))[:2] == [(4, 4, 3.0), (3, 4, 3.0)]


def test_trailing_empty_bars_are_kept() -> None:
    score = read("trailing empty bars")
    assert score.n_bars == 12
    assert not score.tracks[0].bars[-1].notes


def test_every_track_has_the_same_bars() -> None:
    for name in CASES:
        shapes = {tuple((b.ts_numerator, b.ts_denominator, b.beat_length) for b in t.bars) for t in read(name).tracks}
        assert len(shapes) <= 1


def test_bar_lines_between_ticks_do_not_drift() -> None:
    score = Score.from_midi(midi(track((0, text(0x58, b"\x07\x06\x18\x08")), *played([(0, 4000, 60)])), division=40))
    lengths = [round(bar.beat_length * 40) for bar in score.tracks[0].bars]
    assert set(lengths) == {17, 18}
    assert abs(sum(lengths[:200]) - 200 * 17.5) <= 1


def test_metre_no_bar_can_be_counted_by_is_passed_over() -> None:
    assert metres(read("a metre of nothing"))[0] == (4, 4, 4.0)


# ---- tempo, names ----


def test_tempo_is_the_first_of_the_file_in_whichever_chunk() -> None:
    assert read("format 1").tempo == 400_000
    assert read("tempo in the second chunk").tempo == 700_000
    assert read("two tracks on one channel").tempo == 500_000


def test_tempo_after_tick_0_leaves_the_default_before_it() -> None:
    assert read("tempo map not at tick 0").tempo == 500_000


def test_very_long_file_is_read() -> None:
    data = midi(track((0, tempo(400_000)), *played([(0, 90, 60)]), (30_000_000, on(60)), end=30_000_000), division=9600)
    assert Score.from_midi(data).tempo == 400_000


def test_names_are_read_in_any_charset() -> None:
    assert [part.name for part in read("lyrics in three charsets").tracks] == [
        "Schöne Müllerin", "Schöne Müllerin", "さくらの歌"]  # fmt: skip


def test_name_of_a_channel_comes_from_its_prefix_in_format_0() -> None:
    assert [part.name for part in read("channel prefix names").tracks] == ["", "Viola"]


# ---- the doors ----


def test_path_bytes_and_file_object_give_the_same_score(tmp_path: Path) -> None:
    data = CASES["format 1"]
    path = tmp_path / "a.mid"
    path.write_bytes(data)
    with path.open("rb") as stream:
        assert Score.from_midi(str(path)) == Score.from_midi(path) == Score.from_midi(data) == Score.from_midi(stream)


def test_real_files_agree_with_pretty_midi_on_notes() -> None:
    import pretty_midi

    for song in [song for song in songs(400, 30) if song.stat().st_size < 8_000][:25]:
        score = Score.from_midi(song)
        ours = sum(len(bar.notes) for part in score.tracks for bar in part.bars)
        theirs = sum(len(part.notes) for part in pretty_midi.PrettyMIDI(str(song)).instruments)
        assert abs(ours - theirs) <= 0.1 * ours  # it merges notes of one pitch that overlap


def test_reading_loads_no_torch() -> None:
    code = "import sys, midigpt_core.midi_file.read; sys.exit('torch' in sys.modules or 'pretty_midi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
