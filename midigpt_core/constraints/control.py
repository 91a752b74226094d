"""What every control of a track is: a check of its value, and constraints for the bars that have one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from midigpt_core.constraints.masks import Allowed, Constraint
from midigpt_core.fields import Door, nearest, refused, rows_of
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Bar, Track
from midigpt_core.tokens.config import EncoderConfig
from midigpt_core.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class Scene:
    """What a step is about, for the controls that look at it."""

    vocabulary: Vocabulary
    bars: tuple[Bar, ...]  # the target bars as they were, on the grid, in the order they are written
    seed: int
    within: Mapping[int, Allowed] = field(default_factory=dict)  # by cell, the tokens that a pitch mask leaves


class DecodeControl(Protocol):
    """One control of TrackPrompt.controls."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        """Raise RequestValidationError for a value that cannot be obeyed."""

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        """The constraints for a step; `values` holds the control's value for each cell that has one."""


class Limit:
    """A setting of the same name, for these bars alone: a whole number, 0 for none."""

    def __init__(self, setting: str) -> None:
        self.setting = setting

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        rows_of(InferenceConfig)[self.setting].read(value, where, Door())

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        return []  # the grammar holds them, or the rule of the setting


def check_object(value: Any, where: str, keys: tuple[str, ...]) -> None:
    if not isinstance(value, dict):
        raise refused(where, value, "is not an object", f"give keys of {', '.join(keys)}")
    for key in value:
        if key not in keys:
            raise refused(f"{where}.{key}", None, "is not a known key", nearest(str(key), keys))


def check_integers(values: Any, where: str, low: int, high: int) -> None:
    whole = isinstance(values, list) and all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    if not whole or any(not low <= v <= high for v in values):
        raise refused(where, values, "is out of range", f"use integers from {low} to {high}")
