"""Say again what the piece has said: bars of it, as experts that the model is mixed with.

More than half of the bars of real music stand elsewhere in the same track. Each bar that stays is an expert that
expects itself, token by token, with a slip now and then; its prior weight says how likely the bar to be written is to
repeat it (`midigpt_core/likeness.py`). What is drawn is the mixture of the model (weight 1) and the experts. After
every token each one's weight is multiplied by how well it foresaw the token, so that a bar that is not repeating
anything is soon the model's alone. Strength multiplies the experts' prior weights; 0 is off.

The model that is mixed leans towards the track's habits (`midigpt_core/habits.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log, log1p
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_core.compiled import compiled
from midigpt_core.sampling.rules import Allowed, Cursor, Lean
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

FAST_ECHO: Any = compiled("echo")

SLIP = 0.12  # probability that a repeating bar departs from its source at a token; then the model chooses
KEPT = 0.98  # share of a weight that stays from token to token; the rest returns to the prior
LEFT, LEFT_KNOWN = 2.6, -0.9  # log weight of what stands before source and target: equal share, and being known
OTHERS = 4.6  # log weight of what the other tracks have at source and target: equal share
OFF = -np.inf
END = -1  # stands for whichever token ends a bar

Body = tuple[int, ...]  # tokens of a source

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


@dataclass(frozen=True)
class Source:
    """A bar that may be said again: one that stays, or (`cell`) one that the lane itself has written before."""

    bar: int
    log_weight: float  # without what the other tracks say
    body: Body = ()  # tokens between the bar's head and its end
    cell: int = -1
    others: float = 0.0  # share of equal notes in the other tracks that stay


@dataclass(frozen=True)
class Choice:
    """What a cell may repeat, and which cells of the same step tell more about it."""

    sources: tuple[Source, ...]
    after: int = -1  # the cell that holds the bar before
    beside: tuple[int, ...] = ()  # cells that hold the same bar of other tracks and are written earlier
    standing: int = 0  # other tracks that sound in this bar and stay


@dataclass(frozen=True)
class Habit:
    """What a track rather writes, kind by kind of token."""

    lean: Lean  # added to the model's belief, (vocabulary,)
    factors: npt.NDArray[np.float64]  # what that multiplies its probabilities by
    kinds: tuple[tuple[int, int], ...]  # first token and the one after the last; each kind stays as likely as it is


@dataclass
class Echo:
    """The mixture, as a lean on the model's belief."""

    vocabulary: Vocabulary
    choices: Mapping[int, Choice]  # cell -> what it may repeat
    strength: float
    habits: Mapping[int, Habit] = field(default_factory=dict)  # by cell
    name: str = "echo"
    _cell: int = -1  # the cell at hand
    _bodies: list[Body] = field(default_factory=list, repr=False)  # of its sources, END at the end of each
    _at: list[int] = field(default_factory=list, repr=False)  # where each stands
    _prior: list[float] = field(default_factory=list, repr=False)  # weights, the model's first; they sum to 1
    _weights: list[float] = field(default_factory=list, repr=False)
    _expected: list[int] = field(default_factory=list, repr=False)  # by each source; -1: it may not be written
    _belief: Lean | None = field(default=None, repr=False)  # the model's with the habit, at the token being drawn
    _written: dict[int, list[int]] = field(default_factory=dict, repr=False)  # cell -> its tokens
    _repeated: dict[int, dict[int, float]] = field(default_factory=dict, repr=False)  # cell -> source bar -> share

    def __post_init__(self) -> None:
        kinds = (TokenType.FILL_IN_END, TokenType.BAR_END)
        self._ends = [self.vocabulary.range(kind)[0] for kind in kinds if self.vocabulary.has(kind)]

    def allow(self, at: Cursor) -> Allowed | None:
        return None

    def lean(self, at: Cursor, belief: Lean) -> Lean | None:
        """log(mixture / model) of every token, up to a constant."""
        if at.cell != self._cell:
            self._open(at.cell)
        habit, own = self.habits.get(at.cell), None
        if habit is not None:
            own = (lean_to if FAST_ECHO is None else FAST_ECHO.lean_to)(belief, habit.lean, habit.factors, habit.kinds)
            belief = belief + own
        self._belief = belief
        if not self._bodies:
            return own
        mix = lean_of if FAST_ECHO is None else FAST_ECHO.lean_of
        self._expected, lean = mix(self._bodies, self._at, self._weights, belief, self._ends, SLIP)
        return lean if own is None else lean + own

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
            first, last = self.vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
            move = stand if FAST_ECHO is None else FAST_ECHO.stand
            self._at = move(self._bodies, self._at, token, first, last, self.vocabulary.types)
        self._belief = None

    def _open(self, cell: int) -> None:
        """Take up the sources of a cell; those the lane wrote itself have their tokens by now."""
        choice = self.choices.get(cell, Choice(()))
        before = self._repeated.get(choice.after)
        beside = [self._repeated[other] for other in choice.beside if other in self._repeated]
        bodies, weights = [], [0.0]
        for source in choice.sources:
            body = tuple(self._written.get(source.cell, ())) if source.cell >= 0 else source.body
            together = choice.standing * source.others + sum(shares.get(source.bar, 0.0) for shares in beside)
            weight = source.log_weight + OTHERS * together / max(1, choice.standing + len(beside)) + log(self.strength)
            if before is not None:
                weight += LEFT_KNOWN + LEFT * before.get(source.bar - 1, 0.0)
            bodies.append((*body, END))
            weights.append(weight)
        self._cell, self._bodies, self._at = cell, bodies, [0] * len(bodies)
        top = max(weights)
        self._prior = self._weights = _shares([exp(weight - top) for weight in weights])

    def _close(self) -> None:
        """The cell is finished: remember what it turned out to repeat."""
        bars = [source.bar for source in self.choices.get(self._cell, Choice(())).sources]
        self._repeated[self._cell] = dict(zip(bars, self._weights[1:], strict=True))
        self._written.setdefault(self._cell, [])
        self._cell, self._bodies, self._at = -1, [], []

    def _judge(self, token: int) -> None:
        """Multiply every weight by how well it foresaw the token, against the model."""
        assert self._belief is not None
        hit = SLIP + (1 - SLIP) * exp(-float(self._belief[token]))
        judge = judged if FAST_ECHO is None else FAST_ECHO.judged
        self._weights = judge(self._weights, self._prior, self._expected, token, (hit, SLIP, KEPT))


# ---- what is done for every token; compiled twins in cython_ext/echo.pyx ----


def lean_to(belief: Lean, lean: Lean, factors: npt.NDArray[np.float64], kinds: Sequence[tuple[int, int]]) -> Lean:
    """The lean among the tokens of each kind that may be written, (vocabulary,): together they stay as likely.

    factors: exp(lean).
    """
    found = np.zeros(len(belief), dtype=np.float32)
    for first, last in kinds:
        there = [token for token in range(first, last) if belief[token] > OFF]
        before, after = 0.0, 0.0
        for token in there:
            likely = exp(float(belief[token]))
            before += likely
            after += likely * float(factors[token])
        shift = log(before / after) if after > 0 else 0.0
        for token in there:
            found[token] = float(lean[token]) + shift
    return found


def lean_of(
    bodies: Sequence[Body],
    places: Sequence[int],
    weights: Sequence[float],
    belief: Lean,
    ends: Sequence[int],
    slip: float,
) -> tuple[list[int], Lean]:
    """What each source expects (-1: it may not be written), and log(mixture / model) of every token, (vocabulary,)."""
    end = next((token for token in ends if belief[token] > OFF), -1)
    tokens = [end if body[at] == END else body[at] for body, at in zip(bodies, places, strict=True)]
    expected = [token if token >= 0 and belief[token] > OFF else -1 for token in tokens]
    mass: dict[int, float] = {}
    model = weights[0]
    for weight, token in zip(weights[1:], expected, strict=True):
        model += weight if token < 0 else weight * slip
        if token >= 0:
            mass[token] = mass.get(token, 0.0) + weight * (1 - slip)
    lean = np.zeros(len(belief), dtype=np.float32)
    for token, share in mass.items():
        lean[token] = log1p(share / model * exp(-float(belief[token])))
    return expected, lean


def judged(
    weights: Sequence[float],
    prior: Sequence[float],
    expected: Sequence[int],
    token: int,
    rates: tuple[float, float, float],
) -> list[float]:
    """The weights, each times how well its source foresaw the token, and a little of the prior.

    rates: what a weight is multiplied by where the source was right, and where not; the share of it that stays.
    """
    hit, slip, kept = rates
    gains = [1.0, *(1.0 if t < 0 else hit if t == token else slip for t in expected)]
    shares = _shares([weight * gain for weight, gain in zip(weights, gains, strict=True)])
    return [kept * share + (1 - kept) * before for share, before in zip(shares, prior, strict=True)]


def stand(
    bodies: Sequence[Body], places: Sequence[int], token: int, first: int, last: int, types: Sequence[TokenType]
) -> list[int]:
    """Where each source stands after a token: behind it, or behind what was put in its place.

    `first` to before `last` are the positions: such a token leads on to the same onset, or before the next one.
    """
    found = []
    for body, at in zip(bodies, places, strict=True):
        expected = body[at]
        if expected == token:
            at += 1
        elif first <= token < last:
            while body[at] != END and not token <= body[at] < last:
                at += 1
            at += body[at] == token
        elif expected != END and types[expected] is types[token]:
            at += 1
        found.append(at)
    return found


def _shares(weights: Sequence[float]) -> list[float]:
    """The same weights, summing to 1."""
    total = sum(weights)
    return [weight / total for weight in weights]
