"""Rules of takes at a stated distance from the original, on a real song through the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from midigpt_core.score import Score

POP = Path(__file__).resolve().parents[2] / "samples" / "pop.mid"
BARS = range(4, 8)


@pytest.fixture
def fill(midigpt, tmp_path: Path):
    """Rewrite bars 5 to 8; what the command reports of the song."""

    def call(*words: object) -> dict[str, Any]:
        where = [] if "-b" in words else ["-b", "5-8"]
        answer = midigpt("infill", POP, *where, *words, "-s", 1, "-o", tmp_path / "out.mid", "--force", "--json")
        assert answer.code == 0, answer.err
        found: dict[str, Any] = json.loads(answer.out)["songs"][0]
        return found

    return call


def notes(score: Score, track: int) -> set[tuple[int, int, int]]:
    """(bar, sixteenth, pitch) of bars 5 to 8."""
    bars = score.tracks[track].bars
    return {(b, round(4 * n.onset_ticks / score.resolution), n.pitch) for b in BARS for n in bars[b].notes}


def distance(path: str, track: int) -> float:
    """1 less the F1 of equal notes, counted in the files."""
    old, new = (notes(Score.from_midi(file), track) for file in (POP, path))
    return 1 - 2 * len(old & new) / (len(old) + len(new))


@pytest.mark.parametrize("track", [0, 1, 4])  # lead, chords, drums
@pytest.mark.parametrize("asked", [(0.1, 0.3), (0.3, 0.5), (0.6, 0.9)])
def test_each_take_is_as_far_from_the_original_as_asked_and_says_how_far(fill, track: int, asked) -> None:
    low, high = asked
    report = fill("-t", track + 1, "--distance", f"{low}..{high}", "-n", 3)
    for take in report["takes"]:
        assert low <= take["distance"] <= high
        assert take["distance"] == pytest.approx(distance(take["path"], track))
    assert report["request"]["config"]["distance"] == [low, high]


def test_among_the_takes_within_the_range_the_ranking_stays_consensus(fill) -> None:
    takes = sorted(fill("-t", "lead", "--distance", "0.2-0.6", "-n", 4)["takes"], key=lambda take: take["rank"])
    agreed = [take["consensus"] for take in takes]
    assert agreed == sorted(agreed, reverse=True)


def test_distance_is_told_without_being_asked_for(fill) -> None:
    take = fill("-t", "lead")["takes"][0]
    assert take["distance"] == pytest.approx(distance(take["path"], 0))


def test_where_none_is_near_enough_the_nearest_is_kept_with_a_sentence(midigpt, tmp_path: Path) -> None:
    words = ("-t", "strings", "--distance", "0.2..0.6", "-s", 1, "-o", tmp_path / "out.mid")  # silent till bar 8
    answer = midigpt("infill", POP, "-b", "5-6", *words)
    assert answer.code == 0
    assert "distance 1.00; none came within 0.2 to 0.6, this is the nearest" in answer.err


def test_a_rhythm_lock_and_a_distance_hold_together(fill) -> None:
    take = fill("-t", "lead", "--rhythm-lock", "--distance", "0.2..0.4")["takes"][0]
    assert 0.2 <= take["distance"] <= 0.4
    old, new = ({place[:2] for place in notes(Score.from_midi(file), 0)} for file in (POP, take["path"]))
    assert old == new


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--distance", "0.6..0.2"], "is no range; give the lowest and the highest"),
        (["--distance", "near"], "is no range; write 0.2..0.6"),
        (["--distance", "0..1.5"], "is too large"),
    ],
)
def test_what_is_no_distance_is_said_in_a_sentence(midigpt, words: list[str], said: str) -> None:
    answer = midigpt("infill", POP, "-b", "5-8", "-t", "lead", *words, "--dry-run")
    assert answer.code == 2
    assert said in " ".join(answer.err.split())


def test_bars_that_are_added_have_no_distance(midigpt) -> None:
    answer = midigpt("continue", POP, "--bars", 2, "--distance", "0.2..0.6", "--dry-run")
    assert answer.code == 2
    assert "--distance = [0.2, 0.6] is for bars that are filled in" in answer.err
