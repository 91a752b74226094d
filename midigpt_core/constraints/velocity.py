"""The control that says how loud new notes are: bounds, the track's own accents, and how much they vary."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, replace
from typing import Any

import numpy as np

from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.masks import Allowed, AllowedTokens, Constraint, token_mask
from midigpt_core.fields import read, reader, refused, setting
from midigpt_core.score import Bar, Note, Track
from midigpt_core.tokens.domains import VelocityLevels
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

OWN = "own"
SOFTEST, LOUDEST = 1, 127
RANGE = (0.05, 0.95)  # shares of a track's notes between which its own range lies
PLACES = 4  # of a quarter note, each with an accent of its own
LIVELY = 12.0  # standard deviation of velocities that are fully humanised
LOOSE = 1 / 48  # the same of onsets, in quarter notes: 10 ms at 120 bpm


@dataclass(frozen=True)
class Loudness:
    """The velocities that a bar's controls set."""

    low: int = SOFTEST
    high: int = LOUDEST
    accents: Mapping[int, float] = field(default_factory=dict)  # by place in the bar; none: as the model has it
    humanise: float = 0.0

    def applied(self, notes: Sequence[Note], resolution: int, length: int) -> list[Note]:
        """The notes as loud as that. length: of the bar in ticks. The same notes always vary in the same way."""
        key = repr([(note.pitch, note.onset_ticks, note.duration_ticks) for note in notes]).encode()
        random = np.random.Generator(np.random.PCG64(zlib.crc32(key)))
        return [self._played(note, random, resolution, length) for note in notes]

    def _played(self, note: Note, random: np.random.Generator, resolution: int, length: int) -> Note:
        louder, later = (float(each) * self.humanise for each in random.standard_normal(2))
        velocity = self.accents.get(place_of(note, resolution), float(note.velocity)) + LIVELY * louder
        onset = note.onset_ticks + round(later * LOOSE * resolution)
        return replace(
            note,
            velocity=max(self.low, min(self.high, round(velocity))),
            onset_ticks=max(0, min(length - 1, onset)) if self.humanise else note.onset_ticks,
        )


def place_of(note: Note, resolution: int) -> int:
    """The place of a note in its bar, in sixteenths."""
    return (2 * PLACES * note.onset_ticks + resolution) // (2 * resolution)


def loudness(controls: Mapping[str, Any], kept: Sequence[Bar], resolution: int) -> Loudness | None:
    """What the controls of a bar ask for; None where they do not speak of it. kept: bars of the track that stay."""
    bounds, humanise = controls.get("velocity"), float(controls.get("humanise", 0.0))
    if bounds is None and not humanise:
        return None
    if bounds != OWN:
        low, high = (bounds["low"], bounds["high"]) if bounds else (SOFTEST, LOUDEST)
        return Loudness(low, high, {}, humanise)
    notes = [note for bar in kept for note in bar.notes]
    if not notes:
        return Loudness(humanise=humanise)
    low, high = (int(each) for each in np.quantile([note.velocity for note in notes], RANGE))
    by_place: dict[int, list[int]] = {}
    for note in notes:
        by_place.setdefault(place_of(note, resolution), []).append(note.velocity)
    return Loudness(max(low, 1), max(high, 1), {at: float(np.mean(all)) for at, all in by_place.items()}, humanise)


@dataclass(frozen=True)
class VelocityRange:
    """The velocities that new notes may have."""

    low: int = setting(MISSING, "the softest velocity", SOFTEST, LOUDEST)
    high: int = setting(MISSING, "the loudest velocity", SOFTEST, LOUDEST)


_AMOUNT = reader(float, "0: not at all, 1: fully", 0, 1)


class VelocityControl:
    """{"low": 40, "high": 90}: no note is softer or louder; "own": as loud as elsewhere in the track at this place
    in the bar."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        if value == OWN:
            return
        if isinstance(value, str):
            raise refused(where, value, "is not known", f"use {OWN!r}, or an object with low and high")
        read(VelocityRange, value, where)
        if value["low"] > value["high"]:
            raise refused(where, value, "begins above its end", "give the softer one as low")

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        if not scene.vocabulary.has(TokenType.VELOCITY_LEVEL):
            return []
        pinned = {}
        for cell, value in values.items():
            bounds = loudness({"velocity": value}, scene.kept(cell), scene.vocabulary.config.resolution)
            if bounds is not None:
                pinned[cell] = _levels(scene.vocabulary, bounds)
        return [AllowedTokens(pinned, "velocity")]


class Humanise:
    """0 to 1: how much velocities and onsets vary; at 1 their standard deviations are 12 and 10 ms (at 120 bpm)."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _AMOUNT(value, where)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        return []  # below the model's grid: done once the notes are known


def _levels(vocabulary: Vocabulary, bounds: Loudness) -> Allowed:
    """All tokens, but of the levels of velocity those that reach into the range."""
    start, end = vocabulary.range(TokenType.VELOCITY_LEVEL)
    levels = VelocityLevels(end - start)
    allowed = ~token_mask(vocabulary, TokenType.VELOCITY_LEVEL)
    allowed[[start + levels.encode(velocity) for velocity in range(bounds.low, bounds.high + 1)]] = True
    return allowed
