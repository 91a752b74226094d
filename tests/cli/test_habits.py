"""Habits of good command-line tools, as the installed command has them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from midigpt_core.score import Score

FEW = ("--bars", 4, "-t", "bass", "--max-density", 4, "--seed", 1)


def test_a_second_run_takes_the_next_free_number(midigpt, song, model) -> None:
    words = ("infill", song, *FEW, "-m", model, "--json")
    made = [json.loads(midigpt(*words).out)["songs"][0]["outputs"] for _ in range(3)]
    names = ("song.infill.mid", "song.infill.2.mid", "song.infill.3.mid")
    assert made == [[str(song.with_name(name))] for name in names]
    takes = json.loads(midigpt(*words, "--takes", 2).out)["songs"][0]["outputs"]
    assert takes == [str(song.with_name(f"song.infill.{number}.mid")) for number in (4, 5)]
    into = json.loads(midigpt(*words, "-o", f"{song.parent}/out/").out)["songs"][0]["outputs"]
    again = json.loads(midigpt(*words, "-o", f"{song.parent}/out/").out)["songs"][0]["outputs"]
    assert (into[0][-15:], again[0][-17:]) == ("song.infill.mid", "song.infill.2.mid")


def test_a_name_of_ones_own_is_never_numbered_and_force_overwrites_the_first(midigpt, song, model) -> None:
    words = ("infill", song, *FEW, "-m", model)
    assert midigpt(*words, "-o", song.with_name("mine.mid")).code == 0
    again = midigpt(*words, "-o", song.with_name("mine.mid"))
    assert (again.code, "exists; add --force" in again.err) == (2, True)
    assert midigpt(*words).code == midigpt(*words, "--force").code == 0
    assert not song.with_name("song.infill.2.mid").exists()


def test_a_picture_in_the_way_moves_the_song_to_the_next_number_too(midigpt, song, model) -> None:
    pytest.importorskip("matplotlib", reason="the audio extra is not installed")
    song.with_name("song.infill.svg").write_text("mine")
    assert midigpt("infill", song, *FEW, "-m", model, "--render", "svg").code == 0
    assert song.with_name("song.infill.2.svg").exists()
    assert not song.with_name("song.infill.mid").exists()
    assert song.with_name("song.infill.svg").read_text() == "mine"


def test_quiet_says_nothing_at_all(midigpt, song, model) -> None:
    for words in (("infill", song, *FEW), ("loop", song, *FEW, "--variations", 1)):
        answer = midigpt(*words, "-m", model, "-q")
        assert (answer.code, answer.out, answer.err) == (0, "", "")
    assert {file.name for file in song.parent.iterdir()} == {"song.mid", "song.infill.mid", "song.loop.mid"}


@pytest.mark.parametrize("words", [["infil", "song.mid"], ["Infill"]])
def test_a_mistyped_command_is_met_with_the_one_meant(midigpt, words) -> None:
    answer = midigpt(*words)
    assert (answer.code, "Did you mean 'infill'?" in answer.err) == (2, True)


def test_help_and_version_have_their_short_forms(midigpt) -> None:
    for words in (["-h"], ["infill", "-h"], ["models", "-h"], ["models", "list", "-h"]):
        answer = midigpt(*words)
        assert (answer.code, "Usage:" in answer.out) == (0, True)
    assert midigpt("-V").out == midigpt("--version").out != ""


@pytest.mark.parametrize("words", [[], ["models"], ["train"]])
def test_asked_for_nothing_the_help_comes_and_nothing_went_wrong(midigpt, words) -> None:
    answer = midigpt(*words)
    assert (answer.code, "Usage:" in answer.out, answer.err) == (0, True, "")


@pytest.mark.parametrize("name", ["x.wav", "X.PNG", "notes.json"])
@pytest.mark.parametrize("command", ["infill", "loop", "jam", "generate"])
def test_a_name_that_promises_something_other_than_midi_is_refused(midigpt, song, model, command, name) -> None:
    words = {"infill": [song, *FEW], "loop": [song], "jam": [song], "generate": ["--drums"]}[command]
    answer = midigpt(command, *words, "-m", model, "-o", song.with_name(name))
    assert (answer.code, f"{name[:-4].rstrip('.')}" in answer.err, "would hold MIDI" in answer.err) == (2, True, True)
    assert not song.with_name(name).exists()


def test_without_a_track_only_those_that_sound_there_or_next_to_it_are_written(midigpt, song, model) -> None:
    score = Score.from_midi(song)
    bass = score.tracks[1]
    late = replace(bass, bars=[replace(bar, notes=bar.notes if b >= 6 else []) for b, bar in enumerate(bass.bars)])
    score = replace(score, source=None, tracks=[score.tracks[0], late, score.tracks[2]])
    score.to_midi(song)

    def written(*words: object) -> set[int]:
        answer = midigpt("infill", song, *words, "-m", model, "--max-density", 4, "--json", "-f")
        return {track for track, _ in json.loads(answer.out)["songs"][0]["generated"]}

    assert written("-b", "2-3") == {0, 2}
    assert written("-b", "5-6") == {0, 1, 2}  # it comes in with bar 7
    assert written("-b", "2-3", "-t", "all") == {0, 1, 2}
    facts = json.loads(midigpt("plan", song, "-b", "2-3", "--json").out)
    assert facts == json.loads(midigpt("plan", song, "-b", "2-3", "-t", "1,3", "--json").out)
