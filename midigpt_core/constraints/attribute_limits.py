"""Constraints that hold a bar to an attribute value, where that can be done note by note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from midigpt_core.constraints.masks import ENDS, LEADS_TO_NOTE, PITCH, Allowed, Bias, Constraint, Cursor, token_mask
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

PULL = 1.5  # added to the logits of what leads to the target
KEY_PULL = 12.0  # the same for a key, by how far it leads the others per quarter note
KEY_LEAD = 0.1  # a lead that is clear enough
KEY_PRIOR = 2.0  # quarter notes that count as written from the start, so that the first note is not forced
HANDS = 10  # notes at one onset, from which on nobody is kept there for want of more
CHANCE = 0.1  # least probability of a note that reaches the target


@dataclass(frozen=True)
class Bounds:
    """From `low` to `high` of something in a bar of `ticks` grid ticks."""

    low: int
    high: int
    ticks: int


class Push(Constraint):
    """A constraint that may ask for another note. It comes last, and yields where the others leave no pitch."""


@dataclass
class Count(Push):
    """So many notes in a bar. While some are lacking, the bar neither ends nor leaps on too far for them."""

    vocabulary: Vocabulary
    by_cell: Mapping[int, Bounds]  # in notes
    name: str = "note_count"
    _counts: dict[int, int] = field(default_factory=dict, repr=False)  # cell -> notes written

    def allow(self, at: Cursor) -> Allowed | None:
        bounds = self.by_cell.get(at.cell)
        if bounds is None or at.pitch >= 0:
            return None
        count = self._counts.get(at.cell, 0)
        if count >= bounds.high:
            return ~token_mask(self.vocabulary, *PITCH, *LEADS_TO_NOTE, TokenType.TIME_ABSOLUTE_POS)
        if count < bounds.low:  # no onset more than a quarter note later than an even spread would have it
            spread = bounds.ticks * count // bounds.low + self.vocabulary.config.resolution
            return open_until(self.vocabulary, spread if at.slot < HANDS else bounds.ticks)
        return None

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH:
            self._counts[at.cell] = self._counts.get(at.cell, 0) + 1


@dataclass
class Cover(Push):
    """Notes sound during so much of a bar."""

    vocabulary: Vocabulary
    by_cell: Mapping[int, Bounds]  # in ticks
    hits: Mapping[int, int] = field(default_factory=dict)  # cell of a drum track -> ticks that each of its notes sounds
    name: str = "silence"
    _sounding: dict[int, set[int]] = field(default_factory=dict, repr=False)  # cell -> ticks at which a note sounds

    def allow(self, at: Cursor) -> Allowed | None:
        bounds = self.by_cell.get(at.cell)
        if bounds is None:
            return None
        sounding = self._sounding.get(at.cell, set())
        if at.pitch >= 0:
            return self._durations(bounds, sounding, at.tick)
        hit = self.hits.get(at.cell, 0)
        if sounding and len(sounding) + max(hit, 1) > bounds.high:  # more drums at this tick add no sound
            more = () if hit else (*PITCH, *LEADS_TO_NOTE)
            return ~token_mask(self.vocabulary, *more, TokenType.TIME_ABSOLUTE_POS)
        lacking = bounds.low - len(sounding)
        if lacking <= 0 or _spare(bounds, sounding, at.tick) < 0:
            return None
        if at.slot < HANDS:
            return open_until(self.vocabulary, max(at.tick, bounds.ticks - lacking))
        return open_until(self.vocabulary, bounds.ticks) & ~token_mask(self.vocabulary, *PITCH, *LEADS_TO_NOTE)

    def _durations(self, bounds: Bounds, sounding: set[int], tick: int) -> Allowed:
        """Those that do not make the bar sound for too long, nor leave a gap before the next eighth that it cannot
        afford."""
        allowed = np.ones(self.vocabulary.size, dtype=np.bool_)
        start, end = self.vocabulary.range(TokenType.NOTE_DURATION)
        eighth = max(1, self.vocabulary.config.resolution // 2)
        spare = _spare(bounds, sounding, tick)
        least = min(eighth - tick % eighth, bounds.ticks - tick) - spare if spare >= 0 else 0
        if len(sounding) < bounds.low and least > 1:
            allowed[start : min(start + least - 1, end - 1)] = False
        room = bounds.high - len(sounding)
        for t in range(tick, bounds.ticks):
            room -= t not in sounding
            if room < 0:
                allowed[min(start + max(1, t - tick), end) : end] = False
                break
        return allowed

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        hit = self.hits.get(at.cell, 0) if kind in PITCH else 0
        if at.cell in self.by_cell and (hit or kind is TokenType.NOTE_DURATION):
            span = range(at.tick, min(at.tick + (hit or value + 1), self.by_cell[at.cell].ticks))
            self._sounding.setdefault(at.cell, set()).update(span)


@dataclass
class Chords(Push):
    """From so many to so many notes at each onset, rather the most."""

    vocabulary: Vocabulary
    by_cell: Mapping[int, tuple[int, int]]  # cell -> fewest, most
    name: str = "chord_size"

    def allow(self, at: Cursor) -> Allowed | None:
        if at.cell not in self.by_cell or at.pitch >= 0 or at.slot == 0:
            return None
        fewest, most = self.by_cell[at.cell]
        if at.slot < fewest:
            return ~token_mask(self.vocabulary, *ENDS, TokenType.TIME_ABSOLUTE_POS)
        if at.slot >= most:
            return ~token_mask(self.vocabulary, *PITCH, *LEADS_TO_NOTE)
        return None

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        if at.cell not in self.by_cell or at.pitch >= 0 or not 0 < at.slot < self.by_cell[at.cell][1]:
            return None
        return PULL * token_mask(self.vocabulary, *PITCH, *LEADS_TO_NOTE).astype(np.float32)


@dataclass
class Lengths(Constraint):
    """Notes of so many ticks, rather those of the wanted kind."""

    vocabulary: Vocabulary
    by_cell: Mapping[int, tuple[range, Sequence[range]]]  # cell -> durations that may be, those that are wanted
    name: str = "note_length"

    def allow(self, at: Cursor) -> Allowed | None:
        if at.cell not in self.by_cell:
            return None
        return ~token_mask(self.vocabulary, TokenType.NOTE_DURATION) | self._tokens(self.by_cell[at.cell][0])

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        if at.cell not in self.by_cell or at.pitch < 0:
            return None
        return PULL * self._tokens(*self.by_cell[at.cell][1]).astype(np.float32)

    def _tokens(self, *spans: range) -> Allowed:
        mask = np.zeros(self.vocabulary.size, dtype=np.bool_)
        start, end = self.vocabulary.range(TokenType.NOTE_DURATION)
        for ticks in spans:
            mask[start + max(ticks.start, 1) - 1 : min(start + ticks.stop - 1, end)] = True
        return mask


@dataclass
class PitchSpan(Constraint):
    """No more than so many semitones from the lowest to the highest note of all cells of a track; now and then a note
    that makes it as many."""

    vocabulary: Vocabulary
    by_cell: Mapping[int, tuple[int, int]]  # cell -> (track, semitones)
    name: str = "pitch_span"
    _reached: dict[int, tuple[int, int]] = field(default_factory=dict, repr=False)  # track -> lowest, highest written

    def allow(self, at: Cursor) -> Allowed | None:
        track, semitones = self.by_cell.get(at.cell, (-1, 0))
        if track not in self._reached:
            return None
        low, high = self._reached[track]
        allowed = np.ones(self.vocabulary.size, dtype=np.bool_)
        start, end = self.vocabulary.range(TokenType.NOTE_ONSET)
        pitches = np.arange(end - start)
        allowed[start:end] = (pitches >= min(low, high - semitones)) & (pitches <= max(high, low + semitones))
        return allowed

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        track, semitones = self.by_cell.get(at.cell, (-1, 0))
        low, high = self._reached.get(track, (0, semitones))
        if high - low >= semitones:
            return None
        start, end = self.vocabulary.range(TokenType.NOTE_ONSET)
        bias = np.zeros(self.vocabulary.size, dtype=np.float32)
        for token in (start + high - semitones, start + low + semitones):
            if start <= token < end and logprobs[token] > -np.inf:
                bias[token] = max(0.0, np.log(CHANCE) - logprobs[token])
        return bias

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH and at.cell in self.by_cell:
            track, _ = self.by_cell[at.cell]
            low, high = self._reached.get(track, (value, value))
            self._reached[track] = (min(low, value), max(high, value))


@dataclass
class Classes(Constraint):
    """No more than so many pitch classes in a bar, or in all cells of a group, rather new ones until there are as
    many."""

    vocabulary: Vocabulary
    by_cell: Mapping[int, tuple[int, int]]  # cell -> (group that shares its pitch classes, how many)
    name: str = "pitch_classes"
    _used: dict[int, set[int]] = field(default_factory=dict, repr=False)  # group -> pitch classes written

    def allow(self, at: Cursor) -> Allowed | None:
        group, most = self.by_cell.get(at.cell, (-1, 1))
        used = self._used.get(group, set())
        if len(used) < most:
            return None
        return ~token_mask(self.vocabulary, TokenType.NOTE_ONSET) | self._of(used)

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        group, most = self.by_cell.get(at.cell, (-1, 1))
        used = self._used.get(group, set())
        if not 0 < len(used) < most:
            return None
        fresh = token_mask(self.vocabulary, TokenType.NOTE_ONSET) & ~self._of(used)
        return among_pitches(self.vocabulary, PULL * fresh.astype(np.float32), logprobs)

    def _of(self, classes: set[int]) -> Allowed:
        mask = np.zeros(self.vocabulary.size, dtype=np.bool_)
        start, end = self.vocabulary.range(TokenType.NOTE_ONSET)
        mask[start:end] = np.isin(np.arange(end - start) % 12, sorted(classes))
        return mask

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH and at.cell in self.by_cell:
            self._used.setdefault(self.by_cell[at.cell][0], set()).add(value % 12)


@dataclass
class Key(Constraint):
    """Rather the pitches that make all cells of a track sound in a key and in no other, until they clearly do."""

    vocabulary: Vocabulary
    by_cell: Mapping[int, tuple[int, int]]  # cell -> (track, key)
    profiles: npt.NDArray[np.float64]  # (keys, 12): what a note of each pitch class says for each key
    name: str = "key.profile"
    _weights: dict[int, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)  # track -> ticks, (12,)

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        if at.cell not in self.by_cell:
            return None
        track, key = self.by_cell[at.cell]
        quarter = self.vocabulary.config.resolution
        weights = self._weights.get(track, np.zeros(12))
        scores = (self.profiles @ weights)[:, None] + quarter * self.profiles  # (keys, 12): with one more quarter note
        others = np.delete(scores, key, axis=0).max(axis=0)
        lead = np.minimum((scores[key] - others) / (weights.sum() + KEY_PRIOR * quarter), KEY_LEAD)
        start, end = self.vocabulary.range(TokenType.NOTE_ONSET)
        bias = np.zeros(self.vocabulary.size, dtype=np.float32)
        bias[start:end] = KEY_PULL * lead[np.arange(end - start) % 12]
        return among_pitches(self.vocabulary, bias, logprobs)

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind is TokenType.NOTE_DURATION and at.cell in self.by_cell:
            track, _ = self.by_cell[at.cell]
            self._weights.setdefault(track, np.zeros(12))[at.last_pitch % 12] += value + 1


def _spare(bounds: Bounds, sounding: set[int], tick: int) -> int:
    """How many more ticks from here on may be silent; below 0, the bar can no longer sound as long as it should."""
    free = sum(t not in sounding for t in range(tick, bounds.ticks))
    return free - (bounds.low - len(sounding))


def among_pitches(vocabulary: Vocabulary, bias: Bias, logprobs: Bias) -> Bias | None:
    """The bias on pitches, moved so that all of them together stay as likely as they are; None where none is."""
    start, end = vocabulary.range(TokenType.NOTE_ONSET)
    there = np.flatnonzero(logprobs[start:end] > -np.inf) + start
    if not len(there):
        return None
    likely = logprobs[there].astype(np.float64)
    before, after = np.logaddexp.reduce(likely), np.logaddexp.reduce(likely + bias[there])
    moved = np.zeros_like(bias)
    moved[there] = bias[there] + (before - after)
    return moved


def open_until(vocabulary: Vocabulary, tick: int) -> Allowed:
    """The bar does not end, and time moves on to this tick at most."""
    allowed = ~token_mask(vocabulary, *ENDS)
    start, end = vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
    allowed[min(start + tick + 1, end) : end] = False
    return allowed
