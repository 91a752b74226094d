"""What every control of a track is: a check of its value, and constraints for the bars that have one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from midigpt_core.constraints.masks import Allowed, Constraint
from midigpt_core.fields import Door, rows_of
from midigpt_core.plan.steps import Cell
from midigpt_core.request import InferenceConfig, TrackPrompt
from midigpt_core.score import Bar, Score, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class Scene:
    """What a step is about, for the controls that look at it."""

    vocabulary: Vocabulary
    bars: tuple[Bar, ...]  # the target bars as they were, on the grid, in the order they are written
    seed: int
    cells: tuple[Cell, ...] = ()  # (track, bar) of the score, in the same order
    prompts: Mapping[int, TrackPrompt] = field(default_factory=dict)  # by track
    staying: Mapping[int, Sequence[Bar]] = field(default_factory=dict)  # by track, the window's bars that stay
    score: Score | None = None  # as it is before the step, in its own resolution
    within: Mapping[int, Allowed] = field(default_factory=dict)  # by cell, the tokens that a pitch mask leaves

    def tracks_of(self, cells: Iterable[int]) -> dict[int, int]:
        """The track of each of these cells."""
        return {cell: self.cells[cell][0] for cell in cells}

    def kept(self, cell: int) -> Sequence[Bar]:
        """The bars of a cell's track that stay, as far as the window goes."""
        return self.staying.get(self.cells[cell][0], ())

    def before(self, cell: int, bars: int) -> bool:
        """Whether the cell so many places before is that many bars before it in the same track."""
        track, bar = self.cells[cell]
        return bars <= cell and self.cells[cell - bars] == (track, bar - bars)

    def run(self, cell: int, control: str) -> tuple[int, int]:
        """Which bar a cell is, from 0, of how many in a row that are written with the same value of a control."""
        track, bar = self.cells[cell]
        prompt = self.prompts[track]
        value = prompt.controls_in(bar).get(control)
        alike = {b for b in prompt.bars or range(bar, bar + 1) if prompt.controls_in(b).get(control) == value}
        first = last = bar
        while first - 1 in alike:
            first -= 1
        while last + 1 in alike:
            last += 1
        return bar - first, last - first + 1


class DecodeControl(Protocol):
    """One control of TrackPrompt.controls."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        """Raise RequestValidationError for a value that cannot be obeyed."""

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        """The constraints for a step; `values` holds the control's value for each cell that has one."""


class Limit:
    """The setting of the same name, for these bars only: a whole number, 0 for none."""

    def __init__(self, setting: str) -> None:
        self.setting = setting

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        rows_of(InferenceConfig)[self.setting].read(value, where, Door())

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        return []  # the grammar holds them, or the rule of the setting
