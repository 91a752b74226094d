"""What was written is remembered: it can be listed, undone, made again and varied; or nothing is, where so asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FEW = ("--bars", 4, "-t", "bass", "--max-density", 4)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history of this test's own."""
    monkeypatch.setenv("MIDIGPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_run_is_listed_with_song_files_and_seed(midigpt, song, model) -> None:
    midigpt("infill", song, *FEW, "-m", model, "--takes", 2, "--seed", 5)
    midigpt("continue", song, "-b", 1, "-t", "bass", "-m", model, "--max-density", 4)
    later, first = json.loads(midigpt("history", "--json").out)
    assert (later["command"], first["command"], first["seed"], first["model"]) == ("continue", "infill", 5, model)
    made = [str(song.with_name(f"song.infill.{number}.mid")) for number in (1, 2)]
    assert (first["song"], first["files"]) == (str(song), made)
    words = midigpt("history", made[1]).out
    assert "infill" in words
    assert "continue" not in words
    assert all(path in words for path in made)
    assert midigpt("history", "other.mid").out == ""


def test_undo_removes_what_is_new_and_brings_back_what_was_overwritten(midigpt, song, model) -> None:
    before = song.read_bytes()
    midigpt("infill", song, *FEW, "-m", model, "-o", song, "--force", "--seed", 1)
    once = song.read_bytes()
    midigpt("infill", song, *FEW, "-m", model, "-o", song, "--force", "--seed", 2)
    assert len({before, once, song.read_bytes()}) == 3
    assert midigpt("undo", song).code == 0
    assert song.read_bytes() == once
    assert midigpt("undo", song).code == 0
    assert song.read_bytes() == before
    nothing = midigpt("undo", song)
    assert (nothing.code, "is not in the history" in nothing.err) == (1, True)
    midigpt("infill", song, *FEW, "-m", model)
    assert midigpt("undo", song.with_name("song.infill.mid")).err == f"{song.with_name('song.infill.mid')}: removed\n"
    assert not song.with_name("song.infill.mid").exists()


def test_pictures_beside_a_take_are_undone_too(midigpt, song, model) -> None:
    pytest.importorskip("matplotlib", reason="the audio extra is not installed")
    midigpt("infill", song, *FEW, "-m", model, "--render", "svg")
    assert midigpt("undo", song.with_name("song.infill.svg")).code == 0
    assert [file.name for file in song.parent.glob("song.infill*")] == ["song.infill.mid"]


def test_what_others_changed_since_is_not_undone_unasked(midigpt, song, model) -> None:
    made = song.with_name("song.infill.mid")
    midigpt("infill", song, *FEW, "-m", model)
    made.write_bytes(b"mine now")
    refusal = midigpt("undo", made)
    assert (refusal.code, "has changed since" in refusal.err, made.read_bytes()) == (1, True, b"mine now")
    assert midigpt("undo", made, "--force").code == 0
    assert not made.exists()


def test_a_run_is_made_again_and_varied(midigpt, song, model) -> None:
    midigpt("infill", song, *FEW, "-m", model, "--scale", "Am", "-o", song.with_name("a.mid"))
    [run] = json.loads(midigpt("history", "--json").out)
    again = midigpt("infill", "--from-run", run["id"], "-m", model, "-o", song.with_name("b.mid"))
    assert again.code == 0, again.err
    assert song.with_name("b.mid").read_bytes() == song.with_name("a.mid").read_bytes()
    other = midigpt("infill", "--from-run", run["id"], "-m", model, "-o", song.with_name("c.mid"), "--seed", 99)
    assert "seed 99" in other.err
    assert song.with_name("c.mid").read_bytes() != song.with_name("a.mid").read_bytes()
    song.write_bytes(song.with_name("c.mid").read_bytes())
    told = midigpt("infill", "--from-run", run["id"], "-m", model, "-o", song.with_name("d.mid"))
    assert f"has changed since run {run['id']}" in told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from-run", 77), "is not in the history"),
        (("--from-run", 1, "--bars", 4), "exclude each other"),
        ((), "SONG is missing"),
    ],
)
def test_a_run_that_cannot_be_made_again_is_refused(midigpt, song, model, words, said) -> None:
    midigpt("infill", song, *FEW, "-m", model)
    answer = midigpt("infill", *words, "-m", model)
    assert (answer.code, said in answer.err) == (2, True)


def test_nothing_is_remembered_where_so_asked_or_where_it_cannot_be(midigpt, song, model, home, monkeypatch) -> None:
    monkeypatch.setenv("MIDIGPT_HISTORY", "off")
    midigpt("infill", song, *FEW, "-m", model)
    assert not home.exists()
    monkeypatch.delenv("MIDIGPT_HISTORY")
    home.write_text("in the way")
    answer = midigpt("infill", song, *FEW, "-m", model)
    assert (answer.code, "the history cannot be kept" in answer.err) == (0, True)


def test_pipes_are_not_remembered(shell, model, song, home) -> None:
    done = shell('cat song.mid | midigpt infill - --bars 4 -t bass --max-density 4 -m "$MODEL" -o - > out.mid')
    assert done.returncode == 0, done.stderr
    assert not home.exists()
