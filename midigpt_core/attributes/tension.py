"""Tension: an attribute whose value only a caller can give; it is carried, not measured."""

from __future__ import annotations

from midigpt_core.attributes.base import Attribute
from midigpt_core.errors import TokenError
from midigpt_core.score import Score


class Tension(Attribute):
    """Harmonic tension of a bar, 0 to 9."""

    name = "tension"
    title = "Harmonic tension"
    token_type = "Tension"
    level = "bar"
    track_type = "melodic"
    size = 10
    measured = False

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        where = f"track {track}" if bar is None else f"track {track}, bar {bar}"
        raise TokenError(
            f"{self.name} of {where} (from 0): notes alone do not tell it; give a level of 0 to {self.size - 1} in the "
            "request's bar_attributes"
        )


class TensionDrum(Tension):
    """Rhythmic tension of a bar of drums, 0 to 9."""

    name = "tension_drum"
    title = "Rhythmic tension"
    token_type = "TensionDrum"
    track_type = "drum"
