"""Which token types may follow which, as a table, and the boolean masks made from it for one vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from midigpt_core.errors import TokenError
from midigpt_core.tokens import encode
from midigpt_core.tokens.types import TokenType as T
from midigpt_core.tokens.vocabulary import Vocabulary

Mask = NDArray[np.bool_]  # one entry per token id, True where the token is legal
Followers = tuple[T, ...]

# ---- the table ----

HEAD, BAR, FILL = range(3)  # where a token stands: outside bars, in a bar, in a bar to fill in
PITCHES: Followers = (T.NOTE_ONSET, T.NOTE_PITCH)
ENDS: Followers = (T.BAR_END, T.FILL_IN_END)
_TRACK_ATTRIBUTES: Followers = tuple(kind for _, kind in encode.TRACK_ATTRIBUTES)
_BAR_ATTRIBUTES: Followers = tuple(kind for _, kind in encode.BAR_ATTRIBUTES)
_NOTE: Followers = (T.VELOCITY_LEVEL, T.DELTA_DIRECTION, T.DELTA, *PITCHES)  # what a note may begin with
_BODY: Followers = (T.TIME_ABSOLUTE_POS, *_NOTE)


def _notes(end: T) -> dict[T, Followers]:
    """The rows of the notes of a bar that ends with `end`: position, velocity, micro-timing, pitch, duration."""
    return {
        T.TIME_ABSOLUTE_POS: _NOTE,
        T.VELOCITY_LEVEL: (T.DELTA_DIRECTION, T.DELTA, *PITCHES),
        T.DELTA_DIRECTION: (T.DELTA,),
        T.DELTA: PITCHES,
        T.NOTE_ONSET: (T.NOTE_DURATION,),  # of drums, which have no durations: as after NoteDuration
        T.NOTE_PITCH: (T.NOTE_DURATION,),
        T.NOTE_DURATION: (*_BODY, end),
    }


def _in_order(kinds: Followers, then: Followers) -> dict[T, Followers]:
    """Rows of types each of which may be left out, but that keep this order."""
    return {kind: (*kinds[place + 1 :], *then) for place, kind in enumerate(kinds)}


FOLLOWS: Mapping[int, Mapping[T, Followers]] = {
    HEAD: {
        T.PIECE_START: (T.USE_VELOCITY, T.USE_MICROTIMING, T.GENRE, T.NUM_BARS),
        T.USE_VELOCITY: (T.USE_MICROTIMING, T.GENRE, T.NUM_BARS),
        T.USE_MICROTIMING: (T.GENRE, T.NUM_BARS),
        T.GENRE: (T.NUM_BARS,),
        T.NUM_BARS: (T.TRACK,),
        T.TRACK: (T.INSTRUMENT,),
        T.INSTRUMENT: (*_TRACK_ATTRIBUTES, T.BAR, T.TRACK_END),
        **_in_order(_TRACK_ATTRIBUTES, (T.BAR, T.TRACK_END)),
        T.TRACK_END: (T.TRACK, T.FILL_IN_START, T.PIECE_END),
    },
    BAR: {
        T.BAR: (*_BAR_ATTRIBUTES, T.TIME_SIG),
        **_in_order(_BAR_ATTRIBUTES, (T.TIME_SIG,)),
        T.TIME_SIG: (*_BODY, T.MASK_BAR, T.FILL_IN_PLACEHOLDER, T.BAR_END),
        T.MASK_BAR: (T.BAR_END,),
        T.FILL_IN_PLACEHOLDER: (T.BAR_END,),
        **_notes(T.BAR_END),
        T.BAR_END: (T.BAR, T.TRACK_END),
    },
    FILL: {
        T.FILL_IN_START: (*_BODY, T.FILL_IN_END),
        **_notes(T.FILL_IN_END),
        T.FILL_IN_END: (T.FILL_IN_START, T.PIECE_END),
    },
}

STEPPED_OVER = (T.NUM_BARS, T.INSTRUMENT, T.TIME_SIG, T.NOTE_DURATION)  # an encoder without one goes to what follows it
_PIECE: Followers = (T.PIECE_START, T.USE_VELOCITY, T.USE_MICROTIMING, T.GENRE, T.NUM_BARS, T.PIECE_END)
PROMPT_ONLY = frozenset((*_PIECE, T.TRACK, T.INSTRUMENT, T.TRACK_END, T.MASK_BAR, T.FILL_IN_PLACEHOLDER))
OTHER_KIND_OF_TRACK = {True: T.TENSION, False: T.TENSION_DRUM}  # the attribute only the other kind of track has


def followers(vocabulary: Vocabulary, place: int, kind: T, drum: bool) -> frozenset[T]:
    """The types of this vocabulary that may follow a token of type `kind`, by the table alone."""
    found: set[T] = set()
    for follower in _row(place, kind, drum):
        if vocabulary.has(follower):
            found.add(follower)
        elif follower in STEPPED_OVER:
            found |= followers(vocabulary, place, follower, drum)
    if not vocabulary.has(T.DELTA):
        found.discard(T.DELTA_DIRECTION)
    return frozenset(found - {OTHER_KIND_OF_TRACK[drum]})


def _row(place: int, kind: T, drum: bool) -> Followers:
    return FOLLOWS[place].get(T.NOTE_DURATION if drum and kind in PITCHES else kind, ())


# ---- the masks ----


class Row(NamedTuple):
    """What is legal after one type, before the state of the bar has its say."""

    full: Mask  # all that may follow; without positions, metres and ends of bars, which depend on the bar
    bare: Mask  # the same without what may be left out: attributes, and between notes the beginning of another
    between_notes: bool  # a position, a note or the end of the bar may follow
    pitch: bool  # a pitch may follow
    duration: bool  # a duration must follow
    metre: bool  # a metre may follow


class GrammarTable:
    """The rows of one vocabulary, with or without velocity and micro-timing tokens."""

    def __init__(self, vocabulary: Vocabulary, velocity: bool = True, microtiming: bool = True) -> None:
        for needed in (T.BAR, T.BAR_END, T.NOTE_ONSET):
            if not vocabulary.has(needed):
                raise TokenError(f"token_domains: bars cannot be written without {needed.value} tokens; list that type")
        self.vocabulary = vocabulary
        off = () if velocity else (T.VELOCITY_LEVEL,)
        self._off = frozenset(off if microtiming else (*off, T.DELTA, T.DELTA_DIRECTION))
        self.positions = vocabulary.range(T.TIME_ABSOLUTE_POS)
        self.pitches = tuple(vocabulary.range(kind) for kind in PITCHES if vocabulary.has(kind))
        self.n_pitches = max(end - start for start, end in self.pitches)
        self.durations = vocabulary.range(T.NOTE_DURATION)
        self.metres = vocabulary.range(T.TIME_SIG)
        self.ends = tuple(vocabulary.range(kind)[0] for kind in (T.BAR_END, T.BAR_END, T.FILL_IN_END))  # by place
        self._rows = {
            (place, drum): {kind: self._compile(place, kind, drum) for kind in FOLLOWS[place]}
            for place in FOLLOWS
            for drum in (False, True)
        }

    def rows(self, place: int, drum: bool) -> Mapping[T, Row]:
        """The rows for one place in a track of one kind."""
        return self._rows[place, drum]

    def close_pitches(self, mask: Mask, count: int) -> None:
        """The lowest `count` pitches are not legal."""
        for first, end in self.pitches:
            mask[first : min(end, first + count)] = False

    def close_held(self, mask: Mask, pitches: Sequence[int]) -> None:
        """These pitches are not legal, where others are."""
        for first, end in self.pitches:
            others = mask[first:end].copy()
            others[[pitch for pitch in pitches if pitch < end - first]] = False
            if others.any():
                mask[first:end] = others

    def open_metre(self, mask: Mask, value: int) -> None:
        """This metre is legal; any is, where the value is below 0."""
        first, end = self.metres
        mask[first + max(value, 0) : end if value < 0 else first + value + 1] = True

    def _compile(self, place: int, kind: T, drum: bool) -> Row:
        next_kinds = followers(self.vocabulary, place, kind, drum) - PROMPT_ONLY - self._off
        between = not next_kinds.isdisjoint(ENDS) and kind not in (T.MASK_BAR, T.FILL_IN_PLACEHOLDER)
        left_out = frozenset((*_TRACK_ATTRIBUTES, *_BAR_ATTRIBUTES, *(_NOTE if between else ())))
        fixed = next_kinds - {T.TIME_ABSOLUTE_POS, T.TIME_SIG, *ENDS}
        return Row(
            full=self._mask(fixed),
            bare=self._mask(fixed - left_out),
            between_notes=between,
            pitch=not next_kinds.isdisjoint(PITCHES),
            duration=T.NOTE_DURATION in next_kinds,
            metre=T.TIME_SIG in next_kinds,
        )

    def _mask(self, kinds: frozenset[T]) -> Mask:
        mask = np.zeros(self.vocabulary.size, dtype=np.bool_)
        for kind in kinds:
            start, end = self.vocabulary.range(kind)
            mask[start:end] = True
        mask.flags.writeable = False  # grammars hand it out as it is
        return mask


def first_to_read(kinds: Sequence[T], autoregressive: bool) -> int:
    """Where in a prompt of these types reading begins: nothing before it matters to what is written."""
    if autoregressive:
        return max((place for place, kind in enumerate(kinds) if kind is T.TRACK), default=0)
    return kinds.index(T.FILL_IN_START) if T.FILL_IN_START in kinds else len(kinds) - 1


@lru_cache(maxsize=32)
def table_for(vocabulary: Vocabulary, velocity: bool, microtiming: bool) -> GrammarTable:
    """The table of a vocabulary, made once. Raises TokenError for one no bar can be written with."""
    return GrammarTable(vocabulary, velocity, microtiming)
