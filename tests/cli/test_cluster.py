"""Many songs on a Ray cluster: the bytes of one machine, whatever becomes of a worker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tiny import song as made

from midigpt_cli.options.shared_options import Many, ModelChoice, Output, Reporting
from midigpt_cli.run_songs import CommandOptions, CommandRun
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import Note

SONGS = 10
BROKEN, FATAL = 4, 5  # songs: one that is no MIDI file, one whose worker is killed while it reads it


@pytest.fixture
def songs(tmp_path: Path) -> list[str]:
    """Ten songs, no two alike, one of them broken."""
    files = []
    for number in range(SONGS):
        score = made(5 + number)
        for bar in score.tracks[1].bars:
            bar.notes = [Note(36 + number, 80, 480 * i, 240) for i in range(4)]
        files.append(tmp_path / f"song-{number}.mid")
        score.to_midi(files[-1])
    files[BROKEN].write_bytes(b"MThd of something else")
    return [str(file) for file in files]


def write(songs: list[str], model: str, out: Path, many: Many, fatal: str = "", kills: int = 0) -> int:
    """Two bars of each song's bass; the first `kills` times that the song `fatal` is read end the process."""
    import typer

    def prepare(score, _):
        prompts = [TrackPrompt(t, [1, 2] if t == 1 else []) for t in range(len(score.tracks))]
        return score, GenerationRequest(prompts, InferenceConfig(seed=3, pool=2, density_hard_limit=6))

    def read(song):
        import os
        import signal
        from pathlib import Path

        from midigpt_cli.output.destination import read_song

        if getattr(song, "name", song) == fatal:
            died = Path(f"{fatal}.died")
            times = died.stat().st_size if died.exists() else 0
            if times < kills:
                died.write_bytes(b"x" * (times + 1))
                os.kill(os.getpid(), signal.SIGKILL)
        return read_song(song)

    told = Reporting(quiet=True)
    options = CommandOptions("infill", ModelChoice(model), Output(output=f"{out}/"), told, many)
    try:
        CommandRun(options, 1, dict.fromkeys(songs, Path())).run(prepare, read)
    except typer.Exit as left:
        return left.exit_code
    return 0


def of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.mid"))}


def rows(manifest: Path) -> list[dict]:
    """The lines of a manifest without times and the folder of results."""
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    for line in lines:
        line.pop("seconds", None)
        line["outputs"] = [Path(file).name for file in line.get("outputs", ())]
        for take in line.get("takes", ()):
            take["path"] = Path(take["path"]).name
    return lines


def test_a_worker_killed_in_the_middle_changes_neither_notes_nor_manifest(songs, model, tmp_path, monkeypatch) -> None:
    pytest.importorskip("ray", reason="needs the cluster extra")
    monkeypatch.setenv("MIDIGPT_HISTORY", "off")
    alone, many = tmp_path / "alone", tmp_path / "many"
    assert write(songs, model, alone, Many(jobs=2, manifest=f"{alone}.jsonl")) == 1
    wanted = Many(jobs=2, manifest=f"{many}.jsonl", cluster="local", workers=2)
    assert write(songs, model, many, wanted, songs[FATAL], kills=1) == 1
    assert Path(f"{songs[FATAL]}.died").is_file()
    assert len(of(alone)) == SONGS - 1
    assert of(many) == of(alone)
    assert rows(tmp_path / "many.jsonl") == rows(tmp_path / "alone.jsonl")


def test_a_song_that_ends_every_worker_fails_and_the_others_are_written(
    songs, model, tmp_path, monkeypatch, capsys
) -> None:
    pytest.importorskip("ray", reason="needs the cluster extra")
    monkeypatch.setenv("MIDIGPT_HISTORY", "off")
    wanted = Many(jobs=1, manifest=f"{tmp_path}/made.jsonl", cluster="local", workers=2)
    few = [songs[0], songs[FATAL], songs[1], songs[2]]
    assert write(few, model, tmp_path / "out", wanted, songs[FATAL], kills=99) == 1
    assert f"{songs[FATAL]}: its worker was lost 4 times" in capsys.readouterr().err
    assert [row["song"] for row in rows(tmp_path / "made.jsonl")] == few
    assert f"song-{FATAL}.infill.mid" not in of(tmp_path / "out")


def test_what_is_to_be_installed_for_a_cluster_is_said_in_a_sentence(midigpt, songs, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    answer = midigpt("infill", *songs, "--bars", 2, "-m", model, "-o", f"{tmp_path}/out/", "--cluster", "local")
    assert answer.code == 1
    assert (
        answer.err == "midigpt: ray is missing; install what clusters need with: pip install 'midigpt-cli[cluster]'\n"
    )
