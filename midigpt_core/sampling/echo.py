"""Say again what the piece has said: bars of it, as experts that the model is mixed with.

More than half of the bars of real music stand elsewhere in the same track. Each bar that stays is an expert that
expects itself, token by token, with a slip now and then; its prior weight says how likely the bar to be written is to
repeat it (`midigpt_core/likeness.py`). What is drawn is the mixture of the model (weight 1) and the experts. After
every token each one's weight is multiplied by how well it foresaw the token, so that a bar that is not repeating
anything is soon the model's alone. Strength multiplies the experts' prior weights; 0 is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from midigpt_core.sampling.rules import Allowed, Cursor, Lean
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

SLIP = 0.12  # probability that a repeating bar departs from its source at a token; then the model chooses
MEMORY = 0.92  # how far weights persist from token to token; the rest returns to the prior
LEFT, LEFT_KNOWN = 2.6, -0.9  # log weight of what stands before source and target: equal share, and being known
END = -1  # stands for whichever token ends a bar

NOTE_TOKENS = frozenset(
    {
        TokenType.TIME_ABSOLUTE_POS,
        TokenType.VELOCITY_LEVEL,
        TokenType.NOTE_ONSET,
        TokenType.NOTE_PITCH,
        TokenType.NOTE_DURATION,
        TokenType.DELTA,
        TokenType.DELTA_DIRECTION,
    }
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """A bar that may be said again: one that stays, or (`cell`) one that the lane itself has written before."""

    bar: int
    log_weight: float
    body: tuple[int, ...] = ()  # tokens between the bar's head and its end
    cell: int = -1


@dataclass(frozen=True)
class Choice:
    """What a cell may repeat. `after` is the cell that holds the bar before it, where the same step writes that."""

    sources: tuple[Source, ...]
    after: int = -1


@dataclass
class Echo:
    """The mixture, as a lean on the model's belief."""

    vocabulary: Vocabulary
    choices: Mapping[int, Choice]  # cell -> what it may repeat
    strength: float
    name: str = "echo"
    _cell: int = -1  # the cell at hand
    _bodies: list[tuple[int, ...]] = field(default_factory=list, repr=False)  # of its sources, END at the end of each
    _at: list[int] = field(default_factory=list, repr=False)  # where each stands
    _prior: Floats = field(default_factory=lambda: np.zeros(1), repr=False)  # log weights, the model's first
    _weights: Floats = field(default_factory=lambda: np.zeros(1), repr=False)
    _belief: Lean | None = field(default=None, repr=False)  # the model's, at the token being drawn
    _written: dict[int, list[int]] = field(default_factory=dict, repr=False)  # cell -> its tokens
    _repeated: dict[int, dict[int, float]] = field(default_factory=dict, repr=False)  # cell -> source bar -> share

    def __post_init__(self) -> None:
        kinds = (TokenType.FILL_IN_END, TokenType.BAR_END)
        self._ends = [self.vocabulary.range(kind)[0] for kind in kinds if self.vocabulary.has(kind)]
        self._first_onset, self._last_onset = self.vocabulary.range(TokenType.TIME_ABSOLUTE_POS)

    def allow(self, at: Cursor) -> Allowed | None:
        return None

    def lean(self, at: Cursor, belief: Lean) -> Lean | None:
        """log(mixture / model) of every token, up to a constant."""
        if at.cell != self._cell:
            self._open(at.cell)
        self._belief = belief
        if not self._bodies:
            return None
        weights = np.exp(self._weights)
        mass: dict[int, float] = {}
        model = float(weights[0])
        for weight, expected in zip(weights[1:].tolist(), self._expected(belief), strict=True):
            model += weight if expected < 0 else weight * SLIP
            if expected >= 0:
                mass[expected] = mass.get(expected, 0.0) + weight * (1 - SLIP)
        lean = np.zeros(self.vocabulary.size, dtype=np.float32)
        for token, share in mass.items():
            lean[token] = np.log1p(share / model * np.exp(-float(belief[token])))
        return lean

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        token = self.vocabulary.encode(kind, value)
        ends = token in self._ends
        if self._belief is None or not (ends or kind in NOTE_TOKENS):
            return
        if self._bodies:
            self._judge(token)
        if ends:
            self._close()
        else:
            self._written.setdefault(self._cell, []).append(token)
            self._at = [self._moved(body, i, token) for body, i in zip(self._bodies, self._at, strict=True)]
        self._belief = None

    def _open(self, cell: int) -> None:
        """Take up the sources of a cell; those the lane wrote itself have their tokens by now."""
        choice = self.choices.get(cell, Choice(()))
        before = self._repeated.get(choice.after)
        bodies, weights = [], [0.0]
        for source in choice.sources:
            body = tuple(self._written.get(source.cell, ())) if source.cell >= 0 else source.body
            weight = source.log_weight + float(np.log(self.strength))
            if before is not None:
                weight += LEFT_KNOWN + LEFT * before.get(source.bar - 1, 0.0)
            bodies.append((*body, END))
            weights.append(weight)
        self._cell, self._bodies, self._at = cell, bodies, [0] * len(bodies)
        self._prior = self._weights = _normal(np.array(weights))

    def _close(self) -> None:
        """The cell is finished: remember what it turned out to repeat."""
        shares = np.exp(self._weights[1:]).tolist()
        bars = [source.bar for source in self.choices.get(self._cell, Choice(())).sources]
        self._repeated[self._cell] = dict(zip(bars, shares, strict=True))
        self._written.setdefault(self._cell, [])
        self._cell, self._bodies, self._at = -1, [], []

    def _expected(self, belief: Lean) -> list[int]:
        """The token each source expects; -1 where that may not be written here."""
        end = next((token for token in self._ends if belief[token] > -np.inf), -1)
        tokens = [end if body[i] == END else body[i] for body, i in zip(self._bodies, self._at, strict=True)]
        return [token if token >= 0 and belief[token] > -np.inf else -1 for token in tokens]

    def _judge(self, token: int) -> None:
        """Multiply every weight by how well it foresaw the token, against the model."""
        assert self._belief is not None
        hit = np.log(SLIP + (1 - SLIP) * np.exp(-float(self._belief[token])))
        gains = [0.0]
        gains += [0.0 if t < 0 else hit if t == token else np.log(SLIP) for t in self._expected(self._belief)]
        weights = _normal(self._weights + np.array(gains))
        self._weights = _normal(MEMORY * weights + (1 - MEMORY) * self._prior)

    def _moved(self, body: tuple[int, ...], at: int, token: int) -> int:
        """Where a source stands after a token: behind it, or behind what was put in its place."""
        expected = body[at]
        if expected == token:
            return at + 1
        if self._first_onset <= token < self._last_onset:  # on to the same onset, or before the next one
            later = (
                i for i in range(at, len(body)) if body[i] == END or (self._is_onset(body[i]) and body[i] >= token)
            )
            found = next(later)
            return found + (body[found] == token)
        same = expected != END and self.vocabulary.types[expected] is self.vocabulary.types[token]
        return at + same

    def _is_onset(self, token: int) -> bool:
        return self._first_onset <= token < self._last_onset


def _normal(log_weights: Floats) -> Floats:
    """The same weights, summing to 1."""
    top = log_weights.max()
    normal: Floats = log_weights - (top + np.log(np.exp(log_weights - top).sum()))
    return normal
