"""`midigpt info` says what is in a song, for people and for programs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny

from midigpt_cli.exit_codes import DONE, UNREADABLE
from midigpt_cli.main import run
from midigpt_core import Score

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
POP = str(SAMPLES / "pop.mid")


def report(capsys: pytest.CaptureFixture[str], *songs: str) -> Any:
    assert run(["info", *songs, "--json"]) == DONE
    return json.loads(capsys.readouterr().out)


def test_tracks_count_from_1_and_places_from_0(capsys: pytest.CaptureFixture[str]) -> None:
    found = report(capsys, POP)
    assert found["counted_from"] == {"tracks": 1, "bars": 1, "channel": 0, "midi_track": 0}
    bass = found["tracks"][2]
    assert (bass["number"], bass["name"], bass["instrument"]) == (3, "Bass", "Electric Bass (finger)")
    assert (bass["channel"], bass["midi_track"], bass["drums"]) == (2, 3, False)
    assert found["tracks"][4]["drums"]
    assert found["tracks"][3]["sounding_bars"] == list(range(9, 17))


def test_notes_and_bars_are_those_of_the_score(capsys: pytest.CaptureFixture[str]) -> None:
    for song in sorted(SAMPLES.glob("*.mid")):
        found, score = report(capsys, str(song)), Score.from_midi(song)
        assert found["bars"] == score.n_bars
        assert [track["notes"] for track in found["tracks"]] == [
            sum(len(bar.notes) for bar in track.bars) for track in score.tracks
        ]


def test_metres_tempi_keys_and_length(capsys: pytest.CaptureFixture[str]) -> None:
    found = report(capsys, str(SAMPLES / "seven.mid"))
    assert [(change["bar"], change["metre"]) for change in found["metres"]] == [(1, "7/8"), (9, "4/4"), (13, "7/8")]
    assert [(change["bar"], change["bpm"]) for change in found["tempi"]][:2] == [(1, 132.0), (9, 120.0)]
    assert [change["key"] for change in found["keys"]] == ["Am"]
    assert found["key_by_notes"] == "A minor"
    expected = 28 * 60 / 132 + 16 * 60 / 120 + 10.5 * 60 / 132 + 3.5 * 60 / 116
    assert found["seconds"] == pytest.approx(expected, abs=0.01)


def test_attributes_have_a_value_and_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    chords, drums = (report(capsys, POP)["tracks"][i]["attributes"] for i in (1, 4))
    assert chords["min_polyphony"]["label"] == "3 voices"
    assert 0 <= chords["note_density"]["value"] < chords["note_density"]["of"]
    assert "min_polyphony" not in drums


def test_picture_shows_where_a_track_sounds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", POP]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert "4 Strings  ........########" in lines
    assert any(line.startswith("3  Bass") and "E1-C3" in line for line in lines)


def test_song_longer_than_the_line_has_several_bars_per_mark(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    score = Score.from_midi(POP)
    score.source = None
    for track in score.tracks:
        track.bars = track.bars * 20
    score.to_midi(tmp_path / "long.mid")
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["info", str(tmp_path / "long.mid")]) == DONE
    out = capsys.readouterr().out
    assert "one mark per 5 bars" in out
    assert max(map(len, out.splitlines()[6:])) <= 100


def test_several_songs_are_one_object_and_a_bad_one_does_not_stop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", POP, "no.mid", str(SAMPLES / "drums.mid"), "--json"]) == UNREADABLE
    said = capsys.readouterr()
    assert [Path(song["song"]).stem for song in json.loads(said.out)["songs"]] == ["pop", "drums"]
    assert "no.mid: cannot be read" in said.err


def test_damaged_song_gives_a_sentence_and_code_3(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.mid"
    bad.write_bytes(Path(POP).read_bytes()[:1000])
    assert run(["info", str(bad)]) == UNREADABLE
    said = capsys.readouterr()
    assert said.out == ""
    assert "bad.mid: cut off" in said.err


def test_dash_reads_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(Path(POP).read_bytes()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert report(capsys, "-")["bars"] == 16


def test_song_without_notes_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Score().to_midi(tmp_path / "empty.mid")
    assert run(["info", str(tmp_path / "empty.mid")]) == DONE
    assert "0 tracks" in capsys.readouterr().out


def test_info_loads_no_torch() -> None:
    code = f"import sys; from midigpt_cli.main import run; run(['info', {POP!r}]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_quiet_leaves_the_facts_and_verbose_tells_every_change(midigpt, tmp_path) -> None:
    score = tiny.song(24, metres=((4, 4), (3, 4)))
    score.to_midi(tmp_path / "changing.mid")
    usual = midigpt("info", tmp_path / "changing.mid").out
    quiet = midigpt("info", tmp_path / "changing.mid", "--quiet").out
    assert "more changes" in usual
    assert len(quiet.splitlines()) < len(usual.splitlines()) - 3
    assert "from bar 24" in midigpt("info", tmp_path / "changing.mid", "--verbose").out
