"""Rules of voices while they are written: what a player can strike together, and no parallel fifths or octaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from midigpt_core.constraints.masks import PITCH, Allowed, Constraint, Cursor, without_pitches
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.voices.leading import GRID, Line, last_before, parallel
from midigpt_core.voices.playable import grip_of
from midigpt_core.voices.ranges import range_of

_PITCHES = range(128)


@dataclass
class Playable(Constraint):
    """Only pitches of the instrument, and only such chords as its player can strike."""

    vocabulary: Vocabulary
    programs: Mapping[int, int]  # cell -> General MIDI program, for melodic cells
    name: str = "playable"
    _struck: tuple[int, ...] = ()  # at the cursor's place
    _masks: dict[tuple[int, tuple[int, ...]], Allowed] = field(default_factory=dict, repr=False)

    def allow(self, at: Cursor) -> Allowed | None:
        if at.cell not in self.programs or at.pitch >= 0:
            return None
        key = self.programs[at.cell], self._struck if at.slot else ()
        if key not in self._masks:
            self._masks[key] = without_pitches(self.vocabulary, _unplayable(*key))
        return self._masks[key]

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH:
            self._struck = tuple(sorted({*(self._struck if at.slot > 1 else ()), value}))


def _unplayable(program: int, struck: tuple[int, ...]) -> list[int]:
    low, high = range_of(program)
    held = grip_of(program)
    return [
        pitch
        for pitch in _PITCHES
        if not low <= pitch <= high or (held is not None and not held[0](tuple(sorted({*struck, pitch}))))
    ]


@dataclass
class Leading(Constraint):
    """No note that moves with another voice in parallel fifths or octaves. Voices written earlier in the same step are
    heard, those written later hear this one."""

    vocabulary: Vocabulary
    places: Mapping[int, tuple[int, int]]  # cell -> its track, and where its bar begins on the grid of voices
    lowest: Mapping[int, bool]  # track -> whether its voice is its lowest notes
    others: Mapping[int, Iterable[int]]  # track -> those whose voices it must not move in parallel with
    lines: dict[int, Line]  # track -> its voice as far as it is known; new notes are added
    name: str = "voice_leading"

    def allow(self, at: Cursor) -> Allowed | None:
        if at.cell not in self.places or at.pitch >= 0:
            return None
        track, _ = self.places[at.cell]
        if self.lowest[track] and at.slot:
            return None
        banned = {pitch for other in self.others[track] for pitch in self._banned(track, other, self._place(at))}
        return without_pitches(self.vocabulary, banned) if banned else None

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH and at.cell in self.places:
            track, place = self.places[at.cell][0], self._place(at)
            choose = min if self.lowest[track] else max
            self.lines[track][place] = choose(value, self.lines[track].get(place, value))

    def _place(self, at: Cursor) -> int:
        return self.places[at.cell][1] + round(GRID * at.tick / self.vocabulary.config.resolution)

    def _banned(self, track: int, other: int, place: int) -> list[int]:
        """The pitches that would move in parallel with the other voice at this place, going by the notes before it."""
        mine, theirs = self.lines[track], self.lines[other]
        if place not in theirs:
            return []
        a, b = last_before(mine, sorted(mine), place), last_before(theirs, sorted(theirs), place)
        if a is None or b is None:
            return []
        first, now = (mine[a], theirs[b]), theirs[place]
        return [pitch for pitch in _PITCHES if parallel(first, (pitch, now)) is not None]
