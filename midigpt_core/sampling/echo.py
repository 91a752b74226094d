"""Lean towards what a track does in the bars around: the next token as those bars would have it.

A small model has to learn from much music what is usual; the song at hand says it in a few bars. The bars of the same
track that stay are read as a variable-order Markov model (longer matches count more, nearer bars too), and its opinion
is added to the logits. Strength 0 is off; what a checkpoint does best with is part of its encoder configuration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from midigpt_core.sampling.rules import Allowed, Cursor, Lean
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

FLOOR = 0.01  # probability granted to what the bars around never do
BACKING = 0.7  # weight of the shorter match against what was seen after the longer one
END, START = -1, -2  # stand for the token that ends a bar, and for what is before its first token

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

Bodies = Sequence[tuple[float, Sequence[int]]]  # (weight, tokens of a bar between its head and its end)
_Counts = dict[tuple[int, ...], dict[int, float]]


@dataclass
class Echo:
    """What the bars around suggest, as a lean on the logits."""

    vocabulary: Vocabulary
    around: Mapping[int, Bodies]  # cell -> sounding bars of its track that stay
    strength: float
    name: str = "echo"
    _tables: dict[int, _Counts] = field(default_factory=dict, repr=False)
    _last: tuple[int, int] = (START, START)  # the two tokens before the next one, in this bar

    def allow(self, at: Cursor) -> Allowed | None:
        return None

    def lean(self, at: Cursor) -> Lean | None:
        if not self.around.get(at.cell):
            return None
        if at.cell not in self._tables:
            self._tables[at.cell] = _counted(self.around[at.cell], self.vocabulary)
        expected = self._expected(self._tables[at.cell], at.tick)
        lean = np.full(self.vocabulary.size, self.strength * np.log(FLOOR), dtype=np.float32)
        for token, share in expected.items():
            for place in self._ends if token == END else (token,):
                lean[place] = self.strength * np.log(share + FLOOR)
        return lean

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        token = self.vocabulary.encode(kind, value)
        if token in self._ends or kind in (TokenType.FILL_IN_START, TokenType.BAR, TokenType.TIME_SIG):
            self._last = (START, START)
        else:
            self._last = (self._last[1], token)

    @property
    def _ends(self) -> tuple[int, ...]:
        kinds = (TokenType.BAR_END, TokenType.FILL_IN_END)
        return tuple(self.vocabulary.range(kind)[0] for kind in kinds if self.vocabulary.has(kind))

    def _expected(self, counts: _Counts, tick: int) -> dict[int, float]:
        """Shares of the next token, from the shortest match to the longest."""
        shares: dict[int, float] = {}
        for key in _keys(self.vocabulary, tick, self._last):
            seen = counts.get(key)
            if seen is None:
                continue
            total = sum(seen.values())
            keep = BACKING / (BACKING + total) if shares else 0.0
            shares = {token: keep * share for token, share in shares.items()}
            for token, weight in seen.items():
                shares[token] = shares.get(token, 0.0) + (1 - keep) * weight / total
        return shares


def _keys(vocabulary: Vocabulary, tick: int, last: tuple[int, int]) -> Iterator[tuple[int, ...]]:
    """What the next token may depend on, from little to much."""
    kind = START if last[1] < 0 else vocabulary.range(vocabulary.types[last[1]])[0]
    yield (0, kind)
    yield (1, kind, tick)
    yield (2, last[1])
    yield (3, last[1], tick)
    yield (4, *last, tick)


def _counted(bodies: Bodies, vocabulary: Vocabulary) -> _Counts:
    counts: _Counts = defaultdict(dict)
    positions, stop = vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
    for weight, body in bodies:
        tick, last = 0, (START, START)
        for token in [*body, END]:
            for key in _keys(vocabulary, tick, last):
                seen = counts[key]
                seen[token] = seen.get(token, 0.0) + weight
            if positions <= token < stop:
                tick = token - positions
            last = (last[1], token)
    return dict(counts)


def bodies_of(prompt: Sequence[int], vocabulary: Vocabulary) -> list[dict[int, list[int]]]:
    """Per track of a prompt, its sounding bars that are shown: {bar: tokens between its head and its end}."""
    tracks: list[dict[int, list[int]]] = []
    bar = -1
    body: list[int] | None = None
    types = vocabulary.types
    for token in prompt:
        kind = types[token]
        if kind is TokenType.TRACK:
            tracks.append({})
            bar = -1
        elif kind is TokenType.FILL_IN_START:
            break
        elif kind is TokenType.BAR:
            bar, body = bar + 1, []
        elif kind is TokenType.BAR_END:
            if body:
                tracks[-1][bar] = body
            body = None
        elif body is not None and kind in NOTE_TOKENS:
            body.append(token)
    return tracks


def weighted(bars: Mapping[int, Sequence[int]], target: int) -> Bodies:
    """Bars of a track as seen from one of them: nearer ones weigh more, those two, four or eight away more still."""
    found = []
    for bar, body in sorted(bars.items()):
        distance = abs(bar - target)
        phase = 1.0 + 0.25 * sum(distance % length == 0 for length in (2, 4, 8))
        found.append((phase / (1.0 + 0.15 * distance), body))
    return found
