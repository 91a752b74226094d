"""Which bars of the piece a new bar may repeat, and how likely each is: the prior of the echo.

Log weights are a linear function of how alike the surroundings of both bars are. Its coefficients were fitted by
maximum likelihood on held-out real songs (`benchmarks/fit_echo.py` fits them anew and says what they are worth).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from midigpt_core.constraints.attribute_targets import AttributeTarget, attribute_targets
from midigpt_core.echo.echo_constraint import LEFT, LEFT_KNOWN, NOTE_TOKENS, OTHERS, Choice, Source
from midigpt_core.echo.mixture import Body
from midigpt_core.plain_sum import plain_sum
from midigpt_core.plan.steps import Cell
from midigpt_core.request import TrackPrompt
from midigpt_core.score import Bar, Note, Score
from midigpt_core.tokens import kernels
from midigpt_core.tokens.encode import EncodeOptions
from midigpt_core.tokens.grid import nearest_tick, to_grid, with_listed_metres
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType

REACH = 64  # bars that are looked at, before and after
MOST = 12  # sources of a cell, the likeliest ones
GRID = 12  # ticks per quarter note on which notes count as equal

WEIGHTS = {  # what each feature adds to a source's log weight; the model's is 0
    "any": -3.4,
    "others": OTHERS,  # share of equal notes in the other tracks
    "left": LEFT,  # share of equal notes in the bars before
    "left known": LEFT_KNOWN,
    "right": 1.7,  # and in the bars after
    "right known": -1.0,
    "near": 0.45,  # minus the logarithm of the distance in bars
    "phrase": 1.5,  # a multiple of four bars away
    "empty": -0.9,  # a source without a note
}

Notes = frozenset[tuple[int, int]]  # (onset on the grid, pitch)


def note_set(notes: Iterable[Note], resolution: int) -> Notes:
    """The notes of a bar, so that equal ones can be counted."""
    return frozenset((nearest_tick(n.onset_ticks, resolution, GRID), n.pitch) for n in notes)


@dataclass
class Surroundings:
    """The piece as one step may hear it: some cells are unknown, because they are to be written or hidden."""

    score: Score
    unknown: Collection[Cell]
    tracks: Sequence[int]  # that are shown
    _notes: dict[Cell, Notes | None] = field(default_factory=dict)
    _shared: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)  # of two bars, see `_in_all`

    def notes(self, cell: Cell) -> Notes | None:
        """What stands in a cell; None where that is unknown or there is no such bar."""
        if cell not in self._notes:
            bars = self.score.tracks[cell[0]].bars
            known = cell not in self.unknown and 0 <= cell[1] < len(bars) and not bars[cell[1]].future
            self._notes[cell] = self._notes_in(cell) if known else None
        return self._notes[cell]

    def _notes_in(self, cell: Cell) -> Notes:
        bar, resolution = self.score.tracks[cell[0]].bars[cell[1]], self.score.resolution
        return note_set(bar.notes, resolution)

    def gives_back(self, cell: Cell, source: int) -> bool:
        """Whether the bar `source` of the cell's track has the very notes that stand where new ones are to be written.

        Only for the choice of what to try next, once an attempt has given back what was there.
        """
        return self._notes_in(cell) == self._notes_in((cell[0], source))

    def others(self, track: int, bar: int, other: int) -> float:
        """Share of equal notes of two bars, over all tracks but one."""
        equal, every = self._in_all(bar, other)
        if track in self.tracks:
            own_equal, own_every = self._in_one(track, bar, other)
            equal, every = equal - own_equal, every - own_every
        return equal / every if every else 0.0

    def _in_all(self, bar: int, other: int) -> tuple[int, int]:
        """(equal notes, different places that have one) of two bars, over all tracks."""
        if (bar, other) not in self._shared:
            found = [self._in_one(track, bar, other) for track in self.tracks]
            self._shared[bar, other] = sum(equal for equal, _ in found), sum(every for _, every in found)
        return self._shared[bar, other]

    def _in_one(self, track: int, bar: int, other: int) -> tuple[int, int]:
        here, there = self.notes((track, bar)), self.notes((track, other))
        if here is None or there is None:
            return 0, 0
        equal = len(here & there)
        return equal, len(here) + len(there) - equal

    def sounding(self, track: int, bar: int) -> int:
        """How many other tracks sound in a bar, as far as that is known."""
        return sum(bool(self.notes((number, bar))) for number in self.tracks if number != track)

    def beside(self, track: int, bar: int, other: int) -> float | None:
        """Share of equal notes of two bars of a track; None where one is unknown or both are silent."""
        equal, every = self._in_one(track, bar, other)
        return equal / every if every else None

    def features(self, track: int, bar: int, source: int) -> dict[str, float]:
        """Evidence that `bar` repeats `source`, by the names of WEIGHTS."""
        distance = abs(bar - source)
        left, right = self.beside(track, bar - 1, source - 1), self.beside(track, bar + 1, source + 1)
        return {
            "any": 1.0,
            "others": self.others(track, bar, source),
            "left": left or 0.0,
            "left known": float(left is not None),
            "right": right or 0.0,
            "right known": float(right is not None),
            "near": -math.log(distance),
            "phrase": float(distance % 4 == 0),
            "empty": float(self.notes((track, source)) == frozenset()),
        }

    def source(self, track: int, bar: int, source: int, body: Body, cell: int) -> Source:
        """The bar `source` as one that `bar` may repeat."""
        features = self.features(track, bar, source)
        others = features.pop("others")
        weight = plain_sum(WEIGHTS[name] * value for name, value in features.items())
        return Source(source, weight, body, cell, others)


@dataclass
class SourceFilter:
    """The attribute values a caller asks for: bars that have others are not repeated."""

    score: Score
    prompts: Mapping[int, TrackPrompt]
    tokenizer: Tokenizer
    _targets: dict[Cell, tuple[AttributeTarget, ...]] = field(default_factory=dict)
    _levels: dict[tuple[str, Cell], int] = field(default_factory=dict)  # (attribute, bar) -> what it measures there

    def met(self, cell: Cell, source: int) -> bool:
        """Whether the bar `source` of the cell's track meets the cell's targets, give or take one level."""
        if cell not in self._targets:
            self._targets[cell] = attribute_targets(self.prompts, [cell], self.tokenizer.attributes).targets
        return all(target.near(self._level(replace(target, bars=(source,)))) for target in self._targets[cell])

    def _level(self, target: AttributeTarget) -> int:
        place = (target.attribute.name, (target.track, target.bars[0]))
        if place not in self._levels:
            self._levels[place] = target.level(self.score, self.tokenizer)
        return self._levels[place]


def kept_bars(
    around: Surroundings, cells: Sequence[Cell], tokenizer: Tokenizer, switches: EncodeOptions
) -> dict[int, dict[int, Body]]:
    """The bars that stay of the tracks of these cells, near them, as tokens, by track and bar.

    `switches` says whether notes are written with velocity and micro-timing, and how long the window is.
    """
    bodies: dict[int, dict[int, Body]] = {}
    for track in sorted({track for track, _ in cells}):
        targets = [bar for t, bar in cells if t == track]
        near = range(max(0, min(targets) - REACH), min(around.score.n_bars, max(targets) + REACH + 1))
        known = [bar for bar in near if around.notes((track, bar)) is not None]
        bodies[track] = dict(zip(known, _bodies(around.score, track, known, tokenizer, switches), strict=True))
    return bodies


def choices(
    around: Surroundings, accepted: SourceFilter, bodies: Mapping[int, Mapping[int, Body]], cells: Sequence[Cell]
) -> dict[int, Choice]:
    """What each cell of a step may repeat, by its place in `cells`, the order of writing."""
    place = {cell: i for i, cell in enumerate(cells)}
    return {
        i: _choice(
            around,
            cell,
            {bar: body for bar, body in bodies[cell[0]].items() if accepted.met(cell, bar)},
            {bar: j for (t, bar), j in place.items() if t == cell[0] and j <= i},
            tuple(j for (t, bar), j in place.items() if t != cell[0] and bar == cell[1] and j < i),
        )
        for cell, i in place.items()
    }


def _choice(
    around: Surroundings,
    cell: Cell,
    bodies: Mapping[int, Body],
    written: Mapping[int, int],
    beside: tuple[int, ...],
) -> Choice:
    """`bodies`: what stays of the cell's track; `written`: the cells of its bars that are written up to this one;
    `beside`: the cells of this bar in other tracks, likewise."""
    track, bar = cell
    bars = around.score.tracks[track].bars
    alike = [s for s in (*bodies, *written) if 0 < abs(s - bar) <= REACH and _metre(bars[s]) == _metre(bars[bar])]
    found = [around.source(track, bar, s, bodies.get(s, ()), written.get(s, -1)) for s in alike]
    found.sort(key=lambda source: (-source.log_weight - OTHERS * source.others, source.bar))
    return Choice(tuple(found[:MOST]), written.get(bar - 1, -1), beside, around.sounding(track, bar))


def _metre(bar: Bar) -> tuple[int, int, float]:
    return bar.ts_numerator, bar.ts_denominator, bar.beat_length


def _bodies(score: Score, track: int, bars: Sequence[int], tokenizer: Tokenizer, options: EncodeOptions) -> list[Body]:
    """The tokens of these bars of a track, without what every bar begins and ends with."""
    if not bars:
        return []
    one = replace(score.tracks[track], bars=[score.tracks[track].bars[bar] for bar in bars], attributes={})
    vocabulary = tokenizer.vocabulary
    part = Score([one], resolution=score.resolution, tempo=score.tempo)
    part = with_listed_metres(to_grid(part, tokenizer.config), tokenizer.config)
    found: list[list[int]] = []
    for token in kernels.encode(part, vocabulary, options).tokens:
        kind = vocabulary.types[token]
        if kind is TokenType.BAR:
            found.append([])
        elif kind in NOTE_TOKENS:
            found[-1].append(token)
    return [tuple(body) for body in found]
