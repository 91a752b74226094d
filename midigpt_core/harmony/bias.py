"""Rather the pitches that fit what the other tracks play, those that the lane has just written included.

A small network hears pitches well and which of them sound together badly. This rule tells it, for each note that may
begin, what sounds in the other melodic tracks at that moment and soon after (`midigpt_core/harmony/pitches.py`).
How likely a note is to come at all stays as it was. Strength multiplies the coefficients; 0 is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from midigpt_core.constraints.masks import DURATION, Bias, Constraint, Cursor
from midigpt_core.harmony.band import Band, Roll
from midigpt_core.harmony.pitches import WEIGHTS, PitchScores, pitch_bias, pitch_scores
from midigpt_core.plan.steps import Cell
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class KnownBand:
    """What all lanes of a step share: the band, and the scores of pitches against it, computed where first asked."""

    band: Band
    strength: float
    scores: dict[int, dict[int, PitchScores]] = field(default_factory=dict)  # by cell and tick of its bar


@dataclass
class Harmony(Constraint):
    """What the other tracks speak for, as a bias on pitches."""

    vocabulary: Vocabulary
    known: KnownBand
    cells: Mapping[int, Cell]  # melodic cells whose pitches are free
    weights: Mapping[str, float] = field(default_factory=lambda: WEIGHTS)
    listening: bool = True  # whether notes of this lane sound for its later cells: several tracks are written
    name: str = "harmony"
    _cell: int = -1  # the cell at hand
    _scores: dict[int, PitchScores] | None = field(default=None, repr=False)  # by tick; None: the cell is not ours
    _others: Roll | None = field(default=None, repr=False)  # what sounds beside the cell, from its first tick
    _written: dict[int, Roll] = field(default_factory=dict, repr=False)  # by track, what this lane wrote

    def __post_init__(self) -> None:
        first, _ = self.vocabulary.range(TokenType.NOTE_ONSET)
        self._weights = self.known.strength * np.array(list(self.weights.values()))
        self._bias = pitch_bias(first, self.vocabulary.size)

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        """See the module; valid until the next call."""
        if at.pitch >= 0:
            return None
        if at.cell != self._cell:
            self._open(at.cell)
        if self._scores is None:
            return None
        if at.tick not in self._scores:
            self._scores[at.tick] = pitch_scores(*self.sounding(at), self._weights)
        return self._bias.of(logprobs, self._scores[at.tick])

    def sounding(self, at: Cursor) -> tuple[Roll, bool]:
        """What the other tracks play during the quarter note that begins where the lane stands, and whether that is
        on a beat; in a cell of the constraint's."""
        if at.cell != self._cell:
            self._open(at.cell)
        assert self._others is not None
        beat = self.known.band.beat
        tick = min(at.tick, len(self._others) - 1)
        return self._others[tick : tick + beat], at.tick % beat == 0

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if not self.listening or kind is not DURATION or at.cell not in self.cells:
            return
        track, bar = self.cells[at.cell]
        if track not in self._written:
            self._written[track] = np.zeros_like(self.known.band.others[track])
        tick = self.known.band.starts[bar] + at.tick
        self._written[track][tick : tick + value + 1, at.last_pitch] += 1

    def _open(self, cell: int) -> None:
        """Take up what sounds beside a cell; lanes that wrote nothing beside it share its scores."""
        self._cell, self._scores = cell, None
        if cell not in self.cells:
            return
        track, bar = self.cells[cell]
        start = self.known.band.starts[bar]
        beside = [roll[start:] for other, roll in self._written.items() if other != track]
        self._others = sum(beside, self.known.band.others[track][start:])
        self._scores = {} if beside else self.known.scores.setdefault(cell, {})
