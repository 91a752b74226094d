"""The line of a track, which is its lowest note at each onset: motion, contour, the contour of the old bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from midigpt_core.constraints.masks import PITCH, Allowed, Bias, Constraint, Cursor
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

KINDS = ("repeats", "steps", "leaps")
STEP = 2  # semitones of a step at most
BLOCK = 5  # intervals over which shares are met
NEAR = 1.2  # semitones, standard deviation around a contour
SKETCH = 4.0  # the same around the old line
AGAIN = -1.5  # added to the logit of a note that stood there

Pitches = npt.NDArray[np.int64]


def kind_of(interval: int) -> str:
    """Repeat, step or leap, in the words of KINDS."""
    return KINDS[0] if interval == 0 else KINDS[1] if abs(interval) <= STEP else KINDS[2]


@dataclass
class Line(Constraint):
    """A constraint on the line, track by track."""

    vocabulary: Vocabulary
    tracks: Mapping[int, int]  # cell -> its track, for the cells that are constrained
    _last: dict[int, tuple[int, int, int]] = field(default_factory=dict, repr=False)  # track -> cell, tick, pitch

    def begins(self, at: Cursor) -> bool:
        """Whether the next note is of the line."""
        return at.cell in self.tracks and at.pitch < 0 and at.slot == 0

    def last(self, at: Cursor) -> tuple[int, int, int] | None:
        """(cell, tick, pitch) of the note of the line before."""
        return self._last.get(self.tracks[at.cell])

    def among_pitches(self, wanted: npt.NDArray[np.bool_]) -> Allowed:
        """All tokens, but of the pitches those wanted; `wanted`: (pitches,)."""
        allowed = np.ones(self.vocabulary.size, dtype=np.bool_)
        start, end = self.vocabulary.range(TokenType.NOTE_ONSET)
        allowed[start:end] = wanted
        return allowed

    def pitches(self) -> Pitches:
        """The pitches of the vocabulary."""
        start, end = self.vocabulary.range(TokenType.NOTE_ONSET)
        return np.arange(end - start)

    def around(self, pitch: float, width: float) -> Bias:
        """A bias towards a pitch."""
        bias = np.zeros(self.vocabulary.size, dtype=np.float32)
        start, end = self.vocabulary.range(TokenType.NOTE_ONSET)
        bias[start:end] = -0.5 * ((self.pitches() - pitch) / width) ** 2
        return bias

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH and at.slot == 1 and at.cell in self.tracks:
            self._last[self.tracks[at.cell]] = (at.cell, at.tick, value)


@dataclass
class Motion(Line):
    """So large a share of repeats, steps and leaps; what no share is said of is the model's choice."""

    shares: Mapping[int, Mapping[str, float]] = field(default_factory=dict)  # by cell
    seed: int = 0
    name: str = "motion"
    _plan: dict[int, list[str]] = field(default_factory=dict, repr=False)  # track -> the kinds to come, "" for others
    _owed: dict[int, dict[str, float]] = field(default_factory=dict, repr=False)  # track -> of each kind, from blocks

    def allow(self, at: Cursor) -> Allowed | None:
        last = self.last(at) if self.begins(at) else None
        if last is None:
            return None
        wanted, shares = self._next(self.tracks[at.cell], self.shares[at.cell]), self.shares[at.cell]
        kinds = {wanted} if wanted else {kind for kind in KINDS if kind not in shares}
        return self.among_pitches(np.array([kind_of(int(p) - last[2]) in kinds for p in self.pitches()]))

    def _next(self, track: int, shares: Mapping[str, float]) -> str:
        if not self._plan.get(track):
            owed = self._owed.setdefault(track, {})
            block: list[str] = []
            for kind, share in shares.items():
                owed[kind] = owed.get(kind, 0.0) + share * BLOCK
                count = min(round(owed[kind]), BLOCK - len(block))
                owed[kind] -= count
                block += [kind] * count
            rest = "" if len(shares) < len(KINDS) and sum(shares.values()) < 1 else max(shares, key=lambda k: shares[k])
            block += [rest] * (BLOCK - len(block))
            random = np.random.Generator(np.random.PCG64([self.seed, 2, track, self._last[track][0]]))
            self._plan[track] = [block[i] for i in random.permutation(BLOCK)]
        return self._plan[track][-1]

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH and at.slot == 1 and at.cell in self.tracks and self._plan.get(self.tracks[at.cell]):
            self._plan[self.tracks[at.cell]].pop()
        super().advance(kind, value, at)


@dataclass
class Contour(Line):
    """Rather near to a curve that runs over the bars."""

    curves: Mapping[int, Sequence[float]] = field(default_factory=dict)  # cell -> the pitch at each tick of its bar
    name: str = "contour"

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        if not self.begins(at):
            return None
        curve = self.curves[at.cell]
        return self.around(curve[min(at.tick, len(curve) - 1)], NEAR)


@dataclass
class Sketch(Line):
    """Up where the old bar went up and down where it went down, near its line, but with other notes."""

    old: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)  # cell -> (tick, pitch) of its line
    name: str = "keep_contour"

    def allow(self, at: Cursor) -> Allowed | None:
        last = self.last(at) if self.begins(at) else None
        if last is None or last[0] != at.cell:
            return None
        old = self.old[at.cell]
        rise, pitches = line_at(old, at.tick) - line_at(old, last[1]), self.pitches()
        if rise == 0:
            return self.among_pitches(abs(pitches - last[2]) <= STEP)
        return self.among_pitches(pitches > last[2] if rise > 0 else pitches < last[2])

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        if not self.begins(at):
            return None
        old, start = self.old[at.cell], self.vocabulary.range(TokenType.NOTE_ONSET)[0]
        bias = self.around(line_at(old, at.tick), SKETCH)
        for tick, pitch in old:
            if tick == at.tick:
                bias[start + pitch] += AGAIN
        return bias


def line_of(notes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The lowest note of each onset, in order of time; notes are (tick, pitch)."""
    found: dict[int, int] = {}
    for tick, pitch in notes:
        found[tick] = min(pitch, found.get(tick, pitch))
    return sorted(found.items())


def line_at(line: Sequence[tuple[int, int]], tick: int) -> int:
    """The pitch of a line at a tick: that of the last note before, or of the first."""
    return next((pitch for at, pitch in reversed(line) if at <= tick), line[0][1])
