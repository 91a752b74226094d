"""The control that says which pitches may be written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from midigpt_core.constraints.control import Scene, check_integers, check_object
from midigpt_core.constraints.masks import AllowedTokens, Constraint, TokenBias, token_mask
from midigpt_core.fields import nearest, refused
from midigpt_core.music import SCALES
from midigpt_core.score import Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType


class PitchMask:
    """{"pitches": [...]} or {"scale": "major", "root": 0} or {"pitch_classes": [...]}, and {"range": [low, high]};
    softly, {"shape": {"type": "normal", "mean": 60, "std": 12}} or {"type": "uniform", "min": 48, "max": 72}."""

    KEYS = ("pitches", "scale", "root", "pitch_classes", "range", "shape")

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        check_object(value, where, self.KEYS)
        if "scale" in value and str(value["scale"]) not in SCALES:
            raise refused(
                f"{where}.scale", value["scale"], "is not a known scale", nearest(str(value["scale"]), SCALES)
            )
        sources = [key for key in ("pitches", "scale", "pitch_classes") if key in value]
        if len(sources) > 1:
            raise refused(where, sources, "set the same thing twice", "keep one of them")
        for key, top in (("pitches", 127), ("pitch_classes", 11), ("range", 127)):
            check_integers(value.get(key, []), f"{where}.{key}", 0, top)
        if "range" in value and (len(value["range"]) != 2 or value["range"][0] > value["range"][1]):
            raise refused(
                f"{where}.range", value["range"], "is not [lowest, highest]", "give two pitches, the lower first"
            )
        check_integers([value.get("root", 0)], f"{where}.root", 0, 11)
        if "shape" in value:
            self._check_shape(value["shape"], f"{where}.shape")
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

    def _check_shape(self, shape: Any, where: str) -> None:
        check_object(shape, where, ("type", "min", "max", "mean", "std"))
        if shape.get("type") not in ("uniform", "normal"):
            raise refused(f"{where}.type", shape.get("type"), "is not a known shape", "use uniform or normal")
        for key in ("min", "max", "mean", "std"):
            number = shape.get(key, 0)
            if not isinstance(number, (int, float)) or not math.isfinite(number):
                raise refused(f"{where}.{key}", number, "is not a number", "give one, in semitones")

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
