"""The sound of one key of one SoundFont region: sample, pitch, envelope and filter, as one array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_core.audio import soundfont as sf
from midigpt_core.audio.soundfont import Region, SoundFont

Floats = npt.NDArray[np.float64]
Wave = npt.NDArray[np.float32]

_FULL_SCALE = 32768.0
_OPEN_FILTER = 13500  # cents above 8.176 Hz: from here on the filter lets everything through
_ATTENUATION_SCALE = 0.4  # the factor hardware SoundFont players, and FluidSynth, apply to the file's attenuation
_SILENCE_DB = 75.0  # an envelope this far down is silent
_SHORTEST_RELEASE = 0.012  # seconds; less clicks
_LOOPS = (1, 3)


def strike(font: SoundFont, region: Region, key: int, length: int, rate: int) -> Wave:
    """The sound of a held key: at most `length` samples at `rate` Hz, full velocity, mono, about -1 to 1.

    A sample without a loop ends by itself, so fewer may come back.
    """
    semitones = (key - region.root_key) * region[sf.SCALE_TUNING] / 100 + region[sf.COARSE_TUNE]
    tuning = semitones * 100 + region[sf.FINE_TUNE] + region.correction
    speed = region.rate / rate * 2 ** (tuning / 1200)
    if region[sf.SAMPLE_MODES] not in _LOOPS:
        slowest = speed * 2 ** ((min(region[sf.MOD_ENV_TO_PITCH], 0) - abs(region[sf.VIBRATO_TO_PITCH])) / 1200)
        length = min(length, int((region.end - region.start) / slowest) + 1)
    modulation = _modulation_envelope(region, length, rate)
    cents = _vibrato(region, length, rate) + region[sf.MOD_ENV_TO_PITCH] * modulation
    steps = speed * 2 ** (cents / 1200)
    positions = np.cumsum(steps) - steps[0]
    wave = _sampled(font, region, positions)
    wave = _filtered(wave, region, modulation[: len(wave)], rate)
    gain = 10 ** (-_ATTENUATION_SCALE * region[sf.ATTENUATION] / 200)
    return (wave * _volume_envelope(region, key, len(wave), rate) * gain).astype(np.float32)


def release_seconds(region: Region) -> float:
    """How long the sound of a released key takes to fall by 100 dB."""
    return max(_seconds(region[sf.RELEASE]), _SHORTEST_RELEASE)


def release(region: Region, rate: int) -> Wave:
    """What a released key's sound is multiplied by, until it is silent."""
    seconds = release_seconds(region)
    times = np.arange(int(seconds * _SILENCE_DB / 100 * rate) + 1) / rate
    fade = 10 ** (-100 * times / seconds / 20)
    fade[-64:] *= np.linspace(1, 0, len(fade[-64:]))
    return fade.astype(np.float32)


def _seconds(timecents: int) -> float:
    return 0.0 if timecents <= -12000 else float(2 ** (min(timecents, 8000) / 1200))


def _sampled(font: SoundFont, region: Region, positions: Floats) -> Floats:
    """The sample at fractional positions, by four-point Hermite interpolation; loops where the region loops."""
    size = region.end - region.start
    loop_start, loop_end = region.loop_start - region.start, region.loop_end - region.start
    pool = font.samples[region.start : region.end].astype(np.float64) / _FULL_SCALE
    if region[sf.SAMPLE_MODES] in _LOOPS and 0 <= loop_start < loop_end - 1 and loop_end <= size:
        turn = loop_end - loop_start
        after = pool[loop_start + np.arange(3) % turn]
        pool = np.concatenate([[0.0], pool[:loop_end], after])
        positions = np.where(positions < loop_end, positions, loop_start + (positions - loop_start) % turn)
    else:
        positions = positions[: np.searchsorted(positions, size - 1)]
        pool = np.concatenate([[0.0], pool, [0.0, 0.0]])
    index = positions.astype(np.int64)
    t = positions - index
    a, b, c, d = (pool[index + offset] for offset in range(4))
    slope_b, slope_c = (c - a) / 2, (d - b) / 2
    return ((2 * (b - c) + slope_b + slope_c) * t + (3 * (c - b) - 2 * slope_b - slope_c)) * t * t + slope_b * t + b


def _volume_envelope(region: Region, key: int, length: int, rate: int) -> Floats:
    """Gain of a held key: delay, straight attack, hold, decay in decibels down to the sustain level."""
    shift = 60 - key
    hold = _seconds(region[sf.HOLD] + shift * region[sf.KEY_TO_HOLD])
    decay = max(_seconds(region[sf.DECAY] + shift * region[sf.KEY_TO_DECAY]), 1e-3)
    delay, attack = _seconds(region[sf.DELAY]), max(_seconds(region[sf.ATTACK]), 1e-3)
    times = np.arange(length) / rate - delay
    sustain = min(max(region[sf.SUSTAIN], 0) / 10, 100.0)  # dB
    fallen = np.clip((times - attack - hold) / decay * 100, 0, sustain)
    rising: Floats = np.clip(times / attack, 0, 1)
    return rising * 10 ** (-fallen / 20)


def _modulation_envelope(region: Region, length: int, rate: int) -> Floats:
    """The second envelope, 0 to 1, that moves pitch and filter."""
    if not region[sf.MOD_ENV_TO_PITCH] and not region[sf.MOD_ENV_TO_FILTER]:
        return np.zeros(length)
    delay, attack = _seconds(region[sf.MOD_DELAY]), max(_seconds(region[sf.MOD_ATTACK]), 1e-3)
    hold, decay = _seconds(region[sf.MOD_HOLD]), max(_seconds(region[sf.MOD_DECAY]), 1e-3)
    times = np.arange(length) / rate - delay
    sustain = 1 - min(max(region[sf.MOD_SUSTAIN], 0), 1000) / 1000
    falling = np.maximum(1 - (times - attack - hold) / decay, sustain)
    envelope: Floats = np.minimum(np.clip(times / attack, 0, 1), falling)
    return envelope


def _vibrato(region: Region, length: int, rate: int) -> Floats:
    """Cents of the region's own vibrato."""
    depth = region[sf.VIBRATO_TO_PITCH]
    if not depth:
        return np.zeros(1)
    times = np.maximum(np.arange(length) / rate - _seconds(region[sf.VIBRATO_DELAY]), 0)
    speed = 8.176 * 2 ** (region[sf.VIBRATO_RATE] / 1200)
    wave: Floats = depth * np.sin(2 * np.pi * speed * times)
    return wave


def _filtered(wave: Floats, region: Region, modulation: Floats, rate: int) -> Floats:
    """Through the region's low-pass filter; a moving filter is a blend of its two extremes."""
    cutoff, sweep = region[sf.FILTER_CUTOFF], region[sf.MOD_ENV_TO_FILTER]
    if not len(wave) or (cutoff >= _OPEN_FILTER and sweep >= 0):
        return wave
    size = 1 << (len(wave) + 2047).bit_length()
    spectrum = np.fft.rfft(wave, size)
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    resonance = region[sf.FILTER_Q] / 10

    def through(cents: int) -> Floats:
        shaped = spectrum * _response(frequencies, cents, resonance)
        result: Floats = np.fft.irfft(shaped, size)[: len(wave)]
        return result

    still = through(cutoff)
    return still + modulation * (through(cutoff + sweep) - still) if sweep else still


def _response(frequencies: Any, cents: int, resonance: float) -> Any:
    """A two-pole low-pass filter: cutoff in cents above 8.176 Hz, resonance in dB over a flat one."""
    cutoff = 8.176 * 2 ** (min(max(cents, 1500), _OPEN_FILTER) / 1200)
    quality = 10 ** ((resonance - 3.01) / 20)
    s = 1j * frequencies / cutoff
    return 1 / (1 + s / quality + s * s) / max(quality, 1.0) ** 0.5
