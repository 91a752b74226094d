"""How voices move against each other: parallel fifths and octaves between neighbours and between the outer two."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean

from midigpt_core.score import DRUM, Score
from midigpt_core.voices.ranges import range_of

GRID = 12  # places per quarter note at which onsets are one
REACH = 4 * GRID  # from the one note of a voice to the next, for a move
PARALLEL: Mapping[int, str] = {0: "parallel octaves", 7: "parallel fifths"}  # by semitones above the octaves between
DOUBLED = 0.5  # share of the common onsets at one such interval from which two tracks are one voice
FEWEST = 8  # common onsets that tell that
AROUND = 16  # bars before and after, in which voices are compared

Line = dict[int, int]  # place on the grid -> pitch


@dataclass(frozen=True)
class VoicePart:
    """One line of a track: of the lowest voice its lowest notes, of the others the highest."""

    track: int
    lowest: bool


@dataclass(frozen=True)
class Stave:
    """Some bars of a piece in a row, as a grid: `lines[i]` is where bar `first` + i begins."""

    score: Score
    first: int
    lines: tuple[int, ...]

    @classmethod
    def of(cls, score: Score, first: int, end: int) -> Stave:
        """The bars from `first` up to `end`, as far as the piece has them."""
        first, end = max(0, first), min(end, score.n_bars)
        longest = max(score.tracks, key=lambda track: track.n_bars).bars[first:end]
        return cls(
            score,
            first,
            tuple(round(place) for place in accumulate((GRID * b.beat_length for b in longest), initial=0.0)),
        )

    @property
    def end(self) -> int:
        return self.first + len(self.lines) - 1

    def place(self, bar: int, tick: int) -> int:
        """The place of an onset of a bar."""
        return self.lines[bar - self.first] + round(GRID * tick / self.score.resolution)

    def bar_at(self, place: int) -> int:
        """The bar of a place."""
        return self.first + bisect_left(self.lines, place + 1) - 1

    def line(self, voice: VoicePart, without: Collection[int] = ()) -> Line:
        """A voice in these bars, but for those left out."""
        found: Line = {}
        bars, choose = self.score.tracks[voice.track].bars, min if voice.lowest else max
        for bar in range(self.first, min(self.end, len(bars))):
            for note in bars[bar].notes if bar not in without else ():
                place = self.place(bar, note.onset_ticks)
                found[place] = choose(note.pitch, found.get(place, note.pitch))
        return dict(sorted(found.items()))


def voices_of(stave: Stave, written: Collection[int] = ()) -> tuple[VoicePart, ...]:
    """The voices of these bars, from the lowest up: of melodic tracks that sound there, and of those to be `written`,
    which are looked for in the middle of their range while they are silent."""
    heights = {}
    for number, track in enumerate(stave.score.tracks):
        if track.track_type == DRUM:
            continue
        pitches = [note.pitch for bar in track.bars[stave.first : stave.end] for note in bar.notes]
        if pitches or number in written:
            heights[number] = fmean(pitches or range_of(track.instrument))
    order = sorted(heights, key=lambda number: (heights[number], number))
    return tuple(VoicePart(number, place == 0) for place, number in enumerate(order))


def pairs_of(score: Score, cells: Collection[tuple[int, int]]) -> tuple[tuple[VoicePart, VoicePart], ...]:
    """The pairs of neighbours, and the outer two, that have a cell that is written; two tracks that double each
    other are one voice."""
    bars, tracks = [bar for _, bar in cells], {track for track, _ in cells}
    stave = Stave.of(score, min(bars) - AROUND, max(bars) + 1 + AROUND)
    voices = voices_of(stave, tracks)
    near = [*pairwise(voices), *([(voices[0], voices[-1])] if len(voices) > 2 else [])]
    return tuple(pair for pair in near if {voice.track for voice in pair} & tracks and not _doubled(stave, pair, cells))


def _doubled(stave: Stave, pair: Sequence[VoicePart], cells: Collection[tuple[int, int]]) -> bool:
    """Whether the bars of two tracks that stay keep one of the parallel intervals at most of their common onsets."""
    low, high = (stave.line(voice, {bar for track, bar in cells if track == voice.track}) for voice in pair)
    common = [abs(low[place] - high[place]) % 12 for place in low.keys() & high.keys()]
    return len(common) >= FEWEST and any(common.count(apart) >= DOUBLED * len(common) for apart in PARALLEL)


def last_before(line: Line, places: Sequence[int], place: int) -> int | None:
    """The place of the note of a line before a place, where it is near enough for a move. `places`: all, in order."""
    i = bisect_left(places, place)
    return places[i - 1] if i and place - places[i - 1] <= REACH else None


def parallel(first: tuple[int, int], second: tuple[int, int]) -> int | None:
    """The interval (see PARALLEL) that two voices keep in a move in one direction, or None."""
    apart = abs(first[0] - first[1]) % 12
    together = (second[0] - first[0]) * (second[1] - first[1]) > 0
    return apart if together and apart in PARALLEL and abs(second[0] - second[1]) % 12 == apart else None


def parallels(low: Line, high: Line) -> Iterator[tuple[int, int, int, int]]:
    """Every move of two lines that keeps a fifth or an octave: where each comes from, where both go, the interval."""
    places = sorted(low), sorted(high)
    for place in sorted(low.keys() & high.keys()):
        a, b = last_before(low, places[0], place), last_before(high, places[1], place)
        if a is not None and b is not None:
            kept = parallel((low[a], high[b]), (low[place], high[place]))
            if kept is not None:
                yield a, b, place, kept
