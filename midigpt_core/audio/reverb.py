"""The room a performance sounds in: a short, even reverberation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.float32]

_SECONDS = 1.1  # until the echo has fallen by 60 dB
_FIRST_ECHO = 0.012
_LENGTH = 1.5
_DARKNESS = (60.0, 5000.0)  # Hz: what the walls give back
_SEED = 7  # the same room every time
_BLOCK = 1 << 17


def reverberate(dry: Wave, sent: Wave, rate: int) -> Wave:
    """The dry sound, shape (samples, 2), with the echo of `sent`, shape (samples,); longer by the room's tail."""
    if not np.any(sent):
        return dry
    echo = _impulse(rate)
    mixed = np.zeros((len(dry) + len(echo), 2), dtype=np.float32)
    mixed[: len(dry)] = dry
    size = 1 << (_BLOCK + len(echo) - 1).bit_length()
    answer = np.fft.rfft(echo, size, axis=0)
    for start in range(0, len(sent), _BLOCK):
        block = sent[start : start + _BLOCK]
        if np.any(block):
            wet = np.fft.irfft(np.fft.rfft(block, size)[:, None] * answer, size, axis=0)
            wet = wet[: len(block) + len(echo) - 1]
            mixed[start : start + len(wet)] += wet.astype(np.float32)
    return mixed


def _impulse(rate: int) -> npt.NDArray[np.float64]:
    """What one click becomes: dying noise, different on each side, low and high ends taken off, of unit energy."""
    length = int(_LENGTH * rate)
    times = np.arange(length) / rate
    noise = np.random.default_rng(_SEED).standard_normal((length, 2))
    noise *= (10 ** (-3 * times / _SECONDS))[:, None]
    noise[: int(_FIRST_ECHO * rate)] = 0
    noise[-rate // 20 :] *= np.linspace(1, 0, len(noise[-rate // 20 :]))[:, None]
    frequencies = np.fft.rfftfreq(length, 1 / rate)
    low, high = _DARKNESS
    shape = (frequencies / low) ** 2 / (1 + (frequencies / low) ** 2) / (1 + (frequencies / high) ** 2)
    shaped = np.fft.irfft(np.fft.rfft(noise, axis=0) * shape[:, None], length, axis=0)
    result: npt.NDArray[np.float64] = shaped / np.sqrt((shaped**2).sum(axis=0))
    return result
