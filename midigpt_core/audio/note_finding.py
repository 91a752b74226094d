"""Turn the pitch model's activations into notes.

The rules are those published with basic-pitch: onsets at peaks, notes that last while their frames stay active, then
notes without a clear onset around what energy is left, strongest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from midigpt_core.audio.pitch_model import BINS_PER_SEMITONE, HOP, LOWEST_PITCH, PITCHES, RATE, Activations
from midigpt_core.errors import AudioError

Floats = npt.NDArray[np.float64]

_GAP = 11  # frames a note may be inactive without ending
_RISE = 2  # frames over which a sudden rise of activity counts as an onset
_BEND_REACH, _BEND_WIDTH = 25, 5.0  # contour bins looked at around a note's pitch, and the width they are trusted over


@dataclass(frozen=True)
class FindingSettings:
    """How sure the model must be of a note."""

    onset_threshold: float = 0.5  # 0 to 1: how clear a beginning must be; lower finds more notes
    frame_threshold: float = 0.3  # 0 to 1: how clear a pitch must be to sound on; lower gives longer notes
    minimum_note_ms: float = 127.7  # shorter notes are left out
    minimum_hz: float | None = None  # lower notes are left out
    maximum_hz: float | None = None  # higher notes are left out
    melodia: bool = True  # also notes without a clear beginning

    def __post_init__(self) -> None:
        for name in ("onset_threshold", "frame_threshold"):
            if not 0 < getattr(self, name) < 1:
                raise AudioError(f"{name} is {getattr(self, name)}; give a number between 0 and 1")
        if not 0 <= self.minimum_note_ms < inf:
            raise AudioError(f"minimum_note_ms is {self.minimum_note_ms}; give 0 or more")
        low, high = self.minimum_hz or 0.0, inf if self.maximum_hz is None else self.maximum_hz
        if not 0 <= low < high:
            raise AudioError(f"no note lies between {self.minimum_hz} and {self.maximum_hz} Hz; give a wider range")


@dataclass(frozen=True)
class HeardNote:
    """A note heard in audio."""

    start: float  # seconds
    end: float
    pitch: int  # MIDI pitch
    velocity: int  # 1 to 127: how active the pitch was
    bends: tuple[int, ...]  # thirds of a semitone off the pitch, evenly spaced from start to end


def find_notes(heard: Activations, settings: FindingSettings | None = None) -> list[HeardNote]:
    """The notes, in order of time."""
    settings = settings or FindingSettings()
    frames, onsets = heard.frames.astype(np.float64), heard.onsets.astype(np.float64)
    allowed = _allowed(settings)
    frames[:, ~allowed], onsets[:, ~allowed] = 0.0, 0.0
    shortest = round(settings.minimum_note_ms / 1000 * RATE / HOP)
    spans = _Search(frames, settings.frame_threshold, shortest).run(
        _onset_peaks(onsets, frames, settings.onset_threshold), settings.melodia
    )
    last = len(heard.times) - 1
    notes = []
    for start, stop, column in sorted(spans):
        velocity = min(max(round(127 * float(frames[start:stop, column].mean())), 1), 127)
        times = (float(heard.times[start]), float(heard.times[min(stop, last)]))
        notes.append(HeardNote(*times, column + LOWEST_PITCH, velocity, _bends(heard.contours[start:stop], column)))
    return notes


def _allowed(settings: FindingSettings) -> npt.NDArray[np.bool_]:
    """Which of the 88 pitches may be found."""
    pitches = np.arange(PITCHES) + LOWEST_PITCH
    low = 0.0 if not settings.minimum_hz else 69 + 12 * np.log2(settings.minimum_hz / 440)
    high = 128.0 if settings.maximum_hz is None else 69 + 12 * np.log2(settings.maximum_hz / 440)
    allowed: npt.NDArray[np.bool_] = (pitches >= round(low)) & (pitches <= round(high))
    return allowed


def _onset_peaks(onsets: Floats, frames: Floats, threshold: float) -> list[tuple[int, int]]:
    """(frame, column) of every peak of the onsets, or of a sudden rise of the frames; the latest first."""
    rise = np.zeros_like(frames)
    if len(frames) > _RISE:
        steps = [frames[_RISE:] - frames[_RISE - n : len(frames) - n] for n in range(1, _RISE + 1)]
        rise[_RISE:] = np.maximum(np.min(steps, axis=0), 0)
    if rise.max(initial=0) > 0:
        rise *= onsets.max() / rise.max()
    both = np.maximum(onsets, rise)
    middle = both[1:-1]
    peak = (middle > both[:-2]) & (middle > both[2:]) & (middle >= threshold)
    return [(int(t) + 1, int(column)) for t, column in np.argwhere(peak)[::-1]]


class _Search:
    """Takes notes out of the frames' energy until none is left."""

    def __init__(self, frames: Floats, threshold: float, shortest: int) -> None:
        self.left = frames.copy()
        self.threshold, self.shortest = threshold, shortest
        self.found: list[tuple[int, int, int]] = []  # first frame, frame after the last, column

    def run(self, onsets: list[tuple[int, int]], without_onset: bool) -> list[tuple[int, int, int]]:
        """All notes: those that begin at an onset, then the rest."""
        for start, column in onsets:
            if start < len(self.left) - 1:
                self._keep(start, self._reach(start, column, 1), column)
        if without_onset:
            for middle, column in self._strongest():
                if self.left[middle, column] > self.threshold:
                    self._around(middle, column)
        return self.found

    def _reach(self, start: int, column: int, step: int) -> int:
        """The frame at which a note that sounds at `start` ends, or after which it began, looking on by `step`."""
        edge = len(self.left) - 1 if step > 0 else 0
        quiet, at = 0, start + step
        while at * step < edge * step and quiet < _GAP:
            quiet = quiet + 1 if self.left[at, column] < self.threshold else 0
            at += step
        return at - step * quiet

    def _strongest(self) -> list[tuple[int, int]]:
        """Cells above the threshold, strongest first; energy is only ever taken away, so the order stays right."""
        cells = np.argwhere(self.left > self.threshold)
        order = np.argsort(-self.left[cells[:, 0], cells[:, 1]], kind="stable")
        return [(int(t), int(column)) for t, column in cells[order]]

    def _around(self, middle: int, column: int) -> None:
        stop, start = self._reach(middle, column, 1), self._reach(middle, column, -1)
        # what was looked at is used up, whether or not it makes a note
        if not self._keep(start + 1, stop - 1, column):
            self._take(start, stop, column)
            self.left[middle, column] = 0

    def _keep(self, start: int, stop: int, column: int) -> bool:
        if stop - start <= self.shortest:
            return False
        self._take(start, stop, column)
        self.found.append((start, stop, column))
        return True

    def _take(self, start: int, stop: int, column: int) -> None:
        """Take a note's energy, and the leak of it into both neighbours."""
        self.left[start:stop, max(column - 1, 0) : column + 2] = 0


def _bends(contours: npt.NDArray[np.float32], column: int) -> tuple[int, ...]:
    """Where the contour is strongest near the note's pitch, for each frame."""
    centre = column * BINS_PER_SEMITONE + BINS_PER_SEMITONE // 2
    bins = np.arange(max(centre - _BEND_REACH, 0), min(centre + _BEND_REACH + 1, contours.shape[1]))
    trust = np.exp(-0.5 * ((bins - centre) / _BEND_WIDTH) ** 2)
    return tuple(int(b) for b in bins[np.argmax(contours[:, bins] * trust, axis=1)] - centre)
