"""The bars a model is to write: where they are, how long they are, and what sounds around them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, groupby

from midigpt_core.plan.steps import Cell
from midigpt_core.score import DRUM, Bar, Score
from midigpt_core.tokens.domains import nearest_metre
from midigpt_core.tokens.grid import grid_ticks
from midigpt_core.tokens.sounding import Sounding
from midigpt_core.tokens.vocabulary import Vocabulary

Kept = tuple[int, int, int]  # a note that stays: [start, end) in ticks of the grid from the start of the window, pitch


@dataclass(frozen=True)
class TargetBar:
    """One bar to write. Ticks are those of the model's grid."""

    track: int  # of the window, from 0
    bar: int  # of the window, from 0
    drum: bool = False
    start: int = 0  # ticks from the start of the window
    ticks: int = 0  # length of the bar
    metre: int = -1  # value of its TimeSig token; -1: free
    hit_ticks: int = 1  # how long a note without a duration token will sound
    density_limit: int = 0  # notes in this bar; 0: as GrammarOptions say
    polyphony_limit: int = 0  # notes sounding at once in this bar; 0: as GrammarOptions say


@dataclass(frozen=True)
class Targets:
    """The bars of one step in the order they are written, and the notes that stay around them."""

    bars: tuple[TargetBar, ...]
    autoregressive: bool = False
    sounding: Mapping[int, Collection[Kept]] = field(default_factory=dict)  # per track: notes that are kept

    def sounding_on(self, track: int, limit: int, longest: int) -> Sounding | None:
        """The notes that stay on a track, over the window and as far beyond as a new note may reach; None where no bar
        has a limit. limit: of bars that have none of their own; longest: ticks of a note."""
        if not limit and not any(bar.polyphony_limit for bar in self.bars if bar.track == track):
            return None
        ticks = max(bar.start + bar.ticks for bar in self.bars) + max(longest, *(bar.hit_ticks for bar in self.bars))
        return Sounding(track, limit, ticks, self.sounding.get(track, ()))


def targets_in(
    window: Score,
    cells: Iterable[Cell],
    vocabulary: Vocabulary,
    autoregressive: bool = False,
    sounding: Mapping[int, Collection[Kept]] | None = None,
    hit_ticks: Mapping[int, int] | None = None,
) -> Targets:
    """The targets of a window: its `cells`, (track, bar) both counted from 0, in the order a prompt asks for them.

    The window may be at any resolution. Two things matter to a polyphony limit alone, both by track of the window and
    in ticks of the grid: `sounding`, the notes that stay (see `plan.cut_paste.kept_notes`), and `hit_ticks`, the length
    that drum hits will be given (1 where it is not told).
    """
    config = vocabulary.config
    bars: list[TargetBar] = []
    for number, owned in groupby(sorted(cells), key=lambda cell: cell[0]):
        track = window.tracks[number]
        lengths = [grid_ticks(bar.beat_length, config.resolution) for bar in track.bars]
        starts = [0, *accumulate(lengths)]
        for _, place in owned:
            value, hit = _metre_value(track.bars[place], vocabulary), (hit_ticks or {}).get(number, 1)
            bars.append(TargetBar(number, place, track.track_type == DRUM, starts[place], lengths[place], value, hit))
    return Targets(tuple(bars), autoregressive, sounding or {})


def _metre_value(bar: Bar, vocabulary: Vocabulary) -> int:
    metre = nearest_metre((bar.ts_numerator, bar.ts_denominator), vocabulary.config.time_signatures)
    return vocabulary.metre_value(metre) if metre else -1
