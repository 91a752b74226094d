"""Habits of good command-line tools, as the installed command has them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from rich.progress import Progress, TextColumn

from midigpt_cli.output.progress import _Follower
from midigpt_core import trace
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


def test_takes_are_told_best_first_with_the_reason(midigpt, song, model) -> None:
    answer = midigpt("infill", song, *FEW, "-m", model, "--takes", 3)
    lines = answer.err.splitlines()
    assert [line[:2] for line in lines[:3]] == ["1.", "2.", "3."]
    agreed = [float(re.search(r"consensus (-?[\d.]+)", line)[1]) for line in lines[:3]]
    assert agreed == sorted(agreed, reverse=True)
    number = re.search(r"song\.infill\.(\d)\.mid", lines[0])[1]
    assert lines[3].startswith(f"best: take {number}, with which the others agree most ({agreed[0]:.2f}")
    assert "best:" not in midigpt("infill", song, *FEW, "-m", model).err


def test_a_folder_stands_for_the_songs_in_it_but_not_for_results_beside_them(midigpt, song, model) -> None:
    inner = song.parent / "more" / "other.MID"
    inner.parent.mkdir()
    inner.write_bytes(song.read_bytes())
    for _ in range(2):
        answer = midigpt("infill", song.parent, *FEW, "-m", model, "--json")
        found = [report["song"] for report in json.loads(answer.out)["songs"]]
        assert found == [str(inner), str(song)]
    (song.parent / "empty").mkdir()
    answer = midigpt("infill", song.parent / "empty", *FEW, "-m", model)
    assert (answer.code, "no MIDI file is in this folder" in answer.err) == (3, True)


def test_json_lines_come_song_by_song_failures_too(midigpt, song, model) -> None:
    broken = song.with_name("a.mid")
    broken.write_bytes(b"MThd rubbish")
    answer = midigpt("infill", song.parent, *FEW, "-m", model, "--json-lines")
    told = [json.loads(line) for line in answer.out.splitlines()]
    assert [(line["song"], line["ok"]) for line in told] == [(str(broken), False), (str(song), True)]
    assert answer.code == 1
    assert told[1]["model"]["name"] == model


def test_several_songs_have_one_bar_for_all_of_them() -> None:
    drawn = Progress(TextColumn("{task.description}"))
    follow = _Follower(drawn, "b.mid", number=1, songs=4)
    follow(trace.StepStarted(0, 2, ((0, 0),), (0, 4), 10))
    follow(trace.StepDone(0, 2, 10))
    [whole] = [task for task in drawn.tasks if task.description == "song 2 of 4"]
    assert (whole.completed, whole.total) == (1.5, 4)
    assert len(_Follower(Progress(), "a.mid").shown.tasks) == 1


def test_a_picture_shows_what_was_written_and_its_surroundings_beside_what_was_replaced(
    midigpt, song, model, monkeypatch
) -> None:
    pytest.importorskip("matplotlib", reason="the audio extra is not installed")
    drawn = []
    monkeypatch.setattr("midigpt_core.audio.score_picture.draw_score", lambda *given: drawn.append(given))
    midigpt("infill", song, "-b", "5-6", "-t", "bass", "-m", model, "--render", "png")
    midigpt("continue", song, "-b", "2", "-t", "bass", "-m", model, "--render", "png")
    (_, _, lit, before, bars, title), (_, _, _, nothing_before, after_the_end, _) = drawn
    assert (lit, bars, title) == (frozenset({(1, 4), (1, 5)}), range(2, 8), "song.mid")
    assert before.tracks[1].bars[4].notes == Score.from_midi(song).tracks[1].bars[4].notes
    assert (nothing_before, after_the_end) == (None, range(10, 14))


def test_the_title_stands_in_the_picture(midigpt, song) -> None:
    pytest.importorskip("matplotlib", reason="the audio extra is not installed")
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none"}):
        assert midigpt("render", song, "-o", song.with_name("x.svg"), "-b", "2-3").code == 0
    assert "song.mid" in song.with_name("x.svg").read_text()
