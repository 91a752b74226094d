"""Defaults of one's own and presets: what is said on the command line wins, and mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FEW = ("--bars", 4, "-t", "bass")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at hand, and a configuration folder."""
    monkeypatch.setenv("MIDIGPT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    return tmp_path


def planned(midigpt, song, *words: object) -> dict[str, object]:
    """The request that these words come to."""
    answer = midigpt("infill", song, *FEW, *words, "--dry-run", "--json")
    assert answer.code == 0, answer.err
    return json.loads(answer.out)["songs"][0]["request"]


def test_a_file_here_wins_over_the_users_and_the_command_line_over_both(midigpt, song, here) -> None:
    (here / "home" / "midigpt.toml").write_text("[infill]\ntemperature = 0.5\ntakes = 3\nmask-mode = 'remove'\n")
    (here / "midigpt.toml").write_text("[infill]\ntemperature = 0.7\nrhythm-lock = true\nscale = ['Am']\n")
    made = planned(midigpt, song)
    settings = made["config"]
    assert (settings["temperature"], settings["num_candidates"], settings["mask_mode"]) == (0.7, 3, "remove")
    assert made["tracks"][1]["controls"] == {"rhythm_lock": True, "pitch_mask": {"scale": "minor", "root": 9}}
    assert planned(midigpt, song, "-T", 1.5)["config"]["temperature"] == 1.5
    assert midigpt("plan", song, *FEW).code == 0  # other commands have their own


def test_a_preset_is_a_handful_of_options_which_others_on_the_line_override(midigpt, song, here) -> None:
    made = planned(midigpt, song, "--preset", "simpler")
    assert made["config"]["temperature"] == 0.8
    assert made["tracks"][1]["controls"]["rhythm_mask"]["grid"]["unit"] == "eighth"
    assert made["tracks"][1]["attributes"]["note_density"] == 3
    assert planned(midigpt, song, "--preset=simpler", "-T", 1.0)["config"]["temperature"] == 1.0
    (here / "midigpt.toml").write_text("[infill]\ntop-k = 9\n[presets.mine]\ntemperature = 1.3\n")
    settings = planned(midigpt, song, "--preset", "mine")["config"]
    assert (settings["temperature"], settings["top_k"]) == (1.3, 9)


@pytest.mark.parametrize("name", ["busier", "sparser", "simpler", "fill", "halftime"])
def test_every_preset_fits_the_built_in_model_on_bass_and_drums(midigpt, song, name) -> None:
    for track in ("bass", "drums"):
        answer = midigpt("infill", song, "-b", 4, "-t", track, "--preset", name, "--dry-run")
        assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[infil]\n", "did you mean 'infill'?"),
        ("[infill]\ntemprature = 1\n", "did you mean 'temperature'?"),
        ("[infill]\ntemperature = 99\n", "99"),
        ("[infill\n", "cannot be read"),
        ("infill = 3\n", "is not a command"),
    ],
)
def test_mistakes_in_the_file_are_told(midigpt, song, here, text, said) -> None:
    (here / "midigpt.toml").write_text(text)
    answer = midigpt("infill", song, *FEW, "--dry-run")
    assert (answer.code, said in answer.err) == (2, True), answer.err


def test_a_preset_nobody_knows_is_told(midigpt, song) -> None:
    answer = midigpt("infill", song, *FEW, "--preset", "busyer")
    assert (answer.code, "did you mean 'busier'?" in answer.err) == (2, True)


def test_config_shows_files_defaults_and_presets(midigpt, here) -> None:
    (here / "midigpt.toml").write_text("keep_history = false\n[infill]\ntakes = 3\n")
    words = midigpt("config").out
    assert "(not there)" in words.splitlines()[0]
    assert "infill      --takes 3" in words
    assert "--preset halftime    --attribute note_density=2 --grid quarter" in words
    told = json.loads(midigpt("config", "--json").out)
    assert (told["settings"]["infill"], "busier" in told["presets"]) == ({"takes": 3}, True)


def test_the_file_may_begin_with_a_byte_order_mark(midigpt, here) -> None:
    (here / "midigpt.toml").write_text("[infill]\ntakes = 3\n", encoding="utf-8-sig")
    answer = midigpt("config", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["settings"]["infill"] == {"takes": 3}


def test_the_file_may_switch_the_history_off(midigpt, song, model, here) -> None:
    (here / "midigpt.toml").write_text("keep_history = false\n")
    midigpt("infill", song, *FEW, "-m", model, "--max-density", 4)
    assert midigpt("history").out == ""
