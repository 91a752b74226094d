"""Play a MIDI file with the fluidsynth command, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from midigpt_core.errors import AudioError

_GAIN = "0.35"
_TIME_LIMIT = 3600  # seconds


def fluidsynth_command() -> str | None:
    """Where the fluidsynth command is; None where it is not installed."""
    return shutil.which("fluidsynth")


def play(midi: bytes, soundfont: Path, rate: int) -> npt.NDArray[np.float32]:
    """The sound of a MIDI file, shape (samples, 2), releases and reverb at the end. Raises AudioError."""
    command = fluidsynth_command()
    if command is None:
        raise AudioError("fluidsynth is not installed here; install it, or use the built-in engine (--engine builtin)")
    with tempfile.TemporaryDirectory(prefix="midigpt-") as folder:
        song, sound = Path(folder, "song.mid"), Path(folder, "song.raw")
        song.write_bytes(midi)
        options = ["-n", "-i", "-q", "-r", str(rate), "-g", _GAIN, "-T", "raw", "-O", "float", "-F", str(sound)]
        try:
            done = subprocess.run(
                [command, *options, str(soundfont), str(song)], capture_output=True, timeout=_TIME_LIMIT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AudioError(f"fluidsynth did not run: {error}; try --engine builtin") from None
        if done.returncode or not sound.is_file():
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"exit status {done.returncode}"
            raise AudioError(f"fluidsynth could not play it: {reason}; try --engine builtin")
        samples = np.fromfile(sound, dtype="<f4")
    return samples[: len(samples) // 2 * 2].reshape(-1, 2).astype(np.float32)
