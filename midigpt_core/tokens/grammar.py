"""Follow the tokens a model writes, and say which are legal next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from midigpt_core.errors import TokenError
from midigpt_core.tokens.grammar_table import BAR, FILL, HEAD, Mask, Row, first_to_read, table_for
from midigpt_core.tokens.sounding import Sounding
from midigpt_core.tokens.targets import TargetBar, Targets
from midigpt_core.tokens.types import TokenType as T
from midigpt_core.tokens.vocabulary import Vocabulary

_NEVER = 1 << 62
_NO_LIMIT = 1 << 14  # notes sounding at once
_TOKENS_PER_BAR = 9  # at most, of a bar written as short as the grammar allows: one note, all it may begin with


@dataclass(frozen=True)
class GrammarOptions:
    """How strictly bars are written. Limits hold in the written notes, per track; 0 switches a limit off."""

    require_notes: bool = True  # no bar may stay empty, unless a limit leaves no room for a note
    ascending_pitches: bool = True  # notes of one onset rise in pitch, so that none is written twice
    density_limit: int = 0  # notes per bar
    polyphony_limit: int = 0  # notes sounding at once, those that stay around the bar included
    max_tokens: int = 0  # after the prompt: near it, bars are closed as soon as they may be; 0: no end


class Grammar:
    """The state of one step: a prompt was read, the target bars are being written. There is always a legal token.

    Bars come out exactly as asked, in order, each note within its bar; `finished` is set with the last bar's end.
    """

    def __init__(self, vocabulary: Vocabulary, targets: Targets, options: GrammarOptions | None = None) -> None:
        self.vocabulary = vocabulary
        self.targets = targets
        self.options = options or GrammarOptions()
        self.finished = not targets.bars
        self.bars_done = 0
        self._place_of = {target.bar: place for place, target in enumerate(targets.bars)}
        self.here: TargetBar | None = None  # the bar being written
        self._last = T.PIECE_START
        self._drum = False
        self._bars = 0  # bars of the current track so far
        self._spent = 0  # tokens since the prompt
        self._length = 1
        self._sounding: Sounding | None = None  # kept on the current track where a polyphony limit asks for it
        self._legal: Mask | None = None
        self._set_hurry()
        self._table = table_for(vocabulary, True, True)
        self._enter(HEAD)
        self._open_bar(None)

    # ---- reading ----

    def prime(self, prompt: Sequence[int]) -> Grammar:
        """Read the prompt the model was given. Raises TokenError where it does not lead up to the first target."""
        if not len(prompt):
            raise TokenError("the prompt is empty; encode the window first")
        kinds = [self.vocabulary.types[token] for token in prompt]
        values = self.vocabulary.values
        off = {kind for token, kind in zip(prompt[:8], kinds[:8], strict=True) if values[token] == 0}
        self._table = table_for(self.vocabulary, T.USE_VELOCITY not in off, T.USE_MICROTIMING not in off)
        for token in prompt[first_to_read(kinds, self.targets.autoregressive) :]:
            self.advance(token)
        self._spent = 0
        self._check_prompt()
        return self

    def advance(self, token: int) -> None:
        """Follow one token. It is taken as legal."""
        kind = self.vocabulary.types[token]
        follow = _FOLLOW.get(kind)
        if follow is not None:
            follow(self, self.vocabulary.values[token])
        self._last = kind
        self._spent += 1
        self._legal = None

    def copy(self) -> Grammar:
        """An independent grammar in the same state."""
        twin = object.__new__(Grammar)
        twin.__dict__.update(self.__dict__)
        if self._sounding is not None:
            twin._sounding = self._sounding.copy()
        return twin

    # ---- answering ----

    def legal(self) -> Mask:
        """True for each token that may come next, (vocabulary,), not to be changed; all False once finished."""
        if self._legal is None:
            self._legal = self._judge()
        return self._legal

    def forced(self) -> int | None:
        """The only legal token, where there is just one and the model is not needed."""
        legal = self.legal()
        return int(legal.argmax()) if np.count_nonzero(legal) == 1 else None

    def _judge(self) -> Mask:
        row = self._rows.get(self._last)
        if self.finished or row is None:
            return np.zeros(self.vocabulary.size, dtype=np.bool_)
        if row.between_notes and self.here is not None:
            return self._between_notes(row, self.here)
        mask = row.bare if self._spent >= self._hurry else row.full
        if row.pitch and (self._top >= 0 or self._sounding is not None):
            self._narrow_note(mask := mask.copy())
        elif row.duration and self._sounding is not None and self.here is not None:
            self._only_short(mask := mask.copy(), self._sounding, self.here)
        elif row.metre:
            self._table.open_metre(mask := mask.copy(), self.here.metre if self.here is not None else -1)
        return mask

    def _between_notes(self, row: Row, here: TargetBar) -> Mask:
        """After a note, or at the beginning of a bar: another note, a later position, or the end."""
        needed = self.options.require_notes and not self._notes
        wanted = needed or self._spent < self._hurry
        fits = wanted and self._fits(here)
        mask: Mask = (row.full if fits else row.bare).copy()
        if fits:
            self._narrow_note(mask)
        moves = wanted and self._later_positions(mask, here)
        if not (needed and (fits or moves)):
            mask[self._table.ends[self._place]] = True
        return mask

    def _fits(self, here: TargetBar) -> bool:
        """Whether another note may begin at this position."""
        options = self.options
        if 0 < self._density_limit <= self._notes:
            return False
        if self._chord >= self._table.n_pitches or (
            options.ascending_pitches and self._top >= self._table.n_pitches - 1
        ):
            return False
        at = here.start + self._position
        return self._sounding is None or bool(self._sounding.room(at, at + 1, self._length)[0])

    def _later_positions(self, mask: Mask, here: TargetBar) -> bool:
        """Open the positions a note may begin at, later in the bar; whether there are any."""
        first, end = self._table.positions
        start, stop = self._position + 1, min(here.ticks, end - first)
        if start >= stop or 0 < self._density_limit <= self._notes:
            return False
        if self._sounding is None:
            mask[first + start : first + stop] = True
            return True
        free = self._sounding.room(here.start + start, here.start + stop, self._length)
        mask[first + start : first + stop] = free
        return bool(free.any())

    def _narrow_note(self, mask: Mask) -> None:
        """Close what a note may not begin with here: pitches written, or held under a limit; untimely micro-timing."""
        if self._top >= 0 and self.options.ascending_pitches:
            self._table.close_pitches(mask, self._top + 1)
        if self._sounding is not None and self.here is not None:
            self._table.close_held(mask, self._sounding.held(self._begin_sounding(self.here)[0]))
            if not self._shift:
                self._only_timely(mask, self._sounding, self.here)

    def _only_timely(self, mask: Mask, sounding: Sounding, here: TargetBar) -> None:
        """Close micro-timing, early or late, where the part of a tick it takes up has no room."""
        at = here.start + self._position
        for kind, begin in ((T.DELTA_DIRECTION, max(here.start, at - 1)), (T.DELTA, at)):
            if not sounding.room(begin, begin + 1, self._length + 1)[0]:
                mask[slice(*self.vocabulary.range(kind))] = False

    def _only_short(self, mask: Mask, sounding: Sounding, here: TargetBar) -> None:
        """Leave the durations that end before the track would sound in too many notes."""
        begin, more = self._begin_sounding(here)
        longest = sounding.longest(begin)
        first, end = self._table.durations
        if longest is not None:
            mask[min(end, first + longest - more) : end] = False

    def _set_hurry(self) -> None:
        """From how many tokens on what is left of max_tokens is just enough to close the bars still to come."""
        to_come, limit = len(self.targets.bars) - self.bars_done, self.options.max_tokens
        self._hurry = limit - _TOKENS_PER_BAR * (to_come + 1) if limit else _NEVER

    # ---- following ----

    def _enter(self, place: int) -> None:
        self._place = place
        self._rows = self._table.rows(place, self._drum)
        onset = self._rows.get(T.NOTE_ONSET)
        self._hits = onset is not None and not onset.duration  # notes have no durations

    def _open_bar(self, target: TargetBar | None) -> None:
        self.here = target
        self._notes = 0
        self._move(0)
        if target is None:
            return
        self._length = target.hit_ticks if self._hits else 1  # that a note has at least
        self._density_limit = target.density_limit or self.options.density_limit
        if self._sounding is None or self._sounding.track != target.track:
            first, end = self._table.durations
            self._sounding = self.targets.sounding_on(target.track, self.options.polyphony_limit, end - first)
        if self._sounding is not None:
            self._sounding.limit = target.polyphony_limit or self.options.polyphony_limit or _NO_LIMIT

    def _close_bar(self, _: int) -> None:
        if self.here is not None:
            self.bars_done += 1
            self._set_hurry()
            self.finished = self.bars_done == len(self.targets.bars)
        self.here = None

    def _start_track(self, value: int) -> None:
        self._drum = value == 1
        self._bars = 0
        self._enter(HEAD)

    def _end_track(self, _: int) -> None:
        self._enter(HEAD)

    def _start_bar(self, _: int) -> None:
        place = self._place_of.get(self._bars) if self.targets.autoregressive else None
        self._bars += 1
        self._enter(BAR)
        self._open_bar(None if place is None else self.targets.bars[place])

    def _start_fill(self, _: int) -> None:
        if self.bars_done >= len(self.targets.bars):
            raise TokenError(f"a fill-in begins after all {self.bars_done} target bars; the prompt asks for more")
        target = self.targets.bars[self.bars_done]
        self._drum = target.drum
        self._enter(FILL)
        self._open_bar(target)

    def _move(self, position: int) -> None:
        self._position = position
        self._top = -1  # highest pitch written at this position
        self._chord = 0  # notes written at this position
        self._shift = 0  # of the next note by micro-timing: -1 early, 1 late

    def _shift_early(self, _: int) -> None:
        self._shift = -1

    def _shift_late(self, _: int) -> None:
        self._shift = self._shift or 1

    def _begin_note(self, pitch: int) -> None:
        self._top = pitch
        self._chord += 1
        self._notes += 1
        if self._hits:
            self._sound(self._length - 1)

    def _sound(self, ticks_less_one: int) -> None:
        if self._sounding is not None and self.here is not None:
            begin, more = self._begin_sounding(self.here)
            self._sounding.add(begin, ticks_less_one + 1 + more)
        self._shift = 0

    def _begin_sounding(self, here: TargetBar) -> tuple[int, int]:
        """The first tick the next note takes up, and how many more than its duration."""
        at = here.start + self._position
        return (max(here.start, at - 1) if self._shift < 0 else at), abs(self._shift)

    def _check_prompt(self) -> None:
        if self.finished:
            return
        if self.targets.autoregressive:
            first = self.targets.bars[self.bars_done].bar
            between_bars = self._place == HEAD or self._last is T.BAR_END
            if self.here is None and not (between_bars and self._bars == first):
                raise TokenError(
                    f"the prompt ends in bar {self._bars - 1} of its last track; bar {first} is to be written"
                )
        elif self.here is None and self._last not in (T.TRACK_END, T.FILL_IN_END):
            raise TokenError(f"the prompt ends with {self._last.value}; a prompt to fill in ends with FillInStart")


_FOLLOW: Mapping[T, Callable[[Grammar, int], None]] = {
    T.TRACK: Grammar._start_track,
    T.TRACK_END: Grammar._end_track,
    T.BAR: Grammar._start_bar,
    T.BAR_END: Grammar._close_bar,
    T.FILL_IN_START: Grammar._start_fill,
    T.FILL_IN_END: Grammar._close_bar,
    T.TIME_ABSOLUTE_POS: Grammar._move,
    T.DELTA_DIRECTION: Grammar._shift_early,
    T.DELTA: Grammar._shift_late,
    T.NOTE_ONSET: Grammar._begin_note,
    T.NOTE_PITCH: Grammar._begin_note,
    T.NOTE_DURATION: Grammar._sound,
}
