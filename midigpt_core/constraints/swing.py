"""Swing: new bars are written straight and their offbeats then placed later, finer than the model's grid.

Anything outside the new notes stays as it is; a swung rhythm that is kept is placed by the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.masks import AllowedTokens, Constraint, token_mask
from midigpt_core.constraints.rhythm import RHYTHMS
from midigpt_core.fields import reader
from midigpt_core.score import Bar, Note, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType

FULL = 1 / 6  # of a quarter note that a full swing is late: the offbeat eighth at the triplet
SWUNG = 0.71  # how far through a quarter note an offbeat eighth may be that was swung already


@dataclass(frozen=True)
class Swing:
    """How late offbeat eighths are: 0 straight, 1 triplets."""

    amount: float

    @property
    def offbeat(self) -> float:
        """Where the offbeat eighth is, in quarter notes."""
        return 0.5 + FULL * self.amount

    def placed(self, notes: Sequence[Note], resolution: int, length: int) -> list[Note]:
        """The notes with their onsets and ends swung; length: of the bar in ticks."""
        return [self._placed(note, resolution, length) for note in notes]

    def _placed(self, note: Note, resolution: int, length: int) -> Note:
        onset = min(self._tick(note.onset_ticks, resolution), length - 1)
        end = self._tick(note.onset_ticks + note.duration_ticks, resolution)
        return replace(note, onset_ticks=onset, duration_ticks=max(1, end - onset))

    def _tick(self, tick: int, resolution: int) -> int:
        beat, place = divmod(tick / resolution, 1.0)
        if place < 0.5:
            place *= 2 * self.offbeat
        elif place <= SWUNG:
            place = self.offbeat
        else:
            place = self.offbeat + (place - 0.5) * 2 * (1 - self.offbeat)
        return round((beat + place) * resolution)


def swing_of(controls: Mapping[str, Any], bar: Bar) -> Swing | None:
    """What the controls of a bar ask for; None where they do not, or its beats are no quarter notes."""
    return Swing(float(controls["swing"])) if "swing" in controls and _in_quarters(bar) else None


_AMOUNT = reader(float, "0: straight, 1: triplets", 0, 1)


class SwingControl:
    """0 to 1: how late offbeat eighths are, from straight to triplets (0.5: 7/12 of the quarter note). The model writes
    sixteenths, which are then shifted. Bars counted in eighths, such as 6/8, do not swing."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _AMOUNT(value, where)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        resolution = scene.vocabulary.config.resolution
        if resolution % 4:
            return []
        start, end = scene.vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
        straight = ~token_mask(scene.vocabulary, TokenType.TIME_ABSOLUTE_POS)
        straight[start:end] = np.arange(end - start) % (resolution // 4) == 0
        free = [cell for cell in values if _in_quarters(scene.bars[cell]) and not _given(scene, cell)]
        return [AllowedTokens(dict.fromkeys(free, straight), "swing")] if free else []


def _given(scene: Scene, cell: int) -> bool:
    """Whether the caller says where the notes of a cell begin."""
    track, bar = scene.cells[cell]
    controls = scene.prompts[track].controls_in(bar)
    return any(controls.get(name) for name in RHYTHMS)


def _in_quarters(bar: Bar) -> bool:
    return bar.ts_denominator <= 4
