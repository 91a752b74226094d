"""What a caller prefers among the legal tokens of the bars a lane writes: pitches, rhythm, remix, no repeats.

Grammar says what is legal; a constraint says what is wanted. Each one narrows the choice (`allow`) or biases it
(`bias`); where a constraint leaves no legal token, the decoder relaxes it for that token and says so in the trace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

Allowed = npt.NDArray[np.bool_]  # (vocabulary,)
Bias = npt.NDArray[np.float32]  # (vocabulary,): logits, log-probabilities, or what is added to them

ENDS = (TokenType.FILL_IN_END, TokenType.BAR_END)
PITCH = (TokenType.NOTE_ONSET, TokenType.NOTE_PITCH)
DURATION, POSITION = TokenType.NOTE_DURATION, TokenType.TIME_ABSOLUTE_POS  # an enum's members are slow to look up
LEADS_TO_NOTE = (TokenType.VELOCITY_LEVEL, TokenType.DELTA, TokenType.DELTA_DIRECTION)


@dataclass
class Cursor:
    """Where a lane stands in what it writes."""

    cell: int = 0  # index into the step's sorted targets
    tick: int = 0  # position in the bar, on the grid
    slot: int = 0  # notes already written at this position
    pitch: int = -1  # of the note whose duration is still to come, else -1
    last_pitch: int = -1  # of the last note at this position, else -1

    def advance(self, kind: TokenType, value: int, drum: bool) -> None:
        """Follow one written token."""
        if kind in PITCH:
            self.slot += 1
            self.pitch = -1 if drum else value
            self.last_pitch = value
        elif kind is DURATION:
            self.pitch = -1
        elif kind is POSITION:
            self.tick, self.slot, self.last_pitch = value, 0, -1
        elif kind in ENDS:
            self.cell += 1
            self.tick = self.slot = 0
            self.pitch = self.last_pitch = -1


class Constraint:
    """What a caller wants of the next token. Each kind defines those of the three methods that it needs."""

    name: str

    def allow(self, at: Cursor) -> Allowed | None:
        """Tokens wanted next, or None where the constraint has nothing to say."""
        return None

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        """What to add to the logits, or None. `logprobs`: the model's log-probabilities, -inf where not allowed."""
        return None

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        """Follow one written token; `at` has moved already."""


def defining(constraints: Sequence[Constraint], method: str) -> tuple[Constraint, ...]:
    """Those of the constraints that have `allow`, `bias` or `advance` of their own."""
    return tuple(
        constraint for constraint in constraints if getattr(type(constraint), method) is not getattr(Constraint, method)
    )


@dataclass
class AllowedTokens(Constraint):
    """Tokens allowed throughout a bar, by cell: pitch sets, pitch ranges, blocked token types."""

    by_cell: Mapping[int, Allowed]
    name: str = "pitch_mask"

    def allow(self, at: Cursor) -> Allowed | None:
        return self.by_cell.get(at.cell)


@dataclass
class TokenBias(Constraint):
    """Weights that hold throughout a bar, by cell: a register, a rhythm grid."""

    by_cell: Mapping[int, Bias]
    name: str = "shape"

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        return self.by_cell.get(at.cell)


@dataclass(frozen=True)
class Slot:
    """One note of a schedule; None leaves the value to the model."""

    pitch: int | None = None
    duration: int | None = None  # grid ticks
    other_than: Collection[int] = ()  # pitches that are not wanted again, where another one may be written


Schedule = Sequence[tuple[int, Sequence[Slot]]]  # (tick, notes there in ascending pitch), ticks ascending


@dataclass
class Scheduled(Constraint):
    """Exact onsets, and the pitches and durations that are given: rhythm positions, rhythm lock, remix."""

    vocabulary: Vocabulary
    by_cell: Mapping[int, Schedule]
    name: str = "schedule"
    within: Mapping[int, Allowed] = field(default_factory=dict)  # cell -> tokens a pitch control leaves
    _content: Allowed = field(init=False, repr=False)  # everything a schedule may forbid

    def __post_init__(self) -> None:
        content = (*PITCH, *LEADS_TO_NOTE, *ENDS, TokenType.TIME_ABSOLUTE_POS, TokenType.NOTE_DURATION)
        self._content = token_mask(self.vocabulary, *content)

    def allow(self, at: Cursor) -> Allowed | None:
        schedule = self.by_cell.get(at.cell)
        if schedule is None:
            return None
        here = next((slots for tick, slots in schedule if tick == at.tick), ())
        allowed = ~self._content
        if at.pitch >= 0:
            self._durations(allowed, here, at)
        elif at.slot < len(here):
            pitches = self._pitches(here, at)
            allowed |= pitches | token_mask(self.vocabulary, *(LEADS_TO_NOTE if pitches.any() else ()))
        else:
            self._move(allowed, schedule, at.tick)
        return allowed

    def otherwise(self, at: Cursor) -> Allowed | None:
        """Where what comes next may not be written: any later onset of the schedule, or the end of the bar."""
        schedule = self.by_cell.get(at.cell)
        if schedule is None or at.pitch >= 0:
            return None
        allowed = ~self._content | token_mask(self.vocabulary, *ENDS)
        start, _ = self.vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
        allowed[[start + tick for tick, _ in schedule if tick > at.tick]] = True
        return allowed

    def _durations(self, allowed: Allowed, here: Sequence[Slot], at: Cursor) -> None:
        start, end = self.vocabulary.range(TokenType.NOTE_DURATION)
        duration = here[at.slot - 1].duration if 0 < at.slot <= len(here) else None
        if duration is None:
            allowed[start:end] = True
        else:
            allowed[min(start + max(duration, 1) - 1, end - 1)] = True

    def _pitches(self, here: Sequence[Slot], at: Cursor) -> Allowed:
        """The pitches of the next note that leave room above for the rest of the chord."""
        free, top = 0, 1 << 30
        for slot in here[at.slot + 1 :]:
            if slot.pitch is not None:
                top = slot.pitch
                break
            free += 1
        within, allowed = self.within.get(at.cell), np.zeros(self.vocabulary.size, dtype=np.bool_)
        for start, end in (self.vocabulary.range(kind) for kind in PITCH if self.vocabulary.has(kind)):
            pitch = here[at.slot].pitch
            if pitch is None:
                span = range(start + at.last_pitch + 1, min(end, start + top))
                tokens = [token for token in span if within is None or within[token]]
                tokens = tokens[: max(1, len(tokens) - free)]
                tokens = [token for token in tokens if token - start not in here[at.slot].other_than] or tokens
            else:
                tokens = [start + pitch]
            allowed[tokens] = True
        return allowed

    def _move(self, allowed: Allowed, schedule: Schedule, tick: int) -> None:
        ahead = next((t for t, _ in schedule if t > tick), None)
        start, _ = self.vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
        if ahead is None:
            allowed |= token_mask(self.vocabulary, *ENDS)
        else:
            allowed[start + ahead] = True


@dataclass
class NoRepeat(Constraint):
    """Never n pitches in a row that the context of the same track has."""

    vocabulary: Vocabulary
    n: int
    context: Mapping[int, Sequence[int]]  # cell -> pitches of its track's context, in order
    name: str = "no_repeat_ngram"
    _written: dict[int, list[int]] = field(default_factory=dict, repr=False)  # cell -> pitches written
    _followers: dict[int, dict[tuple[int, ...], set[int]]] = field(default_factory=dict, repr=False)

    def allow(self, at: Cursor) -> Allowed | None:
        written = self._written.get(at.cell, [])
        if at.cell not in self.context or len(written) < self.n - 1:
            return None
        tail = tuple(written[len(written) - self.n + 1 :])
        banned = self._table(at.cell).get(tail, set())
        if not banned:
            return None
        return without_pitches(self.vocabulary, banned)

    def _table(self, cell: int) -> dict[tuple[int, ...], set[int]]:
        if cell not in self._followers:
            table: dict[tuple[int, ...], set[int]] = {}
            pitches = self.context[cell]
            for i in range(len(pitches) - self.n + 1):
                table.setdefault(tuple(pitches[i : i + self.n - 1]), set()).add(pitches[i + self.n - 1])
            self._followers[cell] = table
        return self._followers[cell]

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH:
            self._written.setdefault(at.cell, []).append(value)


def without_pitches(vocabulary: Vocabulary, pitches: Iterable[int]) -> Allowed:
    """All tokens but those of these pitches."""
    allowed = np.ones(vocabulary.size, dtype=np.bool_)
    for kind in PITCH:
        start, _ = vocabulary.range(kind)
        if start >= 0:
            allowed[[start + pitch for pitch in pitches]] = False
    return allowed


def token_mask(vocabulary: Vocabulary, *kinds: TokenType) -> Allowed:
    """True for every token of these types, (vocabulary,)."""
    mask = np.zeros(vocabulary.size, dtype=np.bool_)
    for kind in kinds:
        start, end = vocabulary.range(kind)
        if start >= 0:
            mask[start:end] = True
    return mask


@dataclass
class Opening(Constraint):
    """Attribute tokens at the head of a track or bar that the model writes itself: requested values are forced.

    `head` and `by_cell` give values by token type, in the order the encoder writes them. With `free`, the model may
    write control tokens nobody asked for in between; without, it writes none of its own.
    """

    vocabulary: Vocabulary
    head: Mapping[TokenType, int]
    by_cell: Mapping[int, Mapping[TokenType, int]]
    free: bool
    name: str = "attributes"
    _in_bar: bool = False  # a Bar has been written since the lane began
    _open: bool = True  # the head is not finished
    _done: set[TokenType] = field(default_factory=set, repr=False)

    def allow(self, at: Cursor) -> Allowed | None:
        if not self._open:
            return None
        pins = self.by_cell.get(at.cell, {}) if self._in_bar else self.head
        due = [kind for kind in pins if kind not in self._done]
        allowed = np.ones(self.vocabulary.size, dtype=np.bool_)
        for kind in _HEAD_KINDS:
            start, end = self.vocabulary.range(kind)
            if start >= 0 and (kind in pins or not self.free):
                allowed[start:end] = False
        if due:
            start, _ = self.vocabulary.range(due[0])
            allowed[[self.vocabulary.range(kind)[0] for kind in _HEAD_ENDS if self.vocabulary.has(kind)]] = False
            times, stop = self.vocabulary.range(TokenType.TIME_SIG)
            allowed[times:stop] = False
            allowed[start + pins[due[0]]] = True
        return allowed

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in _HEAD_KINDS:
            self._done.add(kind)
        elif kind is TokenType.BAR:
            self._in_bar = self._open = True
            self._done = set()
        elif kind is TokenType.TIME_SIG:
            self._open = False


_HEAD_KINDS = tuple({kind for _, kind in (*TRACK_ATTRIBUTES, *BAR_ATTRIBUTES)})
_HEAD_ENDS = (TokenType.BAR,)
