"""The control that says which pitches may be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any

import numpy as np

from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.masks import AllowedTokens, Constraint, TokenBias, token_mask
from midigpt_core.fields import read, refused, setting
from midigpt_core.music import SCALES
from midigpt_core.score import Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType


@dataclass(frozen=True)
class PitchShape:
    """Which pitches are likelier."""

    type: str = setting(MISSING, "uniform or normal", choices=("uniform", "normal"))
    min: float = setting(0, "lowest pitch of a uniform shape", 0, 127)
    max: float = setting(127, "highest pitch of a uniform shape", 0, 127)
    mean: float = setting(60, "likeliest pitch of a normal shape", 0, 127)
    std: float = setting(12, "standard deviation of a normal shape, in semitones", 0, 127)


@dataclass(frozen=True)
class PitchMaskValue:
    """The keys of a pitch mask."""

    pitches: list[int] = setting([], "MIDI pitches", 0, 127)
    scale: str = setting("", "a scale by name", choices=tuple(SCALES))
    root: int = setting(0, "pitch class on which the scale is built", 0, 11)
    pitch_classes: list[int] = setting([], "0 for C to 11 for B", 0, 11)
    range: list[int] = setting([], "lowest and highest pitch", 0, 127)
    shape: PitchShape = field(default_factory=lambda: PitchShape("uniform"))


class PitchMask:
    """{"pitches": [...]} or {"scale": "major", "root": 0} or {"pitch_classes": [...]}, and {"range": [low, high]};
    softly, {"shape": {"type": "normal", "mean": 60, "std": 12}} or {"type": "uniform", "min": 48, "max": 72}."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        read(PitchMaskValue, value, where)
        sources = [key for key in ("pitches", "scale", "pitch_classes") if key in value]
        if len(sources) > 1:
            raise refused(where, sources, "set the same thing twice", "keep one of them")
        if "range" in value and (len(value["range"]) != 2 or value["range"][0] > value["range"][1]):
            raise refused(
                f"{where}.range", value["range"], "is not [lowest, highest]", "give two pitches, the lower first"
            )
        if not self.pitches(value):
            raise refused(where, value, "leaves no pitch", "widen it")

    def pitches(self, value: Mapping[str, Any]) -> set[int]:
        """The allowed MIDI pitches."""
        low, high = value.get("range", (0, 127))
        if "pitches" in value:
            wanted = set(value["pitches"])
        else:
            classes = set(value.get("pitch_classes", range(12)))
            if "scale" in value:
                classes = {(value.get("root", 0) + step) % 12 for step in SCALES[value["scale"]]}
            wanted = {pitch for pitch in range(128) if pitch % 12 in classes}
        shape = value.get("shape", {})
        if shape.get("type") == "uniform":
            low, high = max(low, shape.get("min", 0)), min(high, shape.get("max", 127))
        return {pitch for pitch in wanted if low <= pitch <= high}

    def _bias(self, shape: Mapping[str, Any], pitch: int) -> float:
        """What to add to the logit of a pitch; the pitches outside a uniform shape are not among `pitches`."""
        if shape["type"] == "uniform":
            return 0.0
        return float(-0.5 * ((pitch - shape.get("mean", 60.0)) / (shape.get("std", 12.0) or 1e-6)) ** 2)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        start, end = scene.vocabulary.range(TokenType.NOTE_ONSET)
        pinned, biased = {}, {}
        for cell, value in values.items():
            allowed = ~token_mask(scene.vocabulary, TokenType.NOTE_ONSET)
            allowed[[start + pitch for pitch in self.pitches(value) if start + pitch < end]] = True
            pinned[cell] = allowed
            if "shape" in value:
                bias = np.zeros(scene.vocabulary.size, dtype=np.float32)
                bias[start:end] = [self._bias(value["shape"], pitch) for pitch in range(end - start)]
                biased[cell] = bias
        return [AllowedTokens(pinned), *([TokenBias(biased, "pitch_mask.shape")] if biased else [])]
