"""The echo: bars of the piece as experts that the model is mixed with.

More than half of the bars of real music stand elsewhere in the same track. Each bar that stays is an expert that
expects itself, token by token, with a slip now and then; its prior weight says how likely the bar to be written is to
repeat it (`midigpt_core/echo/sources.py`). What is drawn is the mixture of the model (weight 1) and the experts. After
every token each one's weight is multiplied by how well it foresaw the token, so that a bar that is not repeating
anything is soon the model's alone. Strength multiplies the experts' prior weights; 0 is off.

The model that is mixed biases towards the track's styles (`midigpt_core/echo/style_prior.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log

from midigpt_core.constraints.masks import ENDS, Bias, Constraint, Cursor
from midigpt_core.echo.mixture import Body, Mixture, StyleBias, Tokens, mixture, shares_of
from midigpt_core.plain_sum import plain_sum
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

LEFT, LEFT_KNOWN = 2.6, -0.9  # log weight of what stands before source and target: equal share, and being known
OTHERS = 4.6  # log weight of what the other tracks have at source and target: equal share

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
CONTENT = NOTE_TOKENS.union(ENDS)  # of a bar


@dataclass(frozen=True)
class Source:
    """A bar that may be repeated: one that is kept, or (`cell`) one that the lane has just written."""

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
    others_sounding: int = 0  # other tracks that sound in this bar and stay


@dataclass
class Echo(Constraint):
    """The mixture, as a bias on the model's log-probabilities."""

    vocabulary: Vocabulary
    choices: Mapping[int, Choice]  # cell -> what it may repeat
    strength: float
    styles: Mapping[int, StyleBias] = field(default_factory=dict)  # by cell
    name: str = "echo"
    _cell: int = -1  # the cell at hand
    _mixture: Mixture | None = field(default=None, repr=False)  # of its sources
    _asked: bool = field(default=False, repr=False)  # for the token being drawn
    _written: dict[int, list[int]] = field(default_factory=dict, repr=False)  # cell -> its tokens
    _repeated: dict[int, dict[int, float]] = field(default_factory=dict, repr=False)  # cell -> source bar -> share

    def __post_init__(self) -> None:
        ends = [self.vocabulary.range(kind)[0] for kind in ENDS if self.vocabulary.has(kind)]
        self._tokens = Tokens(ends, *self.vocabulary.range(TokenType.TIME_ABSOLUTE_POS), self.vocabulary.types)

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        """log(mixture / model) of every token, up to a constant."""
        if at.cell != self._cell:
            self._open(at.cell)
        self._asked = True
        return None if self._mixture is None else self._mixture.bias(logprobs)

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if not self._asked or kind not in CONTENT:
            return
        self._asked = False
        token = self.vocabulary.range(kind)[0] + value
        if self._mixture is not None:
            self._mixture.follow(token)
        if token in self._tokens.ends:
            self._close()
        else:
            self._written.setdefault(self._cell, []).append(token)

    def _open(self, cell: int) -> None:
        """Take up the sources of a cell; those the lane wrote itself have their tokens by now."""
        choice = self.choices.get(cell, Choice(()))
        before = self._repeated.get(choice.after)
        beside = [self._repeated[other] for other in choice.beside if other in self._repeated]
        bodies, weights, strength = [], [0.0], log(self.strength)
        for source in choice.sources:
            together = choice.others_sounding * source.others + plain_sum(
                [shares.get(source.bar, 0.0) for shares in beside]
            )
            weight = source.log_weight + OTHERS * together / max(1, choice.others_sounding + len(beside)) + strength
            if before is not None:
                weight += LEFT_KNOWN + LEFT * before.get(source.bar - 1, 0.0)
            bodies.append(source.body if source.cell < 0 else tuple(self._written.get(source.cell, ())))
            weights.append(weight)
        top, style = max(weights), self.styles.get(cell)
        prior = shares_of([exp(weight - top) for weight in weights])
        self._cell = cell
        self._mixture = mixture(bodies, prior, style, self._tokens) if bodies or style is not None else None

    def _close(self) -> None:
        """The cell is finished: remember what it turned out to repeat."""
        bars = [source.bar for source in self.choices.get(self._cell, Choice(())).sources]
        weights = self._mixture.weights[1:] if self._mixture is not None else []
        self._repeated[self._cell] = dict(zip(bars, weights, strict=True))
        self._written.setdefault(self._cell, [])
        self._cell, self._mixture = -1, None
