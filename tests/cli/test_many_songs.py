"""Many songs in one command: side by side, the same notes as alone, resumed after a stop, and failures at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import song as made

from midigpt_core.score import Note, Score

FEW = ("--bars", "2-3", "--track", 2, "--seed", 4, "--density-hard-limit", 6)


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    """Nine songs, no two alike."""
    files = []
    for number in range(9):
        score = made(5 + number)
        for bar in score.tracks[1].bars:
            bar.notes = [Note(36 + number, 80, 480 * i, 240) for i in range(4)]
        files.append(tmp_path / "in" / f"song-{number}.mid")
        files[-1].parent.mkdir(exist_ok=True)
        score.to_midi(files[-1])
    return files


def of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.mid"))}


@pytest.mark.parametrize("command", ["infill", "continue"])
def test_a_song_gets_the_same_notes_alone_and_among_others(midigpt, songs, model, tmp_path, command) -> None:
    words = FEW if command == "infill" else ("--bars", 2, *FEW[2:])
    answer = midigpt(command, *songs, *words, "-m", model, "-o", f"{tmp_path}/many/", "--jobs", 8)
    assert answer.code == 0, answer.err
    for song in songs:
        assert midigpt(command, song, *words, "-m", model, "-o", f"{tmp_path}/alone/").code == 0
    assert of(tmp_path / "many") == of(tmp_path / "alone")


@pytest.mark.parametrize("where", [("--jobs", 1), ("--jobs", 3), ("--cluster", "local", "--workers", 1)])
def test_outputs_have_the_subfolders_of_the_folder_given(midigpt, songs, model, tmp_path, where) -> None:
    if "--cluster" in where:
        pytest.importorskip("ray", reason="needs the cluster extra")
    folder, manifest = tmp_path / "nested", tmp_path / "made.jsonl"
    for source, name in zip(songs, ("x.mid", "a/x.mid", "b/x.mid", "b/c/x.mid"), strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(source.read_bytes())
    words = (*FEW, "-m", model, "-o", f"{tmp_path}/out/", "--filename", "{stem}.mid", "--manifest", manifest, *where)
    answer = midigpt("infill", folder, songs[4], *words)
    assert answer.code == 0, answer.err
    written = {str(file.relative_to(tmp_path / "out")): file for file in (tmp_path / "out").rglob("*.mid")}
    assert sorted(written) == ["a/x.mid", "b/c/x.mid", "b/x.mid", "song-4.mid", "x.mid"]
    alone = midigpt("infill", songs[2], *FEW, "-m", model, "-o", tmp_path / "alone.mid")
    assert alone.code == 0
    assert written["b/x.mid"].read_bytes() == (tmp_path / "alone.mid").read_bytes()

    written["b/x.mid"].unlink()
    answer = midigpt("infill", folder, songs[4], *words, "--resume")
    assert (answer.code, "4 songs are finished already" in answer.err) == (0, True)
    assert json.loads(manifest.read_text().splitlines()[-1])["outputs"] == [str(written["b/x.mid"])]


@pytest.mark.parametrize("jobs", [1, 8])
def test_a_song_whose_file_is_another_songs_is_refused_before_it_is_generated(
    midigpt, songs, model, tmp_path, monkeypatch, jobs
) -> None:
    from midigpt_cli.make_takes import SongMaker

    twin = tmp_path / "other" / songs[0].name
    twin.parent.mkdir()
    twin.write_bytes(songs[1].read_bytes())
    begun, make = [], SongMaker.make

    def counted(self, song, *given):
        begun.append(song)
        return make(self, song, *given)

    monkeypatch.setattr(SongMaker, "make", counted)
    words = ("-m", model, "-o", f"{tmp_path}/out/", "--jobs", jobs)
    answer = midigpt("infill", songs[0], twin, *FEW, *words)
    assert (answer.code, begun) == (1, [str(songs[0])])
    assert f"{twin}: " in answer.err
    assert "is the file of another song" in answer.err
    assert list(of(tmp_path / "out")) == ["song-0.infill.mid"]


def test_songs_share_calls_of_the_model(midigpt, songs, model, tmp_path, monkeypatch) -> None:
    from midigpt_core.sampling.batch import Decoder

    most, lanes = [], {}
    advance = Decoder._advance

    def slowly(self, *given):
        most.append(self.active)
        time.sleep(0.005)  # a tiny model would be done before the next song has been read
        return advance(self, *given)

    monkeypatch.setattr(Decoder, "_advance", slowly)
    for jobs in (1, 8):
        most.clear()
        midigpt("infill", *songs, *FEW, "--pool", 2, "-m", model, "-o", f"{tmp_path}/{jobs}/", "--jobs", jobs)
        lanes[jobs] = max(most)
    assert lanes[1] == 2
    assert lanes[8] > 2


def test_songs_are_told_in_their_order_and_a_failure_stops_none(midigpt, songs, model, tmp_path) -> None:
    songs[4].write_bytes(b"MThd of something else")
    answer = midigpt("infill", *songs, *FEW, "-m", model, "-o", f"{tmp_path}/out/", "--json", "--jobs", 3)
    assert answer.code == 1
    told = json.loads(answer.out)["songs"]
    assert [row["song"] for row in told] == [str(song) for song in songs]
    assert [row["ok"] for row in told] == [number != 4 for number in range(9)]
    assert len(of(tmp_path / "out")) == 8


def test_a_manifest_has_a_line_per_song_and_a_resumed_command_writes_the_rest(midigpt, songs, model, tmp_path) -> None:
    where = ("-m", model, "-o", f"{tmp_path}/out/", "--manifest", tmp_path / "made.jsonl", "--jobs", 4)
    songs[2].rename(songs[2].with_suffix(".away"))
    assert midigpt("infill", *songs, *FEW, *where).code == 1
    lines = [json.loads(line) for line in (tmp_path / "made.jsonl").read_text().splitlines()]
    assert [line["song"] for line in lines] == [str(song) for song in songs]
    assert [line["ok"] for line in lines] == [number != 2 for number in range(9)]
    assert all(Path(file).is_file() for line in lines if line["ok"] for file in line["outputs"])
    assert {"seed", "consensus", "path"} <= set(lines[0]["takes"][0])

    songs[2].with_suffix(".away").rename(songs[2])
    (tmp_path / "out" / "song-7.infill.mid").unlink()
    before = of(tmp_path / "out")
    with (tmp_path / "made.jsonl").open("a") as file:
        file.write('{"song": "cut o')  # as a kill leaves it
    answer = midigpt("infill", *songs, *FEW, *where, "--resume")
    assert answer.code == 0, answer.err
    assert "7 songs are finished already" in answer.err
    after = of(tmp_path / "out")
    assert len(after) == 9
    assert {name: after[name] for name in before} == before
    again = [json.loads(line)["song"] for line in (tmp_path / "made.jsonl").read_text().splitlines()[10:]]
    assert again == [str(songs[2]), str(songs[7])]


def test_a_manifest_is_neither_overwritten_nor_invented(midigpt, songs, model, tmp_path) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("mine")
    for words, says in (
        (("--manifest", there), "--resume"),
        (("--manifest", there, "--resume"), "--manifest"),
        (("--resume",), "--manifest"),
    ):
        answer = midigpt("infill", *songs, *FEW, "-m", model, "-o", f"{tmp_path}/out/", *words)
        if words[-1] == "--resume" and len(words) == 3:
            continue  # a line cut off is no line: everything is still to do
        assert answer.code == 2, words
        assert says in answer.err
    assert there.read_text().startswith("mine")


def test_a_killed_command_leaves_whole_files_and_is_resumed(songs, model, tmp_path) -> None:
    out, manifest = tmp_path / "out", tmp_path / "made.jsonl"
    words = [sys.executable, "-m", "midigpt_cli", "infill", *map(str, songs), *map(str, FEW), "-m", model]
    words += ["-o", f"{out}/", "--manifest", str(manifest), "--jobs", "2"]
    running = subprocess.Popen(words, stderr=subprocess.DEVNULL, env={**os.environ, "MIDIGPT_HISTORY": "off"})
    until = time.monotonic() + 60
    while not (manifest.is_file() and manifest.read_text().count("\n") >= 2) and running.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    written = of(out)
    assert all(len(Score.from_midi(data).tracks) == 3 for data in written.values())
    again = subprocess.run([*words, "--resume", "--force"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert len(of(out)) == 9
