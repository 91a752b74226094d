"""`render` and `transcribe` on the command line, and a song's way from sound to sound."""

from __future__ import annotations

import json
import shutil
import sys
import wave
from pathlib import Path

import pytest

from midigpt_cli.commands import loop
from midigpt_cli.output import rendering
from midigpt_core.audio import audio_files, pitch_model, score_picture
from midigpt_core.errors import AudioError
from midigpt_core.midi_file import read_score

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture
def engine() -> None:
    for package in ("onnxruntime", "librosa", "soundfile", "soxr"):
        pytest.importorskip(package, reason="the transcribe extra is not installed")
    try:
        pitch_model.model_file()
    except AudioError as missing:
        pytest.skip(str(missing))


def test_render_writes_what_the_endings_say(midigpt, song) -> None:
    pytest.importorskip("matplotlib", reason="the audio extra is not installed")
    sound, picture = song.with_name("a.wav"), song.with_name("a.png")
    answer = midigpt("render", song, "-o", sound, "-o", picture, "--highlight", "1:2-3", "--rate", 16000, "--json")
    assert answer.code == 0, answer.err
    heard, seen = json.loads(answer.out)["files"]
    assert heard["clipped"] == 0
    assert heard["peak_dbfs"] == pytest.approx(-1, abs=0.05)
    assert seen["highlighted"] == 2
    with wave.open(str(sound)) as file:
        assert file.getnframes() / 16000 == pytest.approx(heard["seconds"], abs=0.01)
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_render_plays_the_bars_asked_for(midigpt, song) -> None:
    whole, part = song.with_name("whole.wav"), song.with_name("part.wav")
    seconds = [
        json.loads(midigpt("render", song, "-o", file, *bars, "--rate", 8000, "--engine", "sine", "--json").out)[
            "files"
        ][0]["seconds"]
        for file, bars in ((whole, ()), (part, ("--bars", "2-3")))
    ]
    assert 2 <= seconds[1] < seconds[0] - 1, seconds


@pytest.mark.parametrize("engine", ["sine", "builtin", "fluidsynth"])
def test_a_song_in_a_riff_wrapper_sounds_like_the_midi_file_in_it(midigpt, song, engine: str) -> None:
    if engine == "fluidsynth" and shutil.which(engine) is None:
        pytest.skip("FluidSynth is not installed")
    from midi.midi_cases import rmid

    wrapped = song.with_name("wrapped.rmi")
    wrapped.write_bytes(rmid(song.read_bytes()))
    bars = [json.loads(midigpt("info", file, "--json").out)["bars"] for file in (song, wrapped)]
    assert bars[0] == bars[1] > 0
    sounds = [file.with_suffix(".wav") for file in (song, wrapped)]
    for file, sound in zip((song, wrapped), sounds, strict=True):
        answer = midigpt("render", file, "-o", sound, "--rate", 8000, "--engine", engine)
        assert answer.code == 0, answer.err
    assert sounds[0].read_bytes() == sounds[1].read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="file sizes are limited with Linux's resource module")
@pytest.mark.parametrize("ending", ["wav", "flac", "png"])
def test_a_full_disk_leaves_no_half_written_sound_or_picture(midigpt, song, ending: str) -> None:
    pytest.importorskip("matplotlib", reason="the audio extra is not installed")
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    (song.parent / "out").mkdir()
    midigpt("render", song, "-o", song.with_name(f"first.{ending}"), "--rate", 8000)  # fonts are looked up once
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        answer = midigpt("render", song, "-o", song.parent / "out" / f"x.{ending}", "--rate", 8000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (answer.code, "cannot be written" in answer.err) == (1, True), answer.err
    assert list((song.parent / "out").iterdir()) == []


def test_render_refuses_before_it_works(midigpt, song) -> None:
    there = song.with_name("there.wav")
    there.write_bytes(b"")
    for words, reason in (
        (["-o", there], "exists; add --force"),
        (["-o", song.with_name("x.doc")], "has no known extension"),
        (["-o", song.with_name("x.png"), "--highlight", "drums"], "has no colon"),
        (["-o", song.parent / "no" / "x.wav"], "folder that does not exist"),
        (["-o", song.with_name("x.wav"), "--highlight", "1:2"], "shows in pictures alone"),
        (["-o", song.with_name("x.wav"), "--compare", song], "shows in pictures alone"),
    ):
        answer = midigpt("render", song, *words)
        assert (answer.code, reason in answer.err) == (2, True), answer.err
    assert there.read_bytes() == b""


def test_every_ending_that_can_be_written_can_be_asked_for() -> None:
    assert set(rendering.SOUNDS) == set(audio_files.FORMATS)
    assert set(rendering.PICTURES) == set(score_picture.FORMATS)
    assert {f".{word}" for word in loop.FORMATS} == {".mid", *rendering.SOUNDS}


def test_a_wrong_highlight_leaves_no_sound_behind(midigpt, song) -> None:
    sound = song.with_name("x.wav")
    answer = midigpt("render", song, "-o", sound, "-o", song.with_name("x.png"), "--highlight", "99:1")
    assert (answer.code, sound.exists()) == (2, False)


def test_a_missing_soundfont_is_unreadable_input(midigpt, song) -> None:
    answer = midigpt("render", song, "-o", song.with_name("x.wav"), "--soundfont", "no.sf2")
    assert answer.code == 3
    assert "no.sf2: no such file" in answer.err


@pytest.mark.usefixtures("engine")
def test_transcribe_writes_notes_tables_and_sound(midigpt, song, tmp_path) -> None:
    sound = tmp_path / "x.wav"
    assert midigpt("render", song, "-o", sound, "--rate", 22050).code == 0
    words = ["--notes-csv", tmp_path / "x.csv", "--sonify", tmp_path / "again.wav", "--bpm", 120, "--json"]
    answer = midigpt("transcribe", sound, "-o", tmp_path / "x.mid", *words)
    assert answer.code == 0, answer.err
    facts = json.loads(answer.out)
    assert facts["bpm"] == 120
    assert read_score(tmp_path / "x.mid").n_bars == facts["bars"]
    assert len((tmp_path / "x.csv").read_text().splitlines()) == facts["notes"] + 1
    assert (tmp_path / "again.wav").stat().st_size > 10_000
    answer = midigpt("transcribe", sound, "-o", tmp_path / "x.mid")
    assert answer.code == 2
    assert "exists" in answer.err


@pytest.mark.usefixtures("engine")
def test_the_flags_of_basic_pitch_write_beside_the_midi_file(midigpt, song, tmp_path) -> None:
    sound = tmp_path / "take.wav"
    assert midigpt("render", song, "-o", sound).code == 0
    flags = ["--save-midi", "--save-note-events", "--sonify-midi", "--sonification-samplerate", "22050"]
    flags += ["--midi-tempo", "120", "--multiple-pitch-bends", "--onset-threshold", "0.5", "--frame-threshold", "0.3"]
    flags += ["--minimum-note-length", "100"]
    answer = midigpt("transcribe", sound, "--no-melodia", "--json", *flags)
    assert answer.code == 0, answer.err
    facts = json.loads(answer.out)
    assert facts["bpm"] == 120
    assert facts["path"] == str(tmp_path / "take.mid")
    assert (tmp_path / "take.csv").read_text().startswith("start_time_s,end_time_s")
    with wave.open(str(tmp_path / "take.midi.wav")) as made:  # take.wav is what was listened to
        assert made.getframerate() == 22050


@pytest.mark.usefixtures("engine")
def test_flags_that_write_beside_a_file_need_one(midigpt, song, tmp_path) -> None:
    sound = tmp_path / "take.wav"
    assert midigpt("render", song, "-o", sound).code == 0
    answer = midigpt("transcribe", sound, "--sonify-midi", "-o", "-")
    assert answer.code == 2
    assert "--sonify FILE" in answer.err


@pytest.mark.usefixtures("engine")
def test_sound_is_transcribed_filled_in_and_played_in_one_line(shell, midigpt, song) -> None:
    assert midigpt("render", song, "-o", song.with_name("x.wav"), "--rate", 22050).code == 0
    line = (
        'midigpt transcribe x.wav --bpm 120 -o - | midigpt infill - --bars 3-4 -m "$MODEL" -o - '
        "| midigpt render - -o y.wav --rate 22050"
    )
    done = shell(line)
    assert done.returncode == 0, done.stderr
    with wave.open(str(song.with_name("y.wav"))) as file:
        assert file.getnframes() > 22050
