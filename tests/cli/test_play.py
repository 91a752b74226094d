"""Songs are heard in the terminal; takes are switched in place and one is kept; without sound, a sentence."""

from __future__ import annotations

import builtins
import os
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midigpt_cli.live import audition, sound
from midigpt_cli.live.audition import RATE, Audition, Version
from midigpt_cli.live.keys import LiveKeys
from midigpt_core.errors import AudioError

FEW = ("--bars", 4, "-t", "bass", "--max-density", 4, "--seed", 1)


class FakeDevice:
    """Remembers what it was told to play."""

    def __init__(self) -> None:
        self.played: list[np.ndarray] = []
        self.silent = True

    def start(self, wave: np.ndarray, rate: int) -> None:
        self.played.append(wave)
        self.silent = False

    def stop(self) -> None:
        self.silent = True


class Pressed(LiveKeys):
    """Keys, one at each look."""

    def __init__(self, keys: str) -> None:
        super().__init__(True)
        self._keys = list(keys)

    def pressed(self) -> str:
        return self._keys.pop(0) if self._keys else "q"


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    made = FakeDevice()
    monkeypatch.setattr(sound, "open_device", lambda: made)
    monkeypatch.setattr(audition, "LOOK_SECONDS", 0)
    return made


def press(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    from contextlib import nullcontext

    monkeypatch.setattr(audition, "live_keys", lambda: nullcontext(Pressed(keys)))


def test_switching_goes_on_from_the_same_place_and_space_holds_it() -> None:
    now = [0.0]
    device = FakeDevice()
    versions = [Version(key, key, np.full((10 * RATE, 2), float(key))) for key in "12"]
    heard = Audition(versions, device, lambda: now[0])
    heard.play(0.0)
    now[0] = 3.0
    heard.press("2")
    assert (len(device.played[-1]), device.played[-1][0, 0]) == (7 * RATE, 2.0)
    now[0] = 4.0
    heard.press(" ")
    now[0] = 60.0
    assert (device.silent, heard.place, heard.ended) == (True, 4.0, False)
    heard.press(" ")
    assert len(device.played[-1]) == 6 * RATE
    now[0] = 67.0
    assert heard.ended
    heard.press("9")
    heard.press("\n")
    assert (heard.kept, heard.over) == (versions[1], True)


def test_play_sounds_the_bars_asked_for_to_the_end(midigpt, song, device, monkeypatch) -> None:
    press(monkeypatch, "q")
    answer = midigpt("play", song, "--bars", "2")
    assert (answer.code, answer.err) == (0, "space pauses, q leaves\n1 song.mid\n")
    [short] = device.played
    midigpt("play", song)
    assert len(device.played[1]) > 3 * len(short) > 0
    assert np.abs(short).max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)  # as loud as a rendered file
    assert device.silent


def test_versions_keep_their_loudness_to_each_other() -> None:
    waves = [np.full((9, 2), level, np.float32) for level in (0.1, 0.2)]
    soft, loud = audition.levelled([Version(str(n), "", wave) for n, wave in enumerate(waves)])
    assert loud.wave.max() == pytest.approx(10 ** (-1 / 20))
    assert soft.wave.max() == pytest.approx(loud.wave.max() / 2)


def test_enter_keeps_the_take_that_plays_and_zero_is_the_original(midigpt, song, model, device, monkeypatch) -> None:
    words = ("infill", song, *FEW, "-m", model, "--takes", 3, "--play")
    press(monkeypatch, "02\n")
    answer = midigpt(*words)
    assert [file.name for file in song.parent.glob("*.infill.*")] == ["song.infill.2.mid"], answer.err
    assert "the original\ntake 2\n" in answer.err
    press(monkeypatch, "0\n")
    assert midigpt(*words, "--force").code == 0
    assert len(list(song.parent.glob("*.infill.*"))) == 1
    press(monkeypatch, "q")
    midigpt(*words, "--force")
    assert len(list(song.parent.glob("*.infill.*"))) == 3


def test_the_last_line_names_the_take_that_was_kept(midigpt, song, model, device, monkeypatch) -> None:
    last = {}
    for key in "0123":
        press(monkeypatch, f"{key}\n")
        answer = midigpt("infill", song, *FEW, "-m", model, "--takes", 3, "--seed", 1, "--play", "--force")
        last[key] = answer.err.splitlines()[-1]
    assert last.pop("0") == "kept: the original, as you chose"
    best = [key for key, line in last.items() if line.startswith(f"best: take {key}, ")]
    kept = [key for key, line in last.items() if line == f"kept: take {key}, as you chose"]
    assert (len(best), len(kept)) == (1, 2)


@pytest.mark.parametrize(
    ("fault", "says", "not_said"),
    [(ImportError, "pip install sounddevice", "PortAudio"), (OSError, "libportaudio2", "pip install")],
)
def test_what_is_missing_for_sound_is_named(midigpt, song, monkeypatch, fault, says, not_said) -> None:
    usual = builtins.__import__

    def load(name: str, *rest: Any, **more: Any) -> Any:
        if name == "sounddevice":
            raise fault("PortAudio library not found" if fault is OSError else "no module")
        return usual(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", load)
    monkeypatch.setenv("PATH", "")
    answer = midigpt("play", song)
    assert (answer.code, says in answer.err, not_said in answer.err) == (1, True, False)


def test_without_sound_there_is_a_sentence_before_any_file(midigpt, song, model, monkeypatch) -> None:
    monkeypatch.setattr(sound, "_sounddevice", lambda: sound.NO_OUTPUT)
    monkeypatch.setenv("PATH", "")
    answer = midigpt("play", song)
    assert (answer.code, answer.err.count("\n"), "nothing here plays sound" in answer.err) == (1, 1, True)
    refusal = midigpt("infill", song, *FEW, "-m", "no such model", "--play")
    assert (refusal.code, "midigpt render" in refusal.err) == (1, True)
    assert [file.name for file in song.parent.iterdir()] == ["song.mid"]
    assert midigpt("loop", song, "--play", "-m", model).code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="the player is a shell script")
def test_the_systems_player_gets_a_wav_file_and_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    player = tmp_path / "aplay"
    player.write_text(f'#!/bin/sh\ncp "$2" {tmp_path}/heard.wav\nmkfifo {tmp_path}/ready\nexec sleep 60\n')
    player.chmod(0o755)
    monkeypatch.setattr(sound, "_sounddevice", lambda: sound.NO_OUTPUT)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(sound, "PLAYERS", (("aplay", "-q"),))
    device = sound.open_device()
    device.start(np.full((RATE, 2), 0.1, np.float32), RATE)
    while not (tmp_path / "ready").exists():
        pass
    process = device._process
    device.stop()
    assert process.returncode is not None
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert (file.getnframes(), file.getframerate()) == (RATE, RATE)
    with pytest.raises(AudioError, match="does not start"):
        sound.Command([str(tmp_path / "gone")]).start(np.zeros((9, 2), np.float32), RATE)
