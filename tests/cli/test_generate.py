"""Rules of `midigpt continue` and `midigpt generate`."""

from __future__ import annotations

import json

import pytest

from midigpt_cli.parse.instruments import NAMES, program_of
from midigpt_core import Score
from midigpt_core.errors import RequestValidationError


def test_continue_adds_exactly_the_bars_asked_for(midigpt, song, model) -> None:
    before = Score.from_midi(song)
    assert midigpt("continue", song, "--bars", 3, "-m", model, "--seed", 1).code == 0
    after = Score.from_midi(song.with_name("song.continue.mid"))
    assert after.n_bars == before.n_bars + 3
    for old, new in zip(before.tracks, after.tracks, strict=True):
        assert new.bars[: before.n_bars] == old.bars
        assert any(bar.notes for bar in new.bars[before.n_bars :])


def test_continue_leaves_unnamed_tracks_silent(midigpt, song, model) -> None:
    midigpt("continue", song, "--bars", 2, "--track", "piano", "-m", model, "--seed", 1)
    drums, bass, piano = Score.from_midi(song.with_name("song.continue.mid")).tracks
    assert not any(bar.notes for track in (drums, bass) for bar in track.bars[12:])
    assert any(bar.notes for bar in piano.bars[12:])


def test_generate_writes_the_asked_instruments_metre_tempo_and_key(midigpt, tmp_path, model) -> None:
    parts = ["-i", "piano", "-i", "acoustic bass", "--drums", "--metre", "3/4", "--tempo", 90, "--key", "D:minor"]
    answer = midigpt("generate", "-o", tmp_path / "new.mid", "--bars", 4, *parts, "-m", model, "--seed", 1)
    assert answer.code == 0
    score = Score.from_midi(tmp_path / "new.mid")
    assert [(track.instrument, track.track_type) for track in score.tracks] == [
        (0, "melodic"),
        (32, "melodic"),
        (0, "drum"),
    ]
    assert score.n_bars == 4
    assert all((bar.ts_numerator, bar.ts_denominator) == (3, 4) for track in score.tracks for bar in track.bars)
    assert score.tempo == pytest.approx(60_000_000 / 90, abs=1)
    pitches = {note.pitch % 12 for track in score.tracks[:2] for bar in track.bars for note in bar.notes}
    assert pitches
    assert pitches <= {2, 4, 5, 7, 9, 10, 0}


def test_generate_to_a_song_adds_a_track_and_changes_no_other(midigpt, song, model) -> None:
    before = Score.from_midi(song)
    assert midigpt("generate", "--to", song, "-i", "flute", "-m", model, "--seed", 1).code == 0
    after = Score.from_midi(song.with_name("song.generate.mid"))
    assert after.tracks[:3] == before.tracks
    assert after.tracks[3].instrument == NAMES.index("Flute")
    assert after.tracks[3].channel not in {track.channel for track in before.tracks}
    assert after.n_bars == before.n_bars


def test_generate_needs_a_name_and_an_instrument(midigpt, tmp_path, model) -> None:
    assert midigpt("generate", "-i", "piano", "-m", model).code == 2
    assert midigpt("generate", "-o", tmp_path / "new.mid", "-m", model).code == 2


def test_instruments_are_listed_and_found_by_any_spelling(midigpt) -> None:
    assert midigpt("generate", "--instrument", "help").out.splitlines() == list(NAMES)
    assert "did you mean 'piano'" in midigpt("generate", "--instrument", "pianoo", "-o", "new.mid").err
    assert len(NAMES) == len(set(NAMES)) == 128
    assert (program_of("Acoustic Grand Piano"), program_of("piano"), program_of("acoustic-bass")) == (0, 0, 32)
    assert program_of("lead 2 sawtooth") == 81
    with pytest.raises(RequestValidationError, match="Harpsichord"):
        program_of("harpsicord")
    with pytest.raises(RequestValidationError, match=r"generate -i help") as caught:
        program_of("qqqq", "tracks[0].instrument")
    assert caught.value.field == "tracks[0].instrument"


def ringing(song) -> None:
    """The song with a note that rings over its last bar line, and a marker four bars on."""
    from midi.midi_cases import midi, played, text, track

    notes = [(i * 96, i * 96 + 90, 60) for i in range(15)] + [(15 * 96, 16 * 96 + 24, 64)]
    song.write_bytes(midi(track(*played(notes), (20 * 96 + 30, text(6, b"end")), end=20 * 96 + 31)))


def test_continue_begins_after_the_last_bar_in_which_a_note_begins(midigpt, song, model) -> None:
    ringing(song)
    out = song.with_name("out.mid")
    answer = midigpt("continue", song, "--bars", 3, "-m", model, "--seed", 1, "-o", out)
    assert answer.code == 0
    assert "the last 2 bars are silent and left out: the new ones begin at bar 5 (--from 7" in answer.err
    heard = [len(bar.notes) for bar in Score.from_midi(out).tracks[0].bars]
    assert len(heard) == 7
    assert all(heard)


def test_continue_begins_where_it_is_told_to(midigpt, song, model) -> None:
    ringing(song)
    out = song.with_name("out.mid")
    answer = midigpt("continue", song, "--bars", 2, "--from", 7, "-m", model, "--seed", 1, "-o", out)
    assert "silent" not in answer.err
    heard = [len(bar.notes) for bar in Score.from_midi(out).tracks[0].bars]
    assert len(heard) == 8
    assert heard[4:6] == [0, 0]
    assert all(heard[6:])
    assert midigpt("continue", song, "--bars", 2, "--from", 8, "-m", model, "-o", out, "--force").code == 2


def test_all_bars_end_with_the_last_note_that_begins(midigpt, song, model) -> None:
    ringing(song)
    plan = json.loads(midigpt("plan", song, "--bars", "all", "--track", 1, "--json").out)
    assert max(bar for step in plan["steps"] for cell in step["writes"] for bar in cell["bars"]) <= 4
    out = song.with_name("out.mid")
    assert midigpt("infill", song, "--bars", "all", "-m", model, "--seed", 1, "-o", out).code == 0
    assert [len(bar.notes) for bar in Score.from_midi(out).tracks[0].bars][4:] == [0, 0]
