"""One attempt at one step of one take of one caller: its prompt, its state, and what it may write next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from midigpt_core.constraints.attribute_limits import Push
from midigpt_core.constraints.masks import (
    LEADS_TO_NOTE,
    Allowed,
    Bias,
    Constraint,
    Cursor,
    Scheduled,
    defining,
    token_mask,
)
from midigpt_core.sampling.draw import SamplingParameters
from midigpt_core.tokens.grammar import Grammar
from midigpt_core.tokens.types import TokenType

DICE = 64  # random numbers fetched at once


@dataclass(frozen=True)
class Prompt:
    """What the model reads before it writes."""

    tokens: tuple[int, ...]
    hidden_spans: tuple[tuple[int, int], ...] = ()  # [start, end) positions nobody may listen to
    masking: str = "attention"


@dataclass
class Lane:
    """One attempt being written."""

    prompt: Prompt
    grammar: Grammar  # primed with the prompt
    drums: Sequence[bool]  # per cell: whether it belongs to a drum track
    constraints: Sequence[Constraint] = ()
    parameters: SamplingParameters = field(default_factory=SamplingParameters)
    drum_parameters: SamplingParameters | None = None  # in cells of drum tracks, where they differ
    seed: int = 0
    limit: int = 1 << 30  # tokens it may write
    uncontrolled: Prompt | None = None  # the same prompt without the caller's control tokens, for guidance
    guidance: float = 1.0
    on_cell: Callable[[Lane], None] | None = None  # called after each finished bar
    on_yield: Callable[[str, int], None] | None = None  # called with a constraint's name where it had to give way
    cancelled: Callable[[], bool] = bool  # polled once per token

    written: list[int] = field(default_factory=list)
    logprob: float = 0.0  # of everything written, under the model alone
    cursor: Cursor = field(default_factory=Cursor)
    done: bool = False
    truncated: bool = False  # ran out of room before the last bar was finished
    stopped: bool = False  # cancelled by its caller
    error: BaseException | None = None

    parameters_here: SamplingParameters = field(init=False)  # the settings for the cell that is being written
    _drum: bool = field(init=False)  # whether that is of a drum track
    _dice: list[float] = field(default_factory=list, repr=False)  # the next random numbers, the first one last

    def __post_init__(self) -> None:
        self._random = np.random.Generator(np.random.PCG64(self.seed))
        self._narrowing, self._biasing, self._following = (
            defining(self.constraints, method) for method in ("allow", "bias", "advance")
        )
        self._enter_cell()

    def _enter_cell(self) -> None:
        self._drum = self.drums[min(self.cursor.cell, len(self.drums) - 1)]
        self.parameters_here = (
            self.drum_parameters if self._drum and self.drum_parameters is not None else self.parameters
        )

    def uniform(self) -> float:
        """The lane's own next random number in [0, 1)."""
        if not self._dice:
            self._dice = self._random.random(DICE)[::-1].tolist()
        return self._dice.pop()

    def allowed(self) -> Allowed:
        """Tokens that are legal and wanted, not to be changed; a constraint that would leave none is set aside here."""
        allowed = self.grammar.legal()
        found = [(each, mask) for each in self._narrowing if (mask := each.allow(self.cursor)) is not None]
        return self._narrowed(allowed, found) if found else allowed

    def _narrowed(self, allowed: Allowed, found: Sequence[tuple[Constraint, Allowed]]) -> Allowed:
        masks = [(constraint.name, mask) for constraint, mask in found if not isinstance(constraint, Push)]
        pushes = [(constraint.name, mask) for constraint, mask in found if isinstance(constraint, Push)]
        for name, mask in [*masks, *self._no_way_on(masks), *pushes]:
            both = allowed & mask
            if not both.any():
                both = allowed & self._second_choice(name)
                if name and self.on_yield:
                    self.on_yield(name, len(self.written))
            allowed = both if both.any() else allowed
        return allowed

    def bias(self, logprobs: Bias) -> Bias | None:
        """What the constraints together add to the model's log-probabilities."""
        together: Bias | None = None
        for constraint in self._biasing:
            bias = constraint.bias(self.cursor, logprobs)
            if bias is not None:
                together = bias if together is None else together + bias
        return together

    def _second_choice(self, name: str) -> Allowed | bool:
        """What a schedule asks for where the note it wants next may not be written; else anything."""
        schedules = (each for each in self.constraints if isinstance(each, Scheduled))
        schedule = next((each for each in schedules if each.name == name), None)
        second = None if schedule is None else schedule.otherwise(self.cursor)
        return True if second is None else second

    def _no_way_on(self, masks: Sequence[tuple[str, Allowed]]) -> list[tuple[str, Allowed]]:
        """Where no wanted pitch is left at this position, nothing that only leads to a note is wanted either."""
        if not masks or self.cursor.pitch >= 0:
            return []
        vocabulary = self.grammar.vocabulary
        first, end = vocabulary.range(TokenType.NOTE_ONSET)
        pitches = np.logical_and.reduce([mask[first + self.cursor.last_pitch + 1 : end] for _, mask in masks])
        return [] if pitches.any() else [("", ~token_mask(vocabulary, *LEADS_TO_NOTE))]

    def accept(self, token: int, logprob: float) -> None:
        """Follow one drawn token."""
        vocabulary, cursor, grammar = self.grammar.vocabulary, self.cursor, self.grammar
        kind, value, cell = vocabulary.types[token], vocabulary.values[token], cursor.cell
        self.written.append(token)
        self.logprob += logprob
        grammar.advance(token)
        cursor.advance(kind, value, self._drum)
        for constraint in self._following:
            constraint.advance(kind, value, cursor)
        if cursor.cell > cell:
            self._enter_cell()
            if self.on_cell:
                self.on_cell(self)
        if grammar.finished:
            self.done = True
        elif len(self.written) >= self.limit:
            self.done = self.truncated = True
