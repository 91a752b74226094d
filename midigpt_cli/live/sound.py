"""Where sound comes out: the sounddevice module, else whatever player the system has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Protocol

from midigpt_core.audio.synthesis import Wave
from midigpt_core.errors import AudioError

PLAYERS = (  # commands that play a .wav file to its end
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("afplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"),
)
NO_MODULE = "the sounddevice module is not installed (pip install sounddevice)"
NO_LIBRARY = "the sounddevice module is there, but not the PortAudio library (on Debian: apt install libportaudio2)"
NO_OUTPUT = "PortAudio finds no device that plays"
INSTEAD = f"install one of {', '.join(words[0] for words in PLAYERS)}; `midigpt render SONG` writes a file instead"


class Device(Protocol):
    """Plays one piece of sound at a time."""

    def start(self, wave: Wave, rate: int) -> None:
        """Begin to play, in place of what is playing."""

    def stop(self) -> None:
        """Be silent."""


def open_device() -> Device:
    """The first device that works here. Raises AudioError where there is none."""
    found = _sounddevice()
    if not isinstance(found, str):
        return found
    for command, *options in PLAYERS:
        place = shutil.which(command)
        if place:
            return Command([place, *options])
    raise AudioError(f"nothing here plays sound: {found}; mend that, or {INSTEAD}")


class Command:
    """A player of the system, started anew for every piece of sound."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self._folder = tempfile.TemporaryDirectory(prefix="midigpt-")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, wave: Wave, rate: int) -> None:
        """Begin to play, in place of what is playing. Raises AudioError where the player does not start."""
        from midigpt_core.audio.audio_files import write_audio

        self.stop()
        file = Path(self._folder.name) / "sound.wav"
        write_audio(wave, file, rate)
        quiet = subprocess.DEVNULL
        try:
            self._process = subprocess.Popen([*self.words, str(file)], stdin=quiet, stdout=quiet, stderr=quiet)
        except OSError as error:
            raise AudioError(f"{self.words[0]}: does not start ({error.strerror or error}); {INSTEAD}") from error

    def stop(self) -> None:
        """Be silent."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


class _SoundDevice:
    def __init__(self, module: Any) -> None:
        self._module = module

    def start(self, wave: Wave, rate: int) -> None:
        try:
            self._module.play(wave, rate)
        except self._module.PortAudioError as error:
            raise AudioError(f"the sound device does not play: {error}") from error

    def stop(self) -> None:
        self._module.stop()


def _sounddevice() -> _SoundDevice | str:
    """The sounddevice module's device, or what is missing."""
    try:
        import sounddevice
    except ImportError:
        return NO_MODULE
    except OSError:
        return NO_LIBRARY
    plays = any(found["max_output_channels"] for found in sounddevice.query_devices())
    return _SoundDevice(sounddevice) if plays else NO_OUTPUT
