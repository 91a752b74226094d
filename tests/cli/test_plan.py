"""`midigpt plan` says in numbers people use what would be written, heard and hidden, and loads no model."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from midigpt_cli.commands.infill import Infill, infill
from midigpt_cli.commands.plan import plan
from midigpt_cli.options.shared_options import Many, ModelChoice, Output, Reporting
from midigpt_core.errors import RequestValidationError
from midigpt_core.score import Bar, Note, Score, Track

APP = typer.Typer()
APP.command()(plan)


@pytest.fixture
def song(tmp_path) -> str:
    names = ("Lead", "Bass", "Drum Kit", "Late")
    tracks = []
    for number, name in enumerate(names):
        notes = [Note(60 + number, 90, 120 * onset, 100) for onset in range(4)]
        bars = [Bar([replace(n) for n in notes] if name != "Late" or bar == 11 else []) for bar in range(12)]
        tracks.append(Track(bars, 32 if name == "Bass" else 0, "drum" if name == "Drum Kit" else "melodic", name=name))
    Score(tracks).to_midi(tmp_path / "song.mid")
    return str(tmp_path / "song.mid")


def run(*words: str):
    return CliRunner().invoke(APP, list(words), catch_exceptions=True)


def facts(*words: str) -> dict:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_numbers_are_those_people_use(song) -> None:
    said = facts(song, "--bars", "4-6", "--track", "bass", "--window", "8")
    assert said["counted_from"] == 1
    (step,) = said["steps"]
    assert step["writes"] == [{"track": 2, "bars": [4, 5, 6]}]
    assert step["window"] == [1, 8]
    assert {row["track"]: row["bars"] for row in step["hears"]} == {
        1: list(range(1, 9)),
        2: [1, 2, 3, 7, 8],
        3: list(range(1, 9)),
    }
    assert step["fits"]
    assert step["prompt_tokens"] > 60


def test_what_a_later_step_writes_is_said_to_be_hidden(song) -> None:
    said = facts(song, "-b", "5", "-t", "lead", "-t", "drums", "--tracks-per-step", "1")
    assert [step["hidden"] for step in said["steps"]] == [[{"track": 3, "bars": [5]}], []]


def test_the_picture_shows_every_bar_of_the_window(song) -> None:
    done = run(song, "--bars", "5", "--track", "1", "--track", "3", "--tracks-per-step", "1", "--window", "8")
    assert done.exit_code == 0
    assert "counted from 1" in done.stdout
    assert '####W###  1 "Lead"' in done.stdout
    assert '####h###  3 "Drum Kit"' in done.stdout
    assert '........  4 "Late"' in done.stdout


def test_an_autoregressive_step_hears_only_what_comes_before_on_its_track(song) -> None:
    (step,) = facts(song, "-b", "11-12", "-t", "1", "--window", "8", "--autoregressive")["steps"]
    assert step["mode"] == "autoregressive"
    heard = {row["track"]: row["bars"] for row in step["hears"]}
    assert max(heard[1]) == 10


def test_left_out_tracks_are_named(song) -> None:
    done = run(song, "--bars", "5", "--track", "2", "--context-tokens", "200")
    assert "left out to make room: track" in done.stdout


@pytest.mark.parametrize("words", [("--bars", "13"), ("--bars", "2", "--track", "9"), ("--bars", "2", "--window", "7")])
def test_a_wish_that_cannot_be_met_is_refused(song, words) -> None:
    assert isinstance(run(song, *words).exception, RequestValidationError)


def test_no_model_is_loaded(song) -> None:
    code = (
        "import sys, typer; from midigpt_cli.commands.plan import plan; app = typer.Typer(); app.command()(plan)\n"
        f"app([{song!r}, '--bars', '1', '--json'], standalone_mode=False); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_plan_takes_the_options_of_infill_that_say_what_is_written() -> None:
    of_files = [Infill, ModelChoice, Output, Many, Reporting]
    others = {row.name for group in of_files for row in dataclasses.fields(group)} - {"what"}
    taken = {parameter.name for parameter in typer.main.get_command(APP).params}
    app = typer.Typer()
    app.command()(infill)
    assert {parameter.name for parameter in typer.main.get_command(app).params} - taken - others == set()


def test_regions_are_planned_beside_bars_and_alone(song) -> None:
    said = facts(song, "--region", "bass/3-4", "--region", "drums/7")
    assert [step["writes"] for step in said["steps"]] == [[{"track": 2, "bars": [3, 4]}, {"track": 3, "bars": [7]}]]
    both = facts(song, "-b", "2", "-t", "lead", "--region", "bass/3")
    assert both["steps"][0]["writes"] == [{"track": 1, "bars": [2]}, {"track": 2, "bars": [3]}]


def test_passes_are_planned_part_by_part_and_round_by_round(song) -> None:
    words = (song, "-b", "2-4", "-t", "lead", "--passes", "bars")
    once = [step["writes"][0]["bars"] for step in facts(*words)["steps"]]
    assert sorted(once) == [[2], [3], [4]]
    assert len(facts(*words, "--rounds", "2")["steps"]) == 6


def test_new_bars_are_planned_and_ignored_tracks_are_not_heard(song) -> None:
    (step,) = facts(song, "-b", "13-14", "-t", "bass", "--add-bars", "2", "--ignore-track", "drums")["steps"]
    assert step["writes"] == [{"track": 2, "bars": [13, 14]}]
    assert 3 not in {row["track"] for row in step["hears"]}


def test_plan_without_bars_says_so(song) -> None:
    assert "--bars is missing" in str(run(song).exception)
