"""A drum fill: more hits at the end of the new bars, on the drums that fills are played on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np

from midigpt_core.constraints.attribute_limits import Push, among_pitches, open_until
from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.drum_parts import DRUM_PARTS
from midigpt_core.constraints.masks import LEADS_TO_NOTE, PITCH, Allowed, Bias, Constraint, Cursor, token_mask
from midigpt_core.fields import reader, refused
from midigpt_core.score import DRUM, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

END = "end"
BEATS = 2.0  # quarter notes of a fill unless it is said
LONGEST = 16.0
RISE = 1.5  # hits of a fill, by how many there usually are at its place
MORE = 2  # hits that the bar of a fill has more than usual
PER_BEAT = 3  # hits of a fill at least
AT_ONCE = 3  # hits together at most
WEIGHTS: Mapping[str, float] = {"toms": 3.0, "snare": 2.0, "crash": 0.5, "kick": 0.0}  # added to their logits

Hits = Sequence[int]  # ticks


@dataclass(frozen=True)
class FillPlace:
    """Where a fill is."""

    begin: int  # ticks of its bar
    end: int
    beat: int  # ticks of a quarter note
    before: Sequence[int]  # the cells before it, of the same new bars
    kept: Sequence[Hits]  # the hits of bars that stay

    def needed(self, written: Mapping[int, list[int]], so_far: int) -> int:
        """Hits that the fill needs after so many before it in its bar; written: hits by cell."""
        bars = [written.get(cell, []) for cell in self.before] or self.kept
        usual = np.mean([len(hits) for hits in bars]) if bars else 0.0
        here = np.mean([sum(tick >= self.begin for tick in hits) for hits in bars]) if bars else 0.0
        length = self.end - self.begin
        wanted = max(PER_BEAT * length / self.beat, RISE * float(here), float(usual) + MORE - so_far)
        return min(ceil(wanted), AT_ONCE * 4 * length // self.beat)


@dataclass
class Fill(Push):
    """In the stretches no time-keeping, rather toms and snare, and more hits than there usually are."""

    vocabulary: Vocabulary
    by_cell: Mapping[int, FillPlace]
    name: str = "fill"
    _hits: dict[int, list[int]] = field(default_factory=dict, repr=False)  # cell -> ticks

    def __post_init__(self) -> None:
        self._allowed = ~token_mask(self.vocabulary, *PITCH)
        self._bias = np.zeros(self.vocabulary.size, dtype=np.float32)
        for start, end in (self.vocabulary.range(kind) for kind in PITCH if self.vocabulary.has(kind)):
            for part, weight in WEIGHTS.items():
                tokens = [start + pitch for pitch in DRUM_PARTS[part] if start + pitch < end]
                self._allowed[tokens] = True
                self._bias[tokens] = weight

    def allow(self, at: Cursor) -> Allowed | None:
        stretch = self.by_cell.get(at.cell)
        if stretch is None:
            return None
        sixteenth = max(1, stretch.beat // 4)
        if at.tick < stretch.begin:
            return open_until(self.vocabulary, stretch.begin + sixteenth - 1)
        hits = self._hits.get(at.cell, [])
        done = sum(tick >= stretch.begin for tick in hits)
        needed = stretch.needed(self._hits, len(hits) - done)
        if done >= needed:
            return self._allowed & self._places(stretch)
        due = stretch.begin + (stretch.end - stretch.begin) * done // needed + sixteenth
        if at.slot < AT_ONCE:
            return self._allowed & self._places(stretch) & open_until(self.vocabulary, max(due, at.tick + sixteenth))
        on = self._places(stretch) & open_until(self.vocabulary, stretch.end)
        return on & ~token_mask(self.vocabulary, *PITCH, *LEADS_TO_NOTE)

    def _places(self, stretch: FillPlace) -> Allowed:
        """Of the ticks of a stretch the sixteenths and the triplets."""
        allowed = np.ones(self.vocabulary.size, dtype=np.bool_)
        start, end = self.vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
        ticks = np.arange(stretch.begin, min(stretch.end, end - start))
        kept = [ticks % max(1, stretch.beat // parts) == 0 for parts in (3, 4)]
        allowed[start + ticks] = kept[0] | kept[1]
        return allowed

    def bias(self, at: Cursor, logprobs: Bias) -> Bias | None:
        stretch = self.by_cell.get(at.cell)
        if stretch is None or at.tick < stretch.begin:
            return None
        return among_pitches(self.vocabulary, self._bias, logprobs)

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH:
            self._hits.setdefault(at.cell, []).append(at.tick)


_LENGTH = reader(float, "quarter notes", 0, LONGEST, open_low=True, words={END: END})


class FillControl:
    """ "end" (two) or a number of quarter notes: a fill of this length at the end of these drum bars, with more hits
    than the bars before, on toms, snare, crash and kick."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _LENGTH(value, where)
        if track.track_type != DRUM:
            raise refused(where, value, "is for drums, this track is melodic", "drop it")

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        beat, found = scene.vocabulary.config.resolution, {}
        for cell, value in values.items():
            done, of = scene.run(cell, "fill")
            if done == of - 1:
                ticks = scene.bars[cell].ticks(beat)
                length = round((BEATS if value == END else value) * beat)
                before = [cell - i for i in range(1, done + 1) if scene.before(cell, i)]
                kept = [[note.onset_ticks for note in bar.notes] for bar in scene.kept(cell) if bar.notes]
                found[cell] = FillPlace(max(0, ticks - length), ticks, beat, before, kept)
        return [Fill(scene.vocabulary, found)] if found else []
