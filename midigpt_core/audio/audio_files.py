"""Audio files: write wav, flac, ogg and mp3, and read them back as one channel."""

from __future__ import annotations

import io
import os
import wave as wav_file
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from midigpt_core.errors import AudioError, AudioFileError
from midigpt_core.files import whole

Wave = npt.NDArray[np.float32]

INSTALL = 'pip install "midigpt-cli[audio]"'
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_CANCELS = 0.1  # a mixdown below this share of its loudest channel has lost what was in it
_OGG_BLOCK = 1 << 16  # libsndfile's Vorbis writer overflows its stack on long writes
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}


def check_writable(path: str | os.PathLike[str], rate: int) -> None:
    """Raise AudioError where a file of this name cannot be written here, before any time is spent on its sound."""
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise AudioError(f"{path}: cannot write {ending or 'a file without an ending'}; use {', '.join(FORMATS)}")
    if ending == ".mp3" and rate not in _MP3_RATES:
        raise AudioError(f"{path}: mp3 has no sample rate {rate}; use {', '.join(map(str, _MP3_RATES))}")
    if ending != ".wav":
        _soundfile(f"writing {ending}")


def write_audio(wave: Wave, path: str | os.PathLike[str], rate: int) -> None:
    """Write samples of shape (samples, channels), -1 to 1, in the format the ending names, whole or not at all.

    Raises AudioError.
    """
    check_writable(path, rate)
    kind, coding = FORMATS[Path(path).suffix.lower()]
    try:
        with whole(Path(path)) as partial:
            if kind == "WAV":
                _write_wav(wave, partial, rate)
                return
            soundfile = _soundfile(f"writing {kind.lower()}")
            with soundfile.SoundFile(str(partial), "w", rate, wave.shape[1], format=kind, subtype=coding) as file:
                for start in range(0, len(wave), _OGG_BLOCK):
                    file.write(wave[start : start + _OGG_BLOCK])
    except (OSError, RuntimeError) as error:
        raise AudioError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None


def read_audio(path: str | os.PathLike[str]) -> tuple[Wave, int]:
    """A file's sound as one channel, shape (samples,), and its samples per second. Raises AudioFileError."""
    soundfile = _soundfile("reading audio")
    if not Path(path).is_file():
        raise AudioFileError(f"{path}: no such file")
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise AudioFileError(f"{path}: not audio that can be read (wav, flac, ogg, mp3): {error}") from None
    if not len(samples):
        raise AudioFileError(f"{path}: there is no sound in it: 0 samples")
    return _mixed(np.nan_to_num(samples)), int(rate)


def _mixed(samples: Wave) -> Wave:
    """The channels as one; the loudest alone where together they cancel, as with one of them turned upside down."""
    mono: Wave = samples.mean(axis=1, dtype=np.float32)
    loudness = np.sqrt(np.square(samples, dtype=np.float64).mean(axis=0))
    if np.sqrt(np.square(mono, dtype=np.float64).mean()) < _CANCELS * loudness.max():
        mono = samples[:, int(loudness.argmax())].copy()
    return mono


def pcm_wav(wave: Wave, rate: int) -> bytes:
    """Samples of shape (samples, channels) as a wav file in memory."""
    file = io.BytesIO()
    _write_wav(wave, file, rate)
    return file.getvalue()


def _write_wav(wave: Wave, place: str | os.PathLike[str] | BinaryIO, rate: int) -> None:
    """16-bit PCM, with the standard library alone."""
    whole = np.round(np.clip(wave, -1, 1) * 32767).astype("<i2")
    target: Any = os.fspath(place) if isinstance(place, (str, os.PathLike)) else place
    with wav_file.open(target, "wb") as file:
        file.setnchannels(wave.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(whole.tobytes())


def _soundfile(purpose: str) -> Any:
    try:
        import soundfile
    except (ImportError, OSError):
        raise AudioError(f"{purpose} needs the soundfile package: {INSTALL} (wav needs nothing more)") from None
    return soundfile
