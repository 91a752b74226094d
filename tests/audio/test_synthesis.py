"""MIDI becomes sound: right pitches at right times, safe levels, tails kept, loops without a click."""

from __future__ import annotations

import functools
import io
import wave
from pathlib import Path

import mido
import numpy as np
import pytest

from midigpt_core.audio import find_soundfont
from midigpt_core.audio.audio_files import write_audio
from midigpt_core.audio.synthesis import folded, play, render_audio, synthesise
from midigpt_core.errors import AudioError, AudioFileError

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
RATE = 22_050
ORGAN = 16  # holds its level


def song(*events: mido.Message | mido.MetaMessage) -> bytes:
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000), *events])
    out = io.BytesIO()
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(file=out)
    return out.getvalue()


def note(pitch: int, ticks: int, wait: int = 0, velocity: int = 100, channel: int = 0) -> list[mido.Message]:
    on = mido.Message("note_on", note=pitch, velocity=velocity, time=wait, channel=channel)
    return [on, mido.Message("note_off", note=pitch, time=ticks, channel=channel)]


def organ(*events: mido.Message) -> bytes:
    return song(mido.Message("program_change", program=ORGAN), *events)


def sound(midi: bytes) -> np.ndarray:
    return synthesise(midi, RATE, engine="builtin")


@functools.cache
def sample(name: str) -> np.ndarray:
    """The sound of one of the sample songs."""
    return synthesise(SAMPLES / f"{name}.mid", RATE, engine="builtin")


def strength(samples: np.ndarray, hertz: float) -> float:
    """How much of one frequency there is."""
    mono = samples.mean(axis=1) * np.hanning(len(samples))
    return float(abs(np.exp(-2j * np.pi * hertz * np.arange(len(mono)) / RATE) @ mono))


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt((samples.astype(float) ** 2).mean()))


@pytest.mark.parametrize("pitch", [45, 60, 81])
def test_a_note_sounds_at_its_pitch(pitch: int) -> None:
    heard = sound(organ(*note(pitch, 960)))[: RATE // 2]
    own, neighbours = 440 * 2 ** ((pitch - 69) / 12), [440 * 2 ** ((pitch + d - 69) / 12) for d in (-1, 1)]
    assert strength(heard, own) > 5 * max(strength(heard, hertz) for hertz in neighbours)


def test_a_note_sounds_between_its_times_and_rings_on_a_little() -> None:
    heard = sound(organ(*note(60, 480, wait=480)))
    assert loudness(heard[: RATE // 2 - 200]) < 1e-9
    assert loudness(heard[RATE // 2 : RATE]) > 0.01
    assert len(heard) > RATE, "the release and the room are kept"
    assert loudness(heard[-RATE // 10 :]) < 0.01 * loudness(heard[RATE // 2 : RATE])


def test_tempo_changes_move_the_notes() -> None:
    slow = mido.MetaMessage("set_tempo", tempo=1_000_000)
    heard = sound(song(slow, mido.Message("program_change", program=ORGAN), *note(60, 480, wait=480)))
    assert loudness(heard[: RATE - 200]) < 1e-9
    assert loudness(heard[RATE : 2 * RATE]) > 0.01


def test_volume_velocity_pan_and_bend_are_heard() -> None:
    plain = sound(organ(*note(69, 960)))[:RATE]
    quiet = sound(organ(mido.Message("control_change", control=7, value=50), *note(69, 960)))[:RATE]
    soft = sound(organ(*note(69, 960, velocity=50)))[:RATE]
    left = sound(organ(mido.Message("control_change", control=10, value=0), *note(69, 960)))[:RATE]
    bent = sound(organ(mido.Message("pitchwheel", pitch=8191), *note(69, 960)))[:RATE]
    assert loudness(quiet) == pytest.approx(loudness(plain) / 4, rel=0.1)
    assert loudness(soft) == pytest.approx(loudness(plain) / 4, rel=0.1)
    assert loudness(left[:, 0]) > 3 * loudness(left[:, 1])
    two_up = 440 * 2 ** (2 / 12)
    assert strength(bent, two_up) > 5 * strength(bent, 440)


def test_the_pedal_holds_notes() -> None:
    down, up = (mido.Message("control_change", control=64, value=v, time=t) for v, t in ((127, 0), (0, 960)))
    dry = sound(organ(*note(60, 240), mido.Message("control_change", control=64, value=0, time=960)))
    held = sound(organ(down, *note(60, 240), up))
    late = slice(RATE // 2, RATE)
    assert loudness(held[late]) > 5 * loudness(dry[late])


def test_channel_ten_plays_drums() -> None:
    kick, piano = (sound(song(*note(36, 480, channel=c))) for c in (9, 0))
    hertz = 440 * 2 ** ((36 - 69) / 12)
    share = [strength(s, 2 * hertz) / loudness(s) / len(s) for s in (kick, piano)]
    assert share[0] < 0.2 * share[1], "a kick has no overtones of the pitch its number stands for"


def test_a_file_without_notes_is_silence_of_its_length(tmp_path: Path) -> None:
    silent = song(mido.Message("control_change", control=7, value=100, time=960))
    facts = render_audio(silent, tmp_path / "x.wav", rate=RATE, engine="builtin")
    assert facts.seconds == pytest.approx(1.0, abs=0.01)
    assert facts.silent_share == 1.0


@pytest.mark.parametrize("name", ["pop", "drums"])
def test_files_peak_at_minus_one_decibel_and_end_in_silence(name: str, tmp_path: Path) -> None:
    target = tmp_path / "song.wav"
    facts = render_audio(SAMPLES / f"{name}.mid", target, rate=RATE, engine="builtin")
    with wave.open(str(target)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 2, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    assert facts.clipped == 0
    assert np.abs(samples).max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    assert len(samples) / 2 / RATE == pytest.approx(facts.seconds, abs=0.01)
    assert np.abs(samples[-20:]).max() < 1e-3
    assert -35 < facts.rms_dbfs < -8
    assert facts.silent_share < 0.3


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3"])
def test_compressed_files_hold_the_same_music(ending: str, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="the audio extra is not installed")
    plain = sample("drums")[: 5 * RATE]
    write_audio(plain, tmp_path / f"x.{ending}", RATE)
    packed, _ = soundfile.read(tmp_path / f"x.{ending}")
    assert abs(len(packed) - len(plain)) < RATE * 0.06
    assert loudness(packed) == pytest.approx(loudness(plain), rel=0.05)


@pytest.mark.parametrize("name", ["pop", "waltz", "seven"])
def test_a_loop_runs_on_without_a_click(name: str) -> None:
    whole, seconds = sample(name), 6.0  # cuts through notes that sound
    loop = folded(whole, round(seconds * RATE))
    assert loop.shape == (round(seconds * RATE), 2)
    assert loop.dtype == np.float32
    assert loop.sum() == pytest.approx(whole.sum(), rel=1e-3, abs=0.5), "nothing is lost: the tail is folded in"
    steps = np.abs(np.diff(loop, axis=0))
    seam = np.abs(loop[0] - loop[-1])
    assert (seam <= np.quantile(steps, 0.99, axis=0)).all()


def test_without_wrapping_a_loop_is_cut() -> None:
    midi = organ(*note(60, 960), *note(64, 960))
    whole = synthesise(midi, RATE, engine="builtin")
    cut = synthesise(midi, RATE, 0.7, wrap_tail=False, engine="builtin")
    assert np.array_equal(cut, whole[: round(0.7 * RATE)])
    wrapped = synthesise(midi, RATE, 0.7, engine="builtin")
    assert wrapped.shape == cut.shape
    assert not np.array_equal(wrapped, cut)


def test_the_soundfont_given_must_exist() -> None:
    with pytest.raises(AudioFileError, match=r"nowhere\.sf2: no such file"):
        synthesise(song(*note(60, 480)), RATE, soundfont="nowhere.sf2")


def test_a_file_that_is_no_soundfont_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.sf2").write_bytes(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(AudioFileError, match="not a SoundFont 2 file"):
        synthesise(song(*note(60, 480)), RATE, soundfont=tmp_path / "x.sf2", engine="builtin")


def test_without_any_soundfont_sine_tones_play(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_soundfont, "_FOLDERS", ())
    monkeypatch.setattr(find_soundfont, "_bundled", list)
    monkeypatch.setattr("midigpt_core.audio.fluidsynth.fluidsynth_command", lambda: None)
    monkeypatch.delenv(find_soundfont.VARIABLE, raising=False)
    heard, engine, font = play(song(*note(69, 960)))
    assert (engine, font) == ("sine", None)
    assert loudness(heard) > 0.01
    with pytest.raises(AudioError, match="--soundfont"):
        synthesise(song(*note(69, 960)), engine="builtin")


def test_an_unknown_ending_engine_or_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"\.xyz; use \.wav"):
        render_audio(SAMPLES / "pop.mid", tmp_path / "a.xyz")
    with pytest.raises(AudioError, match="engine 'bells' is not known"):
        render_audio(SAMPLES / "pop.mid", tmp_path / "a.wav", engine="bells")
    with pytest.raises(AudioError, match="sample rate 12"):
        render_audio(SAMPLES / "pop.mid", tmp_path / "a.wav", rate=12)
