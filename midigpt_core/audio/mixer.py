"""The built-in synthesiser: play a performance with a SoundFont, in plain numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from midigpt_core.audio import soundfont as sf
from midigpt_core.audio.performance import EXPRESSION, REVERB, VOLUME, WHEEL, Part, Performance, Played, control
from midigpt_core.audio.reverb import reverberate
from midigpt_core.audio.soundfont import Region, SoundFont
from midigpt_core.audio.voice import Wave, release, strike

Floats = npt.NDArray[np.float64]
Progress = Callable[[float], None]  # told the finished share, 0 to 1

_LEVEL = 0.35  # of one voice at full velocity: keeps ordinary songs near full scale
_CONTROL_STEP = 64  # samples between two points of a moving control
_WHEEL_CENTS, _WHEEL_HERTZ = 50 / 127, 5.5  # what the modulation wheel adds: General MIDI's default vibrato
_CUT = 0.02  # seconds a drum takes to stop when another one of its class is struck
_WET = 0.35


@dataclass
class _Voice:
    """One region sounding for one note."""

    note: Played
    region: Region
    held: int  # samples until the key is released
    choked: bool = False  # cut off by another drum


def play(performance: Performance, font: SoundFont, rate: int, progress: Progress | None = None) -> Wave:
    """The sound of a performance: shape (samples, 2), at its natural level, release and reverb at the end."""
    voices = [_voices(part, font, rate) for part in performance.parts]
    fades = {region: release(region, rate) for region in {v.region for found in voices for v in found}}
    ends = [round(v.note.start * rate) + v.held + len(fades[v.region]) for found in voices for v in found]
    length = max([round(performance.seconds * rate), *ends])
    dry = np.zeros((length, 2), dtype=np.float32)
    sent = np.zeros(length, dtype=np.float32)
    total, done = max(sum(map(len, voices)), 1), 0
    for part, found in zip(performance.parts, voices, strict=True):
        for voice, wave in _sounds(part, found, font, fades, rate):
            start = round(voice.note.start * rate)
            _mix(dry, sent, start, wave, _pan(voice), control(part, REVERB).at(voice.note.start) / 127)
            done += 1
            if progress and done % 256 == 0:
                progress(0.9 * done / total)
    mixed = reverberate(dry, sent, rate)
    if progress:
        progress(1.0)
    return mixed


def _voices(part: Part, font: SoundFont, rate: int) -> list[_Voice]:
    """What sounds for each note of a part, drums of one class cutting each other off."""
    voices: list[_Voice] = []
    ringing: dict[int, list[_Voice]] = {}
    for note in part.notes:
        held = max(round((note.end - note.start) * rate), 1)
        struck = [_Voice(note, r, held) for r in font.regions(note.bank, note.program, note.pitch, note.velocity)]
        for number in {voice.region[sf.EXCLUSIVE_CLASS] for voice in struck} - {0}:
            for earlier in ringing.get(number, []):
                gap = round((note.start - earlier.note.start) * rate)
                if gap:
                    earlier.held, earlier.choked = gap, True
            ringing[number] = [voice for voice in struck if voice.region[sf.EXCLUSIVE_CLASS] == number]
        voices += struck
    return voices


def _sounds(
    part: Part, voices: list[_Voice], font: SoundFont, fades: dict[Region, Wave], rate: int
) -> Iterator[tuple[_Voice, Wave]]:
    """Each voice with its sound. A key's sound is made once, at the greatest length any of its notes needs."""
    cut = np.linspace(1, 0, round(_CUT * rate), dtype=np.float32)
    spare = 2 ** (max(part.bend.values) / 1200 + bool(control(part, WHEEL).values[1:]) / 12)  # a bent key runs faster
    longest: dict[tuple[Region, int], int] = {}
    for voice in voices:
        key = (voice.region, voice.note.pitch)
        longest[key] = max(longest.get(key, 0), round((voice.held + len(fades[voice.region])) * spare))
    kept: dict[tuple[Region, int], Wave] = {}
    for voice in voices:
        key, fade = (voice.region, voice.note.pitch), cut if voice.choked else fades[voice.region]
        if key not in kept:
            kept[key] = strike(font, *key, longest[key], rate)
        length = voice.held + len(fade)
        wave = _bent(kept[key], _bend(part, voice.note, length, rate))[:length]
        wave = wave * _gain(part, voice.note, len(wave), rate)
        released = wave[voice.held :]
        released *= fade[: len(released)]
        yield voice, wave


def _bent(wave: Wave, cents: Floats | None) -> Wave:
    """A key's sound, sped up and slowed down along a bend."""
    if cents is None:
        return wave
    positions = np.cumsum(2 ** (cents / 1200))
    positions = positions[: np.searchsorted(positions, len(wave))] - positions[0]
    bent: Wave = np.interp(positions, np.arange(len(wave)), wave).astype(np.float32)
    return bent


def _moving(start: float, length: int, rate: int) -> Floats:
    """The times at which a moving control is looked up."""
    return start + np.arange(0, length + _CONTROL_STEP, _CONTROL_STEP) / rate


def _bend(part: Part, note: Played, length: int, rate: int) -> Floats | None:
    """Cents of pitch wheel and modulation wheel at each sample of a note; None where both rest."""
    end, wheel = note.start + length / rate, control(part, WHEEL)
    if not part.bend.between(note.start, end) and not wheel.between(note.start, end):
        return None
    times = _moving(note.start, length, rate)
    vibrato = wheel.sampled(times) * _WHEEL_CENTS * np.sin(2 * np.pi * _WHEEL_HERTZ * (times - note.start))
    coarse = part.bend.sampled(times) + vibrato
    bend: Floats = np.interp(np.arange(length), np.arange(len(times)) * _CONTROL_STEP, coarse)
    return bend


def _gain(part: Part, note: Played, length: int, rate: int) -> Wave:
    """Velocity, channel volume and expression at each sample, or one value where they stand still."""
    curves = (control(part, VOLUME), control(part, EXPRESSION))
    velocity = _LEVEL * (note.velocity / 127) ** 2
    end = note.start + length / rate
    if not any(curve.moves(note.start, end) for curve in curves):
        still = velocity * (curves[0].at(note.start) * curves[1].at(note.start) / 127**2) ** 2
        return np.full(1, still, dtype=np.float32)
    times = _moving(note.start, length, rate)
    coarse = velocity * np.prod([(curve.sampled(times) / 127) ** 2 for curve in curves], axis=0)
    gain: Wave = np.interp(np.arange(length), np.arange(len(times)) * _CONTROL_STEP, coarse).astype(np.float32)
    return gain


def _pan(voice: _Voice) -> tuple[float, float]:
    """Gains of the left and the right side, of equal power together."""
    place = np.clip(voice.region[sf.PAN] / 500 + (voice.note.pan - 64) / 63, -1, 1)
    angle = (place + 1) * np.pi / 4
    return float(np.cos(angle)), float(np.sin(angle))


def _mix(dry: Wave, sent: Wave, start: int, wave: Wave, sides: tuple[float, float], send: float) -> None:
    stop = start + len(wave)
    dry[start:stop, 0] += wave * np.float32(sides[0])
    dry[start:stop, 1] += wave * np.float32(sides[1])
    sent[start:stop] += wave * np.float32(send * _WET)
