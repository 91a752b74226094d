"""Loudness of audio: measure it, bring it to a safe peak, take the silence off its end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.float32]

PEAK_DBFS = -1.0  # the loudest sample of a written file: leaves mp3 and ogg room to overshoot
_QUIET = 1e-5  # a file whose peak is below this is silent, and stays so
_TAIL_FLOOR_DB = -66.0  # below the peak: where a tail is over
_FADE = 0.05  # seconds, at the very end


@dataclass(frozen=True)
class AudioFacts:
    """What was written, measured."""

    path: str
    seconds: float
    rate: int  # Hz
    engine: str
    soundfont: str  # file name, empty without one
    peak_dbfs: float
    rms_dbfs: float
    clipped: int  # samples at full scale
    silent_share: float  # of tenths of a second below -60 dBFS
    render_seconds: float
    times_real_time: float

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def normalised(wave: Wave, peak_dbfs: float = PEAK_DBFS) -> Wave:
    """The same sound with its loudest sample at `peak_dbfs`; silence stays silence."""
    peak = float(np.abs(wave).max(initial=0.0))
    if peak < _QUIET:
        return wave
    louder: Wave = (wave * np.float32(10 ** (peak_dbfs / 20) / peak)).astype(np.float32)
    return louder


def trimmed(wave: Wave, rate: int, least_seconds: float) -> Wave:
    """Without the silence after the tail, but at least `least_seconds` long; the end faded to nothing."""
    envelope = np.abs(wave).max(axis=1, initial=0.0)
    peak = float(envelope.max(initial=0.0))
    loud = np.flatnonzero(envelope > max(peak * 10 ** (_TAIL_FLOOR_DB / 20), _QUIET))
    fade = round(_FADE * rate)
    length = max(round(least_seconds * rate), (int(loud[-1]) + 1 + fade) if len(loud) else 0, 1)
    cut: Wave = wave[:length].copy()
    if len(cut) < length:
        cut = np.concatenate([cut, np.zeros((length - len(cut), 2), dtype=np.float32)])
    cut[-fade:] *= np.linspace(1, 0, len(cut[-fade:]), dtype=np.float32)[:, None]
    return cut


def measure(wave: Wave, rate: int, path: str, engine: str, font: Path | None, took: float) -> AudioFacts:
    """The facts of a sound of shape (samples, 2)."""
    blocks = wave[: len(wave) // (rate // 10) * (rate // 10)].reshape(-1, rate // 10 * wave.shape[1])
    loudness = np.sqrt((blocks.astype(np.float64) ** 2).mean(axis=1)) if len(blocks) else np.zeros(1)
    seconds = len(wave) / rate
    return AudioFacts(
        path=path,
        seconds=round(seconds, 3),
        rate=rate,
        engine=engine,
        soundfont=font.name if font else "",
        peak_dbfs=_decibels(float(np.abs(wave).max(initial=0.0))),
        rms_dbfs=_decibels(float(np.sqrt((wave.astype(np.float64) ** 2).mean()))),
        clipped=int((np.abs(wave) >= 1.0).sum()),
        silent_share=round(float((loudness < 1e-3).mean()), 4),
        render_seconds=round(took, 3),
        times_real_time=round(seconds / max(took, 1e-6), 1),
    )


def _decibels(value: float) -> float:
    return round(float(20 * np.log10(max(value, 1e-9))), 2)
