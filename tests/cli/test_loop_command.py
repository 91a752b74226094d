"""Rules of `midigpt loop`: a file per variation, all equally long, in the tempo asked for."""

from __future__ import annotations

import json

import mido
import pytest

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
        assert midigpt("loop", song, "--bars", "1", "-t", 2, "-v", 1, *FEW, "-m", model, "-o", f"{out}/").code == 0
    [first], [second] = ((song.parent / folder).iterdir() for folder in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_loop_from_nothing_has_the_asked_parts_and_tempo(midigpt, tmp_path, model) -> None:
    file = tmp_path / "new.mid"
    words = ("-i", "flute", "--drums", "--bars", 2, "--bpm", 90, "-v", 1, *FEW, "-o", file, "-m", model)
    assert midigpt("loop", *words).code == 0
    score = Score.from_midi(file)
    assert score.n_bars == 2
    assert score.tempo == round(60_000_000 / 90)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--bars", "1,3"), 2),
        (("--bars", "90-91"), 2),
        (("--format", "tape"), 2),
        (("--seam", "glue"), 2),
        (("--track", "tuba"), 2),
        (("--variations", 21), 2),
        (("-m", "no/such/model.safetensors"), 4),
    ],
)
def test_wrong_usage_writes_nothing(midigpt, song, model, words, code) -> None:
    chosen = words if "-m" in words else (*words, "-m", model)
    assert midigpt("loop", song, *chosen).code == code
    assert [file.name for file in song.parent.iterdir()] == ["song.mid"]


def test_a_song_that_is_not_there_is_unreadable_input(midigpt, tmp_path, model) -> None:
    assert midigpt("loop", tmp_path / "none.mid", "-m", model).code == 3
