"""Controls of the melodic line: motion, contour, and what is kept of the old bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi, sin
from typing import Any

import numpy as np

from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.line import KINDS, Contour, Motion, Sketch, line_of
from midigpt_core.constraints.masks import AllowedTokens, Constraint, token_mask
from midigpt_core.fields import read, reader, refused, setting
from midigpt_core.score import DRUM, Bar, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType

CONTOURS: Mapping[str, Callable[[float], float]] = {  # how high, 0 to 1, by how far through the bars, 0 to 1
    "up": lambda x: x,
    "down": lambda x: 1.0 - x,
    "arch": lambda x: sin(pi * x),
    "dip": lambda x: 1.0 - sin(pi * x),
}
NARROWEST, WIDEST = 10.0, 16.0  # semitones of a contour


def check_melodic(where: str, value: Any, track: Track) -> None:
    """Refuse what has no meaning for drums."""
    if track.track_type == DRUM:
        raise refused(where, value, "is for melodic tracks, this one plays drums", "drop it")


@dataclass(frozen=True)
class MotionShares:
    """The shares of the line's movements; they add up to 1 at most."""

    steps: float = setting(0, "share of steps, up to 2 semitones", 0, 1)
    leaps: float = setting(0, "share of leaps", 0, 1)
    repeats: float = setting(0, "share of repeated pitches", 0, 1)


_CONTOUR = reader(str, choices=tuple(CONTOURS))
_SWITCH = reader(bool)


class MotionControl:
    """{"steps": 0.6, "leaps": 0.2, "repeats": 0.2}: the share of each in the line (steps: up to 2 semitones); the model
    chooses those left out."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        read(MotionShares, value, where)
        check_melodic(where, value, track)
        if not value or sum(value.values()) > 1.0 + 1e-9:
            raise refused(where, value, "are not shares of one whole", "use shares that add up to 1 at most")
        if len(value) == len(KINDS) and sum(value.values()) < 1.0 - 1e-9:
            raise refused(where, value, "do not add up to 1", "leave one out, or raise them")

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        return [Motion(scene.vocabulary, scene.tracks_of(values), shares=values, seed=scene.seed)]


class ContourControl:
    """up, down, arch or dip: the shape of the line over its bars."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _CONTOUR(value, where)
        check_melodic(where, value, track)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        curves = {}
        for cell, value in values.items():
            done, of = scene.run(cell, "contour")
            low, high = self._range(scene, cell)
            ticks = scene.bars[cell].ticks(scene.vocabulary.config.resolution)
            places = (np.arange(ticks) / ticks + done) / of
            curves[cell] = [low + (high - low) * CONTOURS[value](float(x)) for x in places]
        return [Contour(scene.vocabulary, scene.tracks_of(values), curves=curves)]

    def _range(self, scene: Scene, cell: int) -> tuple[float, float]:
        """Where the line runs: the middle of what its track plays elsewhere, or played here."""
        kept = [pitch for bar in scene.kept(cell) for _, pitch in _line(bar)]
        pitches = kept or [pitch for bar in scene.bars for _, pitch in _line(bar)] or [60]
        low, high = np.quantile(pitches, 0.1), np.quantile(pitches, 0.9)
        middle, width = (low + high) / 2, min(WIDEST, max(NARROWEST, high - low))
        return float(middle - width / 2), float(middle + width / 2)


class KeepRange:
    """true: stay within the pitch range of the old bar."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _SWITCH(value, where)
        check_melodic(where, value, track)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        start, end = scene.vocabulary.range(TokenType.NOTE_ONSET)
        pinned = {}
        for cell, value in values.items():
            pitches = [note.pitch for note in scene.bars[cell].notes]
            if value and pitches:
                allowed = ~token_mask(scene.vocabulary, TokenType.NOTE_ONSET)
                allowed[start + min(pitches) : min(start + max(pitches) + 1, end)] = True
                pinned[cell] = allowed
        return [AllowedTokens(pinned, "keep_range")] if pinned else []


class KeepContour:
    """true: rise and fall where the old bar did, with other notes."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _SWITCH(value, where)
        check_melodic(where, value, track)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        old = {cell: _line(scene.bars[cell]) for cell, value in values.items() if value and scene.bars[cell].notes}
        return [Sketch(scene.vocabulary, scene.tracks_of(old), old=old)] if old else []


def _line(bar: Bar) -> list[tuple[int, int]]:
    return line_of([(note.onset_ticks, note.pitch) for note in bar.notes])
