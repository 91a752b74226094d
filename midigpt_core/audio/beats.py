"""Find the pulse of audio: how fast the beats come, where they fall, and which of them begin bars."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_core.audio.note_finding import HeardNote
from midigpt_core.audio.pitch_model import RATE
from midigpt_core.audio.tempo import GIVEN, UNSURE, choose_tempo
from midigpt_core.errors import AudioError

Floats = npt.NDArray[np.float64]

SLOWEST, FASTEST = 20.0, 400.0  # beats per minute that may be given
_USUAL = (60.0, 200.0)  # beats per minute that are looked for
_STEP = 0.005  # the same, of a tempo found in the onsets
_SEARCH = 0.06  # share by which the onsets may correct the estimated tempo
_LEVELS = ((1.0, 1.0), (0.5, 0.7), (0.25, 0.5))  # parts of a beat onsets fall on, and how much each tells
_BASS = 48  # notes below this pitch tell more of where bars begin
_FEWEST = 4  # beats that make a tempo
_MOST_NOTES = 3000  # looked at for the tempo
_FALLBACK = 120.0  # beats per minute of audio without a pulse


@dataclass(frozen=True)
class Pulse:
    """Steady beats, or beats followed one by one."""

    period: float  # seconds per beat (on the average)
    downbeat: float  # seconds at which the first bar begins; may lie before the audio
    beats: tuple[float, ...] = ()  # seconds of every beat from the downbeat on, where they are not steady
    trust: str = GIVEN  # how far the tempo is to be trusted: given, sure, likely, unsure

    @property
    def bpm(self) -> float:
        """Beats per minute."""
        return 60 / self.period

    def beat_at(self, second: float) -> float:
        """Beats from the downbeat to a time."""
        if len(self.beats) < 2:
            return (second - self.downbeat) / self.period
        index = min(max(int(np.searchsorted(self.beats, second, side="right")) - 1, 0), len(self.beats) - 2)
        start, stop = self.beats[index], self.beats[index + 1]
        return index + (second - start) / (stop - start)


def check_tempo(bpm: float | None) -> None:
    """Raise AudioError for a tempo that no beat is looked for in."""
    if bpm is not None and not SLOWEST <= bpm <= FASTEST:
        raise AudioError(f"bpm is {bpm}; give a tempo from {SLOWEST:.0f} to {FASTEST:.0f} beats per minute")


def find_pulse(
    samples: npt.NDArray[np.float32],
    notes: Sequence[HeardNote],
    metre: tuple[int, int],
    bpm: float | None = None,
    downbeat: float | None = None,
) -> Pulse:
    """Steady beats: the tempo given, or estimated from the audio (mono, at RATE) and made exact by the notes.

    A beat is the note in the lower half of the metre. Raises AudioError.
    """
    check_tempo(bpm)
    times, weights = _accents(notes)
    period, trust = (60 / bpm, GIVEN) if bpm else _heard_period(samples, times, weights, _parts(metre))
    if downbeat is None:
        phase = _phase(times, weights, period)
        downbeat = _first_bar(phase, period, metre[0], notes)
    return Pulse(period, _before_music(downbeat, period * metre[0], notes), trust=trust)


def follow_beats(samples: npt.NDArray[np.float32], steady: Pulse) -> Pulse:
    """The same pulse with every beat where it is played; beats go on steadily before and after those heard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        heard = _librosa().beat.beat_track(
            y=samples, sr=RATE, units="time", start_bpm=steady.bpm, tightness=200, trim=False
        )[1]
    heard = np.asarray(heard, dtype=float)
    if len(heard) < _FEWEST:
        return steady
    missing = round((heard[0] - steady.downbeat) / steady.period)  # beats from the downbeat to the first one heard
    before = heard[0] - steady.period * np.arange(missing, 0, -1)
    step = float(np.median(np.diff(heard[-_FEWEST:])))
    after = heard[-1] + step * np.arange(1, _FEWEST)
    beats = np.concatenate([before, heard[max(-missing, 0) :], after])
    return Pulse(float(np.diff(beats).mean()), float(beats[0]), tuple(map(float, beats)), steady.trust)


def _heard_period(samples: npt.NDArray[np.float32], times: Floats, weights: Floats, parts: int) -> tuple[float, str]:
    """Seconds per beat, and how far they are to be trusted; `parts` beats make what people tap."""
    tempo = choose_tempo(_estimate(samples), times, weights, thirds=parts == 3)
    if tempo is None:
        return 60 / _FALLBACK / parts, UNSURE
    reach = _STEP if tempo.by_notes else _SEARCH
    return _best_period(60 / tempo.bpm / parts, times, weights, reach), tempo.trust


def _estimate(samples: npt.NDArray[np.float32]) -> float | None:
    """Beats per minute as librosa's beat tracker hears them, brought into the usual range by halving or doubling."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a short sound, of silence: what is heard, or not, says as much
        found = _librosa().beat.beat_track(y=samples, sr=RATE)[0]
    bpm = float(np.atleast_1d(found)[0])
    if not np.isfinite(bpm) or bpm <= 0:
        return None
    while bpm < _USUAL[0]:
        bpm *= 2
    while bpm > _USUAL[1]:
        bpm /= 2
    return bpm


def _parts(metre: tuple[int, int]) -> int:
    """How many of the metre's notes make what people tap: three eighths in 6/8, two in 7/8."""
    if metre[1] < 8:
        return 1
    return 3 if metre[0] % 3 == 0 and metre[0] > 3 else 2


def _accents(notes: Sequence[HeardNote]) -> tuple[Floats, Floats]:
    """Onsets and how much each tells of the pulse: loud and low notes more."""
    times = np.array([note.start for note in notes], dtype=float)
    weights = np.array([note.velocity / 127 * (2.0 if note.pitch < _BASS else 1.0) for note in notes], dtype=float)
    return times, weights


def _best_period(guess: float, times: Floats, weights: Floats, reach: float) -> float:
    """The period near the guess at which the onsets fall most neatly on beats and their halves and quarters."""
    if len(times) < 8:
        return guess
    times, weights = times[:_MOST_NOTES], weights[:_MOST_NOTES]
    periods = guess * np.linspace(1 - reach, 1 + reach, 1201)
    score = np.zeros(len(periods))
    for part, trust in _LEVELS:
        turns = np.exp(2j * np.pi * times[None, :] / (periods[:, None] * part))
        score += trust * np.abs((turns * weights).sum(axis=1))
    return float(periods[int(np.argmax(score))])


def _phase(times: Floats, weights: Floats, period: float) -> float:
    """The time of a beat, from 0 up to one period."""
    if not len(times):
        return 0.0
    turn = np.angle((weights * np.exp(2j * np.pi * times / period)).sum())
    coarse = turn / (2 * np.pi) * period
    fine = np.angle((weights * np.exp(8j * np.pi * (times - coarse) / period)).sum()) / (8 * np.pi) * period
    return float((coarse + fine) % period)


def _first_bar(phase: float, period: float, beats_per_bar: int, notes: Sequence[HeardNote]) -> float:
    """The beat that most loud and low notes begin on, counted in bars."""
    sums = np.zeros(beats_per_bar)
    for note in notes:
        beat = (note.start - phase) / period
        if abs(beat - round(beat)) < 0.15:
            low = 2.0 if note.pitch < _BASS else 1.0
            length = min(note.end - note.start, 4 * period) / period
            sums[round(beat) % beats_per_bar] += note.velocity / 127 * low * (0.5 + length)
    if notes:
        first = round((notes[0].start - phase) / period) % beats_per_bar
        sums[first] *= 1.15  # music tends to begin where a bar does
    return phase + int(np.argmax(sums)) * period


def _before_music(downbeat: float, bar: float, notes: Sequence[HeardNote]) -> float:
    """The last beginning of a bar before the first note (a note a little early still belongs to it)."""
    first = notes[0].start if notes else 0.0
    return downbeat + float(np.floor((first - downbeat) / bar + 0.05)) * bar


def _librosa() -> Any:
    try:
        import librosa
    except ImportError:
        raise AudioError('finding beats needs librosa: pip install "midigpt-cli[transcribe]"; or give --bpm') from None
    return librosa
