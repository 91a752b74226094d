"""Rules of takes at a stated distance from the original and of passes, on a real song through the command."""

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
        (["--distance", "0.6..0.2"], "is not a range; give the lowest and the highest"),
        (["--distance", "near"], "is not a range; write 0.2..0.6"),
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


def parts(report: dict[str, Any]) -> list[set[tuple[int, int]]]:
    """The cells that each step writes."""
    return [{(track, bar) for track, bar in step["bars"]} for step in report["steps"]]


LEAD_AND_BASS = {(track, bar) for track in (0, 2) for bar in BARS}


@pytest.mark.parametrize(
    ("way", "found"),
    [
        ("thirds", [{(t, b) for t in (0, 2) for b in bars} for bars in ((4, 7), (5,), (6,))]),
        ("tracks", [{(t, b) for b in BARS} for t in (0, 2)]),
        ("bars", [{(t, b) for t in (0, 2)} for b in BARS]),
    ],
)
def test_passes_write_their_parts_in_turn_and_rounds_all_of_them_again(fill, way: str, found) -> None:
    report = fill("-t", "lead,bass", "--passes", way, "--rounds", 2)
    assert parts(report) == found * 2
    assert {tuple(cell) for cell in report["generated"]} == LEAD_AND_BASS
    assert len(report["takes"]) == len(report["outputs"]) == 1


def test_random_passes_are_drawn_by_the_seed_anew_for_each_round(fill) -> None:
    first, again = (parts(fill("-t", "lead,bass", "--passes", "random", "--rounds", 2)) for _ in range(2))
    assert first == again
    assert set().union(*first[:3]) == set().union(*first[3:]) == LEAD_AND_BASS
    assert sum(map(len, first)) == 2 * len(LEAD_AND_BASS)
    assert first[:3] != first[3:]


def test_each_pass_hears_what_the_ones_before_it_wrote_and_the_rest_as_it_was(fill, monkeypatch) -> None:
    from midigpt_core.generation import run

    heard, narrowed = [], run.narrowed

    def seen(tokenizer, score, step, *more):
        assert not step.pending  # nothing of the other parts is hidden
        heard.append(score)
        return narrowed(tokenizer, score, step, *more)

    monkeypatch.setattr(run, "narrowed", seen)
    before, after = Score.from_midi(POP), Score.from_midi(fill("-t", "lead,bass", "--passes", "tracks")["outputs"][0])
    assert [notes(score, 0) == notes(before, 0) for score in heard] == [True, False]
    assert notes(heard[1], 0) == notes(after, 0) != notes(before, 0)
    assert notes(heard[1], 2) == notes(before, 2) != notes(after, 2)


def test_the_same_seed_gives_the_same_passes_and_one_undo_takes_all_of_them_back(midigpt, tmp_path: Path) -> None:
    song, words = tmp_path / "song.mid", ("-b", "5-8", "-t", "lead", "--passes", "bars", "--rounds", 2, "-s", 3)
    song.write_bytes(POP.read_bytes())
    made = []
    for _ in range(2):
        assert midigpt("infill", song, *words, "-o", song, "--force").code == 0
        made.append(song.read_bytes())
        assert midigpt("undo", song).code == 0
        assert song.read_bytes() == POP.read_bytes()
    assert made[0] == made[1] != POP.read_bytes()


def test_distance_is_from_what_stood_there_before_the_first_pass(fill) -> None:
    take = fill("-t", "lead", "--passes", "thirds", "--rounds", 4, "--distance", "0.1..0.3")["takes"][0]
    assert take["distance"] == pytest.approx(distance(take["path"], 0))
    assert 0.1 <= take["distance"] <= 0.3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["infill", POP, "-b", "5-8", "--rounds", "2"], "--rounds = 2 has no effect without passes; set passes"),
        (["continue", POP, "--bars", "2", "--passes", "bars"], "--passes = 'bars' is for bars that are filled in"),
    ],
)
def test_passes_that_cannot_be_are_said_in_a_sentence(midigpt, words: list[object], said: str) -> None:
    answer = midigpt(*words, "--dry-run")
    assert answer.code == 2
    assert said in answer.err


@pytest.mark.parametrize("words", [["loop", POP, "--bars", "5-8", "-t", "bass"], ["jam", "--drums", "--bars", "4"]])
def test_loops_and_jams_have_no_distance(midigpt, tmp_path: Path, words: list[object]) -> None:
    answer = midigpt(*words, "--distance", "0.2..0.4", "-o", tmp_path / "out.mid")
    assert answer.code == 2
    assert "distance = [0.2, 0.4] is for infill; drop it" in answer.err
