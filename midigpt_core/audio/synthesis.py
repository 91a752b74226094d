"""MIDI to audio: choose an engine and a soundfont, play, fold loops, write the file at a safe level."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from midigpt_core.audio import fluidsynth
from midigpt_core.audio.find_soundfont import find_soundfont
from midigpt_core.audio.levels import AudioFacts, measure, normalised, trimmed
from midigpt_core.errors import AudioError
from midigpt_core.midi_file import MidiSource
from midigpt_core.midi_file.midi_bytes import Readable, take

Wave = npt.NDArray[np.float32]
Progress = Callable[[float], None]

ENGINES = ("auto", "fluidsynth", "builtin", "sine")
RATES = (8000, 192_000)  # Hz, lowest and highest


@dataclass(frozen=True)
class SoundSettings:
    """How MIDI becomes sound."""

    engine: str = "auto"  # fluidsynth, builtin (plain numpy) or sine; auto: fluidsynth where installed, else builtin
    soundfont: str | os.PathLike[str] | None = None  # General MIDI .sf2; none: the first one found
    rate: int = 44_100  # samples per second

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise AudioError(f"engine {self.engine!r} is not known; choose one of {', '.join(ENGINES)}")
        if not RATES[0] <= self.rate <= RATES[1]:
            raise AudioError(f"sample rate {self.rate} is out of range; give {RATES[0]} to {RATES[1]}")


def play(
    midi: Readable | MidiSource, settings: SoundSettings | None = None, progress: Progress | None = None
) -> tuple[Wave, str, Path | None]:
    """Sound of shape (samples, 2) at its natural level, the engine that made it, and its soundfont."""
    settings = settings or SoundSettings()
    source = midi if isinstance(midi, MidiSource) else take(midi)
    engine, font = _choose(settings)
    if engine == "fluidsynth" and font:
        wave = fluidsynth.play(source.layout.unwrapped.join(), font, settings.rate)
    elif engine == "builtin" and font:
        from midigpt_core.audio.mixer import play as mix
        from midigpt_core.audio.performance import perform
        from midigpt_core.audio.soundfont import SoundFont

        wave = mix(perform(source), SoundFont(font), settings.rate, progress)
    else:
        wave = _sines(source, settings.rate)
    if progress:
        progress(1.0)
    return wave, engine, font


def synthesise(
    midi: Readable,
    rate: int = 44_100,
    length_seconds: float | None = None,
    wrap_tail: bool = True,
    soundfont: str | os.PathLike[str] | None = None,
    engine: str = "auto",
) -> Wave:
    """Sound of shape (samples, 2), float32, at its natural level: a common gain may be put on several loops.

    With a length, exactly round(length_seconds * rate) samples come back; what still sounds after them (releases,
    reverb) is mixed into the beginning, so that the loop runs on without a click, or dropped where `wrap_tail` is off.
    """
    settings = SoundSettings(engine, soundfont, rate)
    wave, _, _ = play(midi, settings)
    if length_seconds is None:
        return wave
    length = round(length_seconds * settings.rate)
    if length < 1:
        raise AudioError(f"a loop of {length_seconds} seconds is too short to hear; give more than 0")
    return folded(wave, length) if wrap_tail else folded(wave[:length], length)


def folded(wave: Wave, length: int) -> Wave:
    """A sound wound up on a loop of `length` samples: what runs over its end is added to its beginning."""
    looped = np.zeros((length, wave.shape[1]), dtype=np.float32)
    for start in range(0, len(wave), length):
        piece = wave[start : start + length]
        looped[: len(piece)] += piece
    return looped


def render_audio(
    midi: Readable,
    path: str | os.PathLike[str],
    soundfont: str | os.PathLike[str] | None = None,
    rate: int = 44_100,
    engine: str = "auto",
    progress: Progress | None = None,
) -> AudioFacts:
    """Write a MIDI file (a path, its bytes or a binary file) as .wav, .flac, .ogg or .mp3, its peak at -1 dBFS.

    What rings on after the last event is kept until it is silent. Raises AudioError, MidiFileError.
    """
    from midigpt_core.audio.audio_files import check_writable, write_audio

    settings = SoundSettings(engine, soundfont, rate)
    check_writable(path, settings.rate)
    began = time.perf_counter()
    source = take(midi)
    wave, used, font = play(source, settings, progress)
    wave = normalised(trimmed(wave, settings.rate, _music_seconds(source)))
    write_audio(wave, path, settings.rate)
    return measure(wave, settings.rate, str(path), used, font, time.perf_counter() - began)


def _choose(settings: SoundSettings) -> tuple[str, Path | None]:
    """The engine and its soundfont. Without any soundfont, `auto` comes down to plain sine tones."""
    engine = settings.engine
    if engine == "auto":
        engine = "fluidsynth" if fluidsynth.fluidsynth_command() else "builtin"
    if engine == "sine":
        return engine, None
    try:
        return engine, find_soundfont(settings.soundfont, compressed=engine == "fluidsynth")
    except AudioError:
        if settings.engine != "auto" or settings.soundfont:
            raise
        return "sine", None


def _music_seconds(source: MidiSource) -> float:
    """When the last event of the file comes."""
    from midigpt_core.audio.performance import perform

    return perform(source).seconds


def _sines(source: MidiSource, rate: int) -> Wave:
    """Sine tones, drums left out: pretty_midi's own synthesis, for where there is no soundfont."""
    import io

    import pretty_midi

    song = pretty_midi.PrettyMIDI(io.BytesIO(source.layout.unwrapped.join()))
    mono = np.asarray(song.synthesize(fs=rate), dtype=np.float32)
    return np.repeat(mono[:, None], 2, axis=1)
