"""Rules of `midigpt infill`: which notes change, what is written where, what it answers."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from tiny import engine

from midigpt_cli.options.shared_options import Output
from midigpt_cli.output.destination import Destination
from midigpt_core import GenerationRequest, InferenceConfig, Score, TrackPrompt


def notes(file: Path, track: int, bar: int):
    bars = Score.from_midi(file).tracks[track].bars
    return [(n.onset_ticks, n.pitch, n.duration_ticks, n.velocity) for n in bars[bar].notes]


def changed(before: Path, after: Path):
    tracks = len(Score.from_midi(before).tracks)
    bars = Score.from_midi(before).n_bars
    return {(t, b) for t in range(tracks) for b in range(bars) if notes(before, t, b) != notes(after, t, b)}


def test_only_the_bars_asked_for_change_counted_from_one(midigpt, song, model) -> None:
    answer = midigpt("infill", song, "--bars", "4-5,11-", "--track", "bass", "-m", model, "--seed", 1)
    assert answer.code == 0
    assert changed(song, song.with_name("song.infill.mid")) == {(1, 3), (1, 4), (1, 10), (1, 11)}


def test_without_a_track_every_track_is_written(midigpt, song, model) -> None:
    midigpt("infill", song, "--bars", 6, "-m", model, "--seed", 1)
    assert changed(song, song.with_name("song.infill.mid")) == {(0, 5), (1, 5), (2, 5)}


def test_takes_are_numbered_beside_the_song_and_the_seed_is_told(midigpt, song, model) -> None:
    answer = midigpt("infill", song, "--bars", 6, "-t", 2, "--takes", 2, "--seed", 40, "-m", model)
    assert answer.out.split() == [str(song.with_name(f"song.infill.{take}.mid")) for take in (1, 2)]
    assert "seed 40" in answer.err
    assert "seed 41" in answer.err
    assert notes(song.with_name("song.infill.1.mid"), 1, 5) != notes(song.with_name("song.infill.2.mid"), 1, 5)


def test_nothing_is_overwritten_without_force(midigpt, song, model) -> None:
    there = song.with_name("mine.mid")
    there.write_bytes(b"mine")
    refusal = midigpt("infill", song, "--bars", 6, "-t", 2, "-m", model, "-o", there)
    assert (refusal.code, there.read_bytes()) == (2, b"mine")
    assert "--force" in refusal.err
    assert midigpt("infill", song, "--bars", 6, "-t", 2, "-m", model, "-o", there, "--force").code == 0
    assert there.read_bytes() != b"mine"


def test_same_seed_same_notes_through_command_python_and_request_file(midigpt, song, model, tmp_path) -> None:
    told = midigpt("infill", song, "--bars", "4-5", "-t", 2, "-m", model, "--seed", 5, "-o", "-", "--json")
    assert told.code == 2  # MIDI and JSON cannot share standard output
    told = midigpt("infill", song, "--bars", "4-5", "-t", 2, "-m", model, "--seed", 5, "--json")
    (tmp_path / "run.json").write_text(told.out)
    (tmp_path / "request.json").write_text(json.dumps(json.loads(told.out)["songs"][0]["request"]))
    for name in ("run", "request"):
        assert (
            midigpt("infill", song, "--request", tmp_path / f"{name}.json", "-m", model, "-o", f"{song}.{name}").code
            == 0
        )
    prompts = [TrackPrompt(0), TrackPrompt(1, [3, 4]), TrackPrompt(2)]
    score = engine().session(Score.from_midi(song), GenerationRequest(prompts, InferenceConfig(seed=5))).run()
    score.to_midi(tmp_path / "python.mid")
    written = song.with_name("song.infill.mid").read_bytes()
    assert Path(f"{song}.run").read_bytes() == written
    assert Path(f"{song}.request").read_bytes() == written
    assert (tmp_path / "python.mid").read_bytes() == written


def test_json_reports_takes_ranks_steps_model_and_request(midigpt, song, model) -> None:
    answer = midigpt("infill", song, "--bars", "4-5", "-t", 2, "-n", 3, "-m", model, "--json", "--keep-best", 2)
    report = json.loads(answer.out)
    assert len(report["model"]["sha256"]) == 64
    (told,) = report["songs"]
    assert told["ok"]
    assert told["seed"] == told["takes"][0]["seed"] == told["request"]["config"]["seed"]
    assert sorted(take["rank"] for take in told["takes"]) == [1, 2, 3]
    best = sorted(told["takes"], key=lambda take: take["rank"])
    assert best[0]["consensus"] >= best[1]["consensus"] >= best[2]["consensus"]
    assert [take["path"] for take in best] == [*(str(song.with_name(f"song.infill.{i}.mid")) for i in (1, 2)), None]
    assert sorted(told["outputs"]) == sorted(take["path"] for take in best[:2])
    assert told["steps"][0]["bars"] == [[1, 3], [1, 4]]


def test_a_bad_song_does_not_stop_the_others(midigpt, song, model, tmp_path) -> None:
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"no song")
    answer = midigpt("infill", bad, song, "--bars", 6, "-t", 2, "-m", model, "-o", f"{tmp_path}/out/", "--json")
    assert answer.code == 1
    report = json.loads(answer.out)["songs"]
    assert [row["ok"] for row in report] == [False, True]
    assert report[0]["error"]["type"] == "MidiFileError"
    assert answer.err.count("bad.mid") == 1
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["song.infill.mid"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--bars", "40-41"], 2, "bars 1 to 12"),
        (["--bars", "4", "--track", "flute"], 2, "Bass"),
        (["--bars", "4", "--attribute", "note_densty=3"], 2, "note_density"),
        (["--bars", "4", "-t", "bass", "--attribute", "drums/note_density=3"], 2, "--track"),
        (["--bars", "4", "--attribute", "7:note_density=3"], 2, "bar 7"),
        (["--bars", "4", "--scale", "C:majr"], 2, "major"),
        (["--bars", "4", "--top-p", "1.5"], 2, "--top-p"),
        (["--bars", "4", "--mask-k", "5", "--top-k", "5"], 2, "--mask-k = 5 removes"),
        (["--bars", "4", "-t", "bass", "--ignore-track", "bass"], 2, "track 2: ignore"),
        (["--bars", "4", "--device", "potato"], 2, "cuda"),
        (["--bars", "4", "--device", "auto:3"], 2, "not known"),
        (["--bars", "4", "--dtype", "int8"], 2, "float32"),
        (["--bars", "4", "-o", "/dev/null/out.mid"], 1, "/dev/null: is a file"),
        (["--bars", "4", "--genre", "rock"], 2, "--genre = 'rock' needs"),
        (["--bars", "4", "--window", "7"], 2, "4, 8, 12, 16"),
        (["--bars", "4", "--rhythm-lock", "--remix", "0.5"], 2, "rhythm"),
        (["--bars", "4", "--takes", "2", "-o", "-"], 2, "--keep-best"),
        (["--bars", "4", "--filename", "{stm}.mid"], 2, "{stem}"),
        (["--bars", "4", "-m", "nowhere.safetensors"], 4, "nowhere.safetensors"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_with_its_reason(midigpt, song, model, words, code, said) -> None:
    answer = midigpt("infill", song, "-m", model, *words)
    assert answer.code == code
    assert said in " ".join(answer.err.split())
    assert [file.name for file in song.parent.iterdir()] == ["song.mid"]


@pytest.mark.parametrize("text", ["[1]", "{}", '{"songs": []}', '{"songs": [3]}', "no JSON"])
def test_a_file_that_is_no_request_is_refused(midigpt, song, model, tmp_path, text) -> None:
    (tmp_path / "request.json").write_text(text)
    answer = midigpt("infill", song, "-m", model, "--request", tmp_path / "request.json")
    assert answer.code == 2
    assert "Traceback" not in answer.err


def test_unreadable_song_exits_3(midigpt, song, model) -> None:
    song.write_bytes(b"MThd rubbish")
    assert midigpt("infill", song, "--bars", 4, "-m", model).code == 3


def test_rejected_takes_are_not_written_unless_asked_for(midigpt, song, model) -> None:
    same = ["--rhythm-lock", "--pitch-range", "36-36", "--novelty", "--novelty-threshold", "0.01", "--max-attempts", 2]
    words = ["infill", song, "--bars", 1, "-t", "bass", "-m", model, "--seed", 1, *same]
    refusal = midigpt(*words)
    assert refusal.code == 5
    assert "novelty" in refusal.err
    assert "seed 1" in refusal.err
    assert not song.with_name("song.infill.mid").exists()
    kept = midigpt(*words, "--allow-partial", "--json")
    (take,) = json.loads(kept.out)["songs"][0]["takes"]
    assert (kept.code, take["accepted"], take["attempts"], len(take["rejected"])) == (0, False, 2, 2)
    assert song.with_name("song.infill.mid").exists()


def test_musical_controls_hold_in_the_written_file(midigpt, song, model) -> None:
    wishes = [
        "--scale",
        "D:minor",
        "--pitch-range",
        "C3-C5",
        "--grid",
        "eighth",
        "--max-polyphony",
        2,
        "--max-density",
        5,
    ]
    midigpt("infill", song, "--bars", "3-6", "-m", model, "--seed", 2, *wishes)
    score = Score.from_midi(song.with_name("song.infill.mid"))
    written = [note for track in score.tracks[1:] for bar in track.bars[2:6] for note in bar.notes]
    assert written
    assert {note.pitch % 12 for note in written} <= {2, 4, 5, 7, 9, 10, 0}
    assert all(48 <= note.pitch <= 72 and note.onset_ticks % (score.resolution // 2) == 0 for note in written)
    assert all(len(bar.notes) <= 5 for track in score.tracks for bar in track.bars[2:6])


def test_limited_controls_reach_only_their_tracks(midigpt, song, model) -> None:
    midigpt("infill", song, "--bars", "3-6", "-m", model, "--seed", 2, "--pitch-range", "bass/30-40")
    bass, piano = Score.from_midi(song.with_name("song.infill.mid")).tracks[1:]
    assert all(30 <= note.pitch <= 40 for bar in bass.bars[2:6] for note in bar.notes)
    assert any(note.pitch > 40 for bar in piano.bars[2:6] for note in bar.notes)


def test_rhythm_lock_keeps_every_onset(midigpt, song, model) -> None:
    midigpt("infill", song, "--bars", "3-6", "-t", "2,3", "-m", model, "--seed", 2, "--rhythm-lock")
    after = song.with_name("song.infill.mid")
    for track in (1, 2):
        for bar in range(2, 6):
            assert [n[0] for n in notes(after, track, bar)] == [n[0] for n in notes(song, track, bar)]
            assert notes(after, track, bar) != notes(song, track, bar)


def test_attributes_reach_the_request_by_track_and_bar(midigpt, song, model) -> None:
    levels = [
        "-a",
        "note_density=7",
        "-a",
        "drums/note_density=1",
        "-a",
        "4:note_density=2",
        "-a",
        "min_note_duration=8th",
    ]
    answer = midigpt("infill", song, "--bars", "3-4", "-m", model, "--dry-run", "--json", *levels)
    drums, bass, _ = json.loads(answer.out)["songs"][0]["request"]["tracks"]
    assert drums["attributes"] == {"note_density": 1}
    assert bass["attributes"] == {"note_density": 7, "min_note_duration": 2}
    assert drums["bar_attributes"] == bass["bar_attributes"] == {"3": {"bar_note_density": 2}}


def test_dry_run_shows_the_plan_and_writes_nothing(midigpt, song, model) -> None:
    answer = midigpt("infill", song, "--bars", "3-4", "-t", "bass", "-m", model, "--dry-run")
    assert "step 1 fills in bars 3-4 of track 2" in answer.out
    assert [file.name for file in song.parent.iterdir()] == ["song.mid"]


def test_ignored_and_hidden_parts_are_named_by_people_and_counted_by_the_request(midigpt, song, model) -> None:
    words = ["--ignore-track", "drums", "--mask-bars", "piano/5-6", "--context-keep", "piano"]
    answer = midigpt("infill", song, "--bars", "3", "-t", "bass", "-m", model, "--dry-run", "--json", *words)
    request = json.loads(answer.out)["songs"][0]["request"]
    assert [track["ignore"] for track in request["tracks"]] == [True, False, False]
    assert [track["mask_bars"] for track in request["tracks"]] == [[], [], [4, 5]]
    assert request["config"]["context_keep"] == [2]


def test_names_follow_the_template(midigpt, song, model) -> None:
    words = ["--takes", 2, "--filename", "{stem}-{take:02d}-{seed}.{ext}", "--seed", 8, "-t", 2, "-m", model]
    midigpt("infill", song, "--bars", 6, *words)
    assert {file.name for file in song.parent.iterdir()} == {"song.mid", "song-01-8.mid", "song-02-9.mid"}


def test_two_songs_of_one_name_do_not_overwrite_each_other(midigpt, song, model, tmp_path) -> None:
    twin = tmp_path / "twin" / "song.mid"
    twin.parent.mkdir()
    twin.write_bytes(song.read_bytes())
    answer = midigpt("infill", song, twin, "--bars", 6, "-t", 2, "-m", model, "-o", f"{tmp_path}/out/", "--force")
    assert answer.code == 1
    assert "the file of another song" in answer.err


def test_a_device_is_written_to_and_not_replaced(midigpt, song, model) -> None:
    device = Path(os.devnull)
    assert midigpt("infill", song, "--bars", 6, "-t", 2, "-m", model, "-o", device).code == 0
    assert device.exists()
    assert not device.is_file()


def test_an_interruption_is_told_and_exits_130(midigpt, song, model, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("midigpt_core.engine.SamplingSession.run_takes", interrupted)
    answer = midigpt("infill", song, "--bars", 4, "-m", model)
    assert (answer.code, answer.err) == (130, "midigpt: interrupted\n")
    assert [file.name for file in song.parent.iterdir()] == ["song.mid"]


def test_an_interruption_while_writing_leaves_no_half_file(song, tmp_path, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    score = Score.from_midi(song)
    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score.to_midi(tmp_path / "out.mid")
    assert [file.name for file in tmp_path.iterdir()] == ["song.mid"]


def test_verbose_tells_steps_and_bars_on_standard_error(midigpt, song, tmp_path, model) -> None:
    words = ("infill", song, "--bars", "4-5", "--track", "bass", "-o", tmp_path / "o.mid", "-m", model, "--seed", 1)
    told = midigpt(*words, "--verbose").err
    assert "step 1 of 1: 2 bars to write in the window of bars" in told
    assert "track 2, bar 4" in told
    assert "step 1 of 1: done" in told


def test_sound_and_pictures_are_made_beside_every_take(midigpt, song, tmp_path, model) -> None:
    pytest.importorskip("matplotlib")
    words = ("infill", song, "--bars", "4", "--track", "bass", "-m", model, "--seed", 1, "--takes", 2)
    answer = midigpt(*words, "-o", tmp_path / "new.mid", "--render", "wav,svg")
    assert answer.code == 0, answer.err
    assert sorted(path.name for path in tmp_path.glob("new.*")) == [
        f"new.{take}.{ending}" for take in (1, 2) for ending in ("mid", "svg", "wav")
    ]
    assert (tmp_path / "new.1.wav").read_bytes()[:4] == b"RIFF"
    again = midigpt(*words, "-o", tmp_path / "other.mid", "--render", "gif")
    assert (again.code, "gif" in again.err, (tmp_path / "other.1.mid").exists()) == (2, True, False)
    (tmp_path / "third.1.svg").write_text("mine")
    third = midigpt(*words, "-o", tmp_path / "third.mid", "--render", "svg")
    assert (third.code, (tmp_path / "third.1.mid").exists()) == (2, False)
    assert (tmp_path / "third.1.svg").read_text() == "mine"


def test_companions_of_takes_named_by_seed_take_the_place_of_nothing(midigpt, song, tmp_path, model) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    words = ("infill", song, "--bars", "4", "-t", "bass", "-m", model, "--seed", 7, "--takes", 2, "-o", f"{out}/")
    words = (*words, "--filename", "{seed}.mid", "--render", "svg")
    out.mkdir()
    (out / "8.svg").write_text("mine")
    refusal = midigpt(*words)
    assert (refusal.code, "8.svg" in refusal.err, "--force" in refusal.err) == (2, True, True)
    assert [path.name for path in out.iterdir()] == ["8.svg"]
    answer = midigpt(*words, "--force", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["songs"][0]["rendered"] == [str(out / "7.svg"), str(out / "8.svg")]
    assert (out / "8.svg").read_text() != "mine"


def test_two_songs_do_not_draw_over_each_other(midigpt, song, tmp_path, model) -> None:
    pytest.importorskip("matplotlib")
    twin = song.with_name("twin.mid")
    twin.write_bytes(song.read_bytes())
    words = ("infill", song, twin, "--bars", "4", "-t", "bass", "-m", model, "--seed", 7, "-o", f"{tmp_path}/out/")
    answer = midigpt(*words, "--filename", "{seed}", "--render", "svg", "--force")
    assert (answer.code, "the file of another song" in answer.err) == (1, True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["7", "7.svg"]


def test_what_cannot_be_drawn_here_is_refused_before_any_work(midigpt, song, tmp_path, model, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    words = ("infill", song, "--bars", "4", "-m", model, "-o", f"{tmp_path}/out/", "--filename", "{seed}.mid")
    answer = midigpt(*words, "--render", "png")
    assert (answer.code, "pip install" in answer.err, (tmp_path / "out").exists()) == (1, True, False)


def test_nothing_rendered_nothing_told(midigpt, song, model) -> None:
    answer = midigpt("infill", song, "--bars", "4", "-t", "bass", "-m", model, "--json")
    assert "rendered" not in json.loads(answer.out)["songs"][0]


@pytest.mark.parametrize(("file", "pictures"), [("a.mid", ["a.svg"]), ("a.MIDI", ["a.svg"]), ("a.1", ["a.1.svg"])])
def test_a_companion_has_the_name_of_its_take(file: str, pictures: list[str], tmp_path) -> None:
    destination = Destination(Output(output=str(tmp_path / file), render="svg,.SVG"), "infill", {"song.mid": Path()}, 1)
    assert [path.name for path in destination.beside(tmp_path / file)] == pictures
