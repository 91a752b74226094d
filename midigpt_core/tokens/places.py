"""Say where in the score each token of a sequence stands, and what sounds there in the other tracks.

A place follows from the tokens up to it and from nothing else: what is still to be written, or hidden, cannot reach it.
The compiled twin is in cython_ext/places.pyx.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from midigpt_core.compiled import compiled
from midigpt_core.errors import EncoderConfigError
from midigpt_core.tokens.types import TokenType as T
from midigpt_core.tokens.vocabulary import Vocabulary

OCTAVE = 12
HARMONY = 2 * OCTAVE  # bits: pitch classes that sound at the tick, then those that sound anywhere in the bar
PROGRAMS = 128
QUARTERS = 4  # in a whole note
COMMON = (4, 4)  # the metre of bars that name none

Ticks = npt.NDArray[np.uint16]  # pitch classes that sound, by tick from the start of the window


class Place(NamedTuple):
    """Where a token stands, once it has been read. Numbers count from 1; 0: nowhere in particular."""

    track: int = 0
    instrument: int = 0  # 1 drums, else 2 + General MIDI program
    bar: int = 0
    tick: int = 0  # 1 at the bar line
    fill: int = 0  # 1 in a bar that is being filled in
    harmony: int = 0  # HARMONY bits: pitch classes of the other melodic tracks, as far as they are known


@dataclass(frozen=True)
class PlaceSizes:
    """How many places of each kind a network tells apart; what lies beyond counts as the last one (tracks go round)."""

    tracks: int = 16
    bars: int = 16
    ticks: int = 192

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 4096:
                raise EncoderConfigError(f"places: {name} is {value!r}; it must be a whole number from 1 to 4096")

    def tables(self) -> dict[str, int]:
        """Rows of each of a network's tables, by name; all but the last have one row for each value of a Place."""
        tables = {"track": self.tracks, "instrument": PROGRAMS + 1, "bar": self.bars, "tick": self.ticks, "fill": 1}
        return {**{name: 1 + size for name, size in tables.items()}, "harmony": HARMONY}


class Reader(Protocol):
    """Follows one sequence."""

    def read(self, token: int) -> Place:
        """Where this next token stands."""
        ...

    def copy(self) -> Reader:
        """An independent reader in the same state."""
        ...


@dataclass(frozen=True)
class Places:
    """The places of sequences over a vocabulary."""

    vocabulary: Vocabulary
    sizes: PlaceSizes

    def reader(self) -> Reader:
        """A reader at the beginning of a sequence, compiled where that was built."""
        twin: Any = compiled("places")
        if twin is None:
            return PlaceReader(self.vocabulary, self.sizes)
        found: Reader = twin.reader(self.vocabulary, self.sizes)
        return found

    def of(self, tokens: Sequence[int]) -> npt.NDArray[np.int32]:
        """The places of a whole sequence, (tokens, 6), in the order of Place's fields."""
        reader = self.reader()
        found = [reader.read(int(token)) for token in tokens]
        return np.array(found, np.int32).reshape(len(found), len(Place._fields))


class PlaceReader:
    """The readable reference."""

    def __init__(self, vocabulary: Vocabulary, sizes: PlaceSizes) -> None:
        self.vocabulary, self.sizes = vocabulary, sizes
        longest = vocabulary.domain_size(T.NOTE_DURATION)
        self._length = sizes.bars * sizes.ticks + longest  # ticks a window may have
        self._sounding: list[Ticks] = []  # by track; drums stay silent
        self._shared: set[int] = set()  # tracks whose ticks another reader holds too
        self._instruments: list[int] = []
        self._lines: list[list[int]] = []  # by track: where each bar begins, and where the last one ends
        self._gaps: list[tuple[int, int]] = []  # (track, bar) to be filled in, in order
        self._filled = 0
        self._track = self._bar = self._position = -1
        self._filling = False
        self._pitch = 0
        self._others = np.zeros(self._length, np.uint16)  # what sounds in the tracks that are not the current one
        self._in_bar = 0  # pitch classes of the others in the current bar

    def read(self, token: int) -> Place:
        """See Reader.read."""
        follow = _FOLLOW.get(self.vocabulary.types[token])
        if follow is not None:
            follow(self, self.vocabulary.values[token])
        return self._place()

    def copy(self) -> PlaceReader:
        """See Reader.copy."""
        twin = object.__new__(PlaceReader)
        twin.__dict__.update(self.__dict__)
        twin._sounding, twin._instruments = list(self._sounding), list(self._instruments)
        twin._lines, twin._gaps = [list(lines) for lines in self._lines], list(self._gaps)
        self._shared = set(range(len(self._sounding)))
        twin._shared = set(self._shared)
        return twin

    def _place(self) -> Place:
        if self._track < 0:
            return Place()
        sizes, here = self.sizes, self._position >= 0
        return Place(
            1 + self._track % sizes.tracks,
            self._instruments[self._track],
            1 + min(self._bar, sizes.bars - 1) if self._bar >= 0 else 0,
            1 + min(self._position, sizes.ticks - 1) if here else 0,
            int(self._filling),
            int(self._others[self._now()]) | self._in_bar << OCTAVE if here else 0,
        )

    def _now(self, later: int = 0) -> int:
        """The current tick, or a later one, from the start of the window."""
        return min(self._lines[self._track][self._bar] + self._position + later, self._length - 1)

    # ---- following ----

    def _start_track(self, drums: int) -> None:
        self._sounding.append(np.zeros(self._length, np.uint16))
        self._instruments.append(int(drums == 1))
        self._lines.append([0])
        self._bar, self._filling = -1, False
        self._leave_bar()
        self._listen(len(self._sounding) - 1)

    def _name_instrument(self, group: int) -> None:
        if self._track >= 0 and self._instruments[self._track] != 1:
            self._instruments[self._track] = 2 + group % PROGRAMS

    def _start_bar(self, _: int) -> None:
        if self._track >= 0:
            lines = self._lines[self._track]
            self._bar = len(lines) - 1
            lines.append(lines[-1] + self._ticks(COMMON))
            self._enter_bar()

    def _set_metre(self, value: int) -> None:
        if self._bar >= 0:
            lines = self._lines[self._track]
            lines[-1] = lines[-2] + self._ticks(self.vocabulary.metre_of(value))
            self._enter_bar()

    def _ticks(self, metre: tuple[int, int]) -> int:
        return QUARTERS * self.vocabulary.config.resolution * metre[0] // metre[1]

    def _enter_bar(self) -> None:
        self._position = 0
        begin, end = self._lines[self._track][self._bar : self._bar + 2]
        self._in_bar = int(np.bitwise_or.reduce(self._others[begin:end]))

    def _leave_bar(self, _: int = 0) -> None:
        self._position = -1

    def _mark_gap(self, _: int) -> None:
        if self._bar >= 0:
            self._gaps.append((self._track, self._bar))

    def _start_fill(self, _: int) -> None:
        if self._filled < len(self._gaps):
            track, self._bar = self._gaps[self._filled]
            self._filled += 1
            self._filling = True
            self._listen(track)
            self._enter_bar()

    def _move(self, position: int) -> None:
        if self._position >= 0:
            self._position = position

    def _begin_note(self, pitch: int) -> None:
        self._pitch = pitch

    def _sound(self, ticks_less_one: int) -> None:
        """The note whose duration this is sounds on, for the tracks that are read after it."""
        if self._position >= 0 and self._instruments[self._track] != 1:
            own = self._track
            if own in self._shared:
                self._sounding[own] = self._sounding[own].copy()
                self._shared.discard(own)
            begin, end = self._now(), self._now(ticks_less_one + 1)
            self._sounding[own][begin:end] |= np.uint16(1 << self._pitch % OCTAVE)

    def _listen(self, track: int) -> None:
        """Make this the current track: what the others have so far is what it hears."""
        self._track = track
        self._others = np.zeros(self._length, np.uint16)
        for other, ticks in enumerate(self._sounding):
            if other != track:
                self._others |= ticks


_FOLLOW: Mapping[T, Callable[[PlaceReader, int], None]] = {
    T.TRACK: PlaceReader._start_track,
    T.INSTRUMENT: PlaceReader._name_instrument,
    T.TRACK_END: PlaceReader._leave_bar,
    T.BAR: PlaceReader._start_bar,
    T.TIME_SIG: PlaceReader._set_metre,
    T.BAR_END: PlaceReader._leave_bar,
    T.FILL_IN_PLACEHOLDER: PlaceReader._mark_gap,
    T.FILL_IN_START: PlaceReader._start_fill,
    T.FILL_IN_END: PlaceReader._leave_bar,
    T.TIME_ABSOLUTE_POS: PlaceReader._move,
    T.NOTE_ONSET: PlaceReader._begin_note,
    T.NOTE_PITCH: PlaceReader._begin_note,
    T.NOTE_DURATION: PlaceReader._sound,
}
