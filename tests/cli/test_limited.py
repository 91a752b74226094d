"""Rules of [TRACK/][BARS:]VALUE: which tracks and bars an option is for, and that the notes written there obey."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midigpt_cli.options.short_help import with_values
from midigpt_cli.parse.scoped_values import Limited
from midigpt_core.score import Score

POP = Path(__file__).resolve().parents[2] / "samples" / "pop.mid"
C_E_G = {0, 4, 7}


@pytest.mark.parametrize(
    ("text", "shape", "meant"),
    [
        ("C:major", r"[^/]+", ("", "", "C:major")),
        ("5:C,E,G", r"[^/]+", ("", "5", "C,E,G")),
        ("5:60,63", r"[^/]+", ("", "5", "60,63")),
        ("bass/C1-C3", r"[^/]+", ("bass", "", "C1-C3")),
        ("Bass/Synth/6-7,9:C", r"[^/]+", ("Bass/Synth", "6-7,9", "C")),
        ("1:full", r"[\d.]+(?::\w+)?", ("", "", "1:full")),
        ("5:1:full", r"[\d.]+(?::\w+)?", ("", "5", "1:full")),
        ("drums/6-8:3/4", r"\d+/\d+", ("drums", "6-8", "3/4")),
        ("3/4", r"\d+/\d+", ("", "", "3/4")),
    ],
)
def test_an_option_reads_as_track_bars_and_value(text: str, shape: str, meant: tuple[str, str, str]) -> None:
    assert Limited.read(text, str, shape) == Limited(*meant)


@pytest.mark.parametrize(
    ("words", "full"),
    [
        (["--rhythm-lock", "song.mid"], ["--rhythm-lock=on", "song.mid"]),
        (["song.mid", "--rhythm-lock"], ["song.mid", "--rhythm-lock=on"]),
        (["--rhythm-lock", "bass/5-6:on"], ["--rhythm-lock", "bass/5-6:on"]),
    ],
)
def test_an_option_that_may_stand_alone_takes_no_file_for_its_value(words: list[str], full: list[str]) -> None:
    assert with_values(words) == full


def asked(midigpt, *words: object) -> dict[str, object]:
    """The prompt of the lead that these words come to."""
    answer = midigpt("infill", POP, "-b", "5-8", "-t", "lead", *words, "--dry-run", "--json")
    assert answer.code == 0, answer.err
    return next(track for track in json.loads(answer.out)["songs"][0]["request"]["tracks"] if track["bars"])


def test_a_value_for_bars_stands_in_place_of_the_tracks(midigpt) -> None:
    made = asked(
        midigpt, "--pitch-set", "5:C,E,G", "--scale", "A:minor", "--pitch-range", "6:C4-C6", "--remix", "8:0.5"
    )
    minor = {"scale": "minor", "root": 9}
    assert made["controls"] == {"pitch_mask": minor}
    assert made["bar_controls"] == {
        "4": {"pitch_mask": {"pitch_classes": [0, 4, 7]}},
        "5": {"pitch_mask": {**minor, "range": [60, 84]}},
        "7": {"remix": {"amount": 0.5, "mode": "pitch"}},
    }


def test_limits_are_for_all_or_for_some_bars(midigpt) -> None:
    answer = midigpt(
        "infill", POP, "-b", "5-8", "-t", "lead", "--max-density", 8, "--max-density", "6:2", "--dry-run", "--json"
    )
    request = json.loads(answer.out)["songs"][0]["request"]
    assert request["config"]["density_hard_limit"] == 8
    assert {"5": {"density_hard_limit": 2}} in [track["bar_controls"] for track in request["tracks"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pitch-set", "9:C,E,G"], "names bar 9, which is not written"),
        (["--scale", "drums/C:major"], "name it with --track too"),
        (["--max-density", "6:many"], "is not a whole number"),
        (["--rhythm-lock", "--remix", "6:0.5"], "all set the rhythm"),
        (["--rhythm-lock", "6:loud"], "loud"),
        (["--scale", "blues"], "is a scale without its key; write the key before it, such as C:blues"),
        (["--scale", "d:dorien"], "did you mean D:dorian?"),
        (["--remix", "half"], "is not a number; write a number such as 0.3, or 30%"),
    ],
)
def test_what_cannot_be_meant_is_said(midigpt, words: list[str], said: str) -> None:
    answer = midigpt("infill", POP, "-b", "5-8", "-t", "lead", *words, "--dry-run")
    assert answer.code != 0
    assert said in answer.err


def test_a_share_may_be_written_in_per_cent(midigpt) -> None:
    def made(share: str) -> object:
        words = ("infill", POP, "-b", "5-8", "-t", "lead", "--remix", share, "--dry-run", "--json")
        return json.loads(midigpt(*words).out)["songs"][0]["request"]

    assert made("50%") == made("0.5") != made("0.25")


def test_bars_obey_their_own_values_and_others_are_free(midigpt, tmp_path: Path) -> None:
    out = tmp_path / "out.mid"
    words = [
        "--pitch-set",
        "5:C,E,G",
        "--pitch-range",
        "bass/6:C2-C3",
        "--max-density",
        "lead/7:3",
        "--max-polyphony",
        "lead/7:1",
    ]
    answer = midigpt("infill", POP, "-b", "5-8", "-t", "lead", "-t", "bass", *words, "-s", 1, "-o", out)
    assert answer.code == 0, answer.err
    score = Score.from_midi(out)
    tracks = {track.name: track.bars for track in score.tracks}
    lead, bass = (next(bars for name, bars in tracks.items() if word in name.lower()) for word in ("lead", "bass"))
    for bars in (lead, bass):
        assert {note.pitch % 12 for note in bars[4].notes} <= C_E_G
    assert all(36 <= note.pitch <= 48 for note in bass[5].notes)
    assert 0 < len(lead[6].notes) <= 3
    assert len(bass[6].notes) > 3
