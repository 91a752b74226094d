"""What a caller may ask for: which bars to write, with which attributes, controls and settings."""

from __future__ import annotations

import dataclasses
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from midigpt_core.fields import read, setting, suggesting
from midigpt_core.inference_config import AUTO, FORM_ONLY, PASSES, InferenceConfig

__all__ = ["AUTO", "PASSES", "SEAMS", "GenerationRequest", "InferenceConfig", "LoopRequest", "TrackPrompt"]
SEAMS = ("cut", "wrap")


@suggesting
@dataclass(frozen=True)
class TrackPrompt:
    """What to do with one track. Tracks and bars count from 0."""

    id: int = field(metadata={"help": "track index in the score"})
    bars: list[int] = setting(
        [],
        "bars to write; JSON also accepts text such as 4-8, which counts from 1",
        spoken=True,
        label="Bars to write",
    )
    autoregressive: bool = setting(
        False, "continue the track bar by bar instead of filling in", label="Continue bar by bar"
    )
    ignore: bool = setting(False, "hide the track from the model", label="Hide the track")
    mask_bars: list[int] = setting([], "bars to hide from the model, none of them also in bars", label="Bars to hide")
    attributes: dict[str, int] = setting({}, "attribute values for the whole track, by name", label="Attributes")
    controls: dict[str, Any] = setting({}, "controls for all written bars, by name", label="Controls")
    bar_attributes: dict[int, dict[str, int]] = setting(
        {}, "attribute values for single bars, by bar", label="Attributes of single bars"
    )
    bar_controls: dict[int, dict[str, Any]] = setting(
        {}, "controls for single bars, by bar and name; they replace the track's", label="Controls of single bars"
    )

    @property
    def asks(self) -> bool:
        """Whether anything is asked of the track; else it is context, or left out."""
        anything = self.bars or self.autoregressive or self.mask_bars or self.attributes or self.controls
        return bool(anything or self.bar_attributes or self.bar_controls)

    def controls_in(self, bar: int) -> dict[str, Any]:
        """The controls that hold in a bar."""
        own = self.bar_controls.get(bar)
        return {**self.controls, **own} if own else self.controls

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = "tracks[]") -> TrackPrompt:
        """Read the JSON form (bar keys may be strings). Raises RequestValidationError."""
        return read(cls, data, where, FORM_ONLY)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {name: _copied(getattr(self, name)) for name in _PROMPT_KEYS}


_PROMPT_KEYS = tuple(each.name for each in dataclasses.fields(TrackPrompt))


def _copied(value: Any) -> Any:
    """A copy; most values are numbers or empty, and there may be one set for each of 65,535 tracks."""
    return deepcopy(value) if value else type(value)()


@suggesting
@dataclass(frozen=True)
class GenerationRequest:
    """What to write: a prompt per track, and the settings they share."""

    tracks: list[TrackPrompt] = field(metadata={"help": "one per track of the score, in any order"})
    config: InferenceConfig = field(default_factory=InferenceConfig, metadata={"help": "settings shared by all tracks"})
    controls: dict[str, Any] = setting(
        {}, "settings for the whole piece: velocity, microtiming (true or false), genre", label="Controls"
    )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> GenerationRequest:
        """Read the JSON form. Raises RequestValidationError naming the field, the value and the remedy."""
        return read(cls, data, "", FORM_ONLY)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; `from_dict` is its inverse."""
        return {
            "tracks": [track.to_dict() for track in self.tracks],
            "config": self.config.to_dict(),
            "controls": dict(self.controls),
        }


@suggesting
@dataclass(frozen=True)
class LoopRequest:
    """Which bars to loop and what to write in them. Tracks and bars count from 0."""

    first: int  # first bar of the loop
    end: int  # one past its last bar
    tracks: tuple[int, ...]  # tracks to write; the others loop as they are
    variations: int = setting(4, "how many variations", 1, 20, label="Variations")
    seam: str = setting(
        "cut",
        "notes held over the seam end there (cut) or ring on at the start (wrap)",
        choices=SEAMS,
        label="Notes held over the seam",
    )
    bpm: float | None = setting(None, "quarter notes per minute (default: the song's)", 40, 300, label="Tempo")
    config: InferenceConfig = field(default_factory=InferenceConfig)  # seed, temperature, checks, ...; takes are ours
    prompts: dict[int, TrackPrompt] = field(
        default_factory=dict
    )  # controls by track; bars in them are those of the loop
