"""Rules of `midigpt loop`: a file per variation, all equally long, in the tempo asked for."""

from __future__ import annotations

import json

import mido
import pytest
from test_generate import ringing

from midigpt_core import Score

FEW = ("--seed", 1, "--max-density", 4)


def ticks(file) -> int:
    return max(sum(message.time for message in track) for track in mido.MidiFile(file).tracks)


def test_every_variation_is_a_file_of_exactly_the_loops_ticks(midigpt, song, model) -> None:
    answer = midigpt("loop", song, "--bars", "1-2", "--track", "bass", "--variations", 3, *FEW, "-m", model, "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["bars"] == [1, 2]
    assert [v["seed"] for v in told["variations"]] == [1, 2, 3]
    files = [song.with_name(f"song.loop.{number}.mid") for number in (1, 2, 3)]
    assert [v["path"] for v in told["variations"]] == list(map(str, files))
    assert {ticks(file) for file in files} == {2 * 4 * mido.MidiFile(song).ticks_per_beat}
    assert len({file.read_bytes() for file in files}) == 3


def test_the_same_seed_writes_the_same_loops(midigpt, song, model) -> None:
    for folder in ("a", "b"):
        out = song.parent / folder
        words = ("loop", song, "--bars", "1", "-t", 2, "--variations", 1, *FEW, "-m", model, "-o", f"{out}/")
        assert midigpt(*words).code == 0
    [first], [second] = ((song.parent / folder).iterdir() for folder in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_loop_from_nothing_has_the_asked_parts_and_tempo(midigpt, tmp_path, model) -> None:
    file = tmp_path / "new.mid"
    words = ("-i", "flute", "--drums", "--bars", 2, "--bpm", 90, "--variations", 1, *FEW, "-o", file, "-m", model)
    assert midigpt("loop", *words).code == 0
    score = Score.from_midi(file)
    assert score.n_bars == 2
    assert score.tempo == round(60_000_000 / 90)


def test_a_loop_of_all_bars_ends_with_the_last_in_which_a_note_begins(midigpt, song, model) -> None:
    ringing(song)
    assert Score.from_midi(song).n_bars == 6
    words = ("--bars", "all", "--track", 1, "--variations", 1, *FEW, "-m", model, "--json")
    answer = midigpt("loop", song, *words)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["bars"] == [1, 4]
    assert Score.from_midi(song.with_name("song.loop.mid")).n_bars == 4


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--bars", "1,3"), 2),
        (("--bars", "90-91"), 2),
        (("--format", "tape"), 2),
        (("--seam", "glue"), 2),
        (("--track", "tuba"), 2),
        (("--variations", 21), 2),
        (("--takes", 3), 2),
        (("--keep-best", 1), 2),
        (("-o", "-"), 2),
        (("-o", "-", "--variations", 1, "--json"), 2),
        (("-m", "no/such/model.safetensors"), 4),
    ],
)
def test_wrong_usage_writes_nothing(midigpt, song, model, words, code) -> None:
    chosen = words if "-m" in words else (*words, "-m", model)
    assert midigpt("loop", song, *chosen).code == code
    assert [file.name for file in song.parent.iterdir()] == ["song.mid"]


@pytest.mark.parametrize("words", [(), ("--bars", "1-4")])
def test_a_song_without_bars_cannot_loop(midigpt, tmp_path, model, words) -> None:
    empty = tmp_path / "empty.mid"
    Score().to_midi(empty)
    answer = midigpt("loop", empty, *words, "-m", model)
    assert (answer.code, "the song has none" in answer.err) == (2, True)


def test_a_song_that_is_not_there_is_unreadable_input(midigpt, tmp_path, model) -> None:
    assert midigpt("loop", tmp_path / "none.mid", "-m", model).code == 3


@pytest.mark.parametrize("bars", ["x", "0", "1-4"])
def test_a_loop_from_nothing_wants_a_number_of_bars(midigpt, tmp_path, model, bars) -> None:
    answer = midigpt("loop", "-i", "flute", "--bars", bars, "--variations", 1, "-o", tmp_path / "new.mid", "-m", model)
    assert (answer.code, "--bars" in answer.err, list(tmp_path.iterdir())) == (2, True, [])


def test_the_remedies_of_a_loop_are_its_own(midigpt, song, model) -> None:
    assert "--variations 1" in midigpt("loop", song, "-o", "-", "-m", model).err
    assert "--variations 3" in midigpt("loop", song, "--takes", 3, "-m", model).err
    assert "--seam = 'glue'" in midigpt("loop", song, "--seam", "glue", "-m", model).err


def test_pictures_are_drawn_beside_every_variation(midigpt, song, model) -> None:
    pytest.importorskip("matplotlib", reason="the audio extra is not installed")
    words = ("loop", song, "--bars", "1", "-t", "bass", "--variations", 2, *FEW, "-m", model, "--render", "svg")
    answer = midigpt(*words, "--json")
    assert answer.code == 0, answer.err
    made = [song.with_name(f"song.loop.{number}.svg") for number in (1, 2)]
    assert [v["rendered"] for v in json.loads(answer.out)["variations"]] == [[str(file)] for file in made]
    assert all(file.stat().st_size for file in made)


def test_sounds_are_numbered_and_checked_for_before_any_work(midigpt, song, model) -> None:
    words = ("loop", song, "--bars", "1", "-t", "bass", "--variations", 2, *FEW)
    words = (*words, "--format", "wav", "-o", song.with_name("x"))
    made = [song.with_name(f"x.{number}.wav") for number in (1, 2)]
    answer = midigpt(*words, "-m", model)
    assert answer.out.split() == list(map(str, made)), answer.err
    assert all(file.read_bytes()[:4] == b"RIFF" for file in made)
    made[0].unlink()
    again = midigpt(*words, "-m", "no such model")
    assert (again.code, "x.2.wav" in again.err, made[0].exists()) == (2, True, False)


def test_rejected_variations_are_not_written_unless_asked_for(midigpt, song, model) -> None:
    same = ("--rhythm-lock", "--pitch-range", "36-36", "--novelty", "--novelty-threshold", "0.01", "--max-attempts", 1)
    words = ("loop", song, "--bars", "1", "-t", "bass", "--variations", 2, "--seed", 1, "-m", model, *same)
    refusal = midigpt(*words)
    assert (refusal.code, "novelty" in refusal.err, "--allow-partial" in refusal.err) == (5, True, True)
    assert [file.name for file in song.parent.iterdir()] == ["song.mid"]
    kept = midigpt(*words, "--allow-partial", "--json")
    told = json.loads(kept.out)["variations"]
    assert (kept.code, [v["accepted"] for v in told]) == (0, [False, False])
    assert [v["path"] for v in told] == [str(song.with_name(f"song.loop.{number}.mid")) for number in (1, 2)]
