"""Syncopation: the share of onsets off the beat after which the next beat has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_core.constraints.attribute_limits import Push
from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.masks import ENDS, PITCH, Allowed, Constraint, Cursor, token_mask
from midigpt_core.fields import reader
from midigpt_core.score import Bar, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

Places = npt.NDArray[np.int64]  # ticks of a bar

MORE, LESS = "more", "less"
STEP = 0.25  # of a share, that more and less are apart from what is usual


def syncopated(onsets: Iterable[int], beat: int, ticks: int) -> list[int]:
    """Those of the onsets of a bar that are the last of their beat, off it, with none on the next beat of the bar; what
    follows the bar is not looked at. All in ticks; beat: of a quarter note, ticks: of the bar."""
    there = set(onsets)
    last = {tick // beat: tick for tick in sorted(there)}
    ahead = {tick: (place + 1) * beat for place, tick in last.items()}
    return [tick for tick, after in ahead.items() if tick % beat and after < ticks and after not in there]


def share_of(bars: Sequence[Bar], resolution: int) -> float | None:
    """The share of syncopated onsets in bars; None where there are no notes."""
    onsets = [({note.onset_ticks for note in bar.notes}, bar.ticks(resolution)) for bar in bars]
    count = sum(len(found) for found, _ in onsets)
    return sum(len(syncopated(found, resolution, ticks)) for found, ticks in onsets) / count if count else None


@dataclass
class Syncopation(Push):
    """After an onset off the beat no onset on the next beat, or one, as the share so far asks for."""

    vocabulary: Vocabulary
    tracks: Mapping[int, int]  # cell -> its track
    shares: Mapping[int, float]  # by cell
    ticks: Mapping[int, int]  # of the bars, by cell
    name: str = "syncopation"
    _onsets: dict[int, list[int]] = field(default_factory=dict, repr=False)  # by cell

    def allow(self, at: Cursor) -> Allowed | None:
        here = self._onsets.get(at.cell)
        if not here or at.pitch >= 0:
            return None
        beat, ticks = self.vocabulary.config.resolution, self.ticks[at.cell]
        coming = (here[-1] // beat + 1) * beat
        if coming >= ticks:
            return None
        if here[-1] % beat == 0:  # off the next beats, but for the last, whose next one is not of the bar
            off = self._moves(lambda place: (place % beat != 0) & (place < ticks - beat), False)
            return off if self._wanted(at.cell, 1) else None
        if self._wanted(at.cell, 0):
            return self._moves(lambda place: place != coming, True)
        return self._moves(lambda place: place <= coming, False)

    def _moves(self, wanted: Callable[[Places], Allowed], end: bool) -> Allowed:
        """Any note here, of the places ahead those wanted, and the end of the bar or not."""
        allowed = np.ones(self.vocabulary.size, dtype=np.bool_)
        first, last = self.vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
        allowed[first:last] = wanted(np.arange(last - first))
        return allowed if end else allowed & ~token_mask(self.vocabulary, *ENDS)

    def _wanted(self, cell: int, more: int) -> bool:
        """Whether one more syncopated onset keeps the track at its share; more: onsets still to be counted."""
        beat, mine = self.vocabulary.config.resolution, [c for c in self._onsets if self.tracks[c] == self.tracks[cell]]
        count = sum(len(self._onsets[c]) for c in mine) + more
        found = {c: syncopated(self._onsets[c], beat, self.ticks[c]) for c in mine}
        pending = self._onsets[cell][-1] in found[cell]
        return self.shares[cell] * count - sum(map(len, found.values())) + pending >= 0.5

    def advance(self, kind: TokenType, value: int, at: Cursor) -> None:
        if kind in PITCH and at.slot == 1 and at.cell in self.shares:
            self._onsets.setdefault(at.cell, []).append(at.tick)


_SHARE = reader(float, "the share of syncopated onsets", 0, 1, words={MORE: MORE, LESS: LESS})


class SyncopationControl:
    """0 to 1: the share of onsets off the beat with none on the next beat; "more" or "less": a quarter more or less
    than elsewhere in the track."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _SHARE(value, where)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        resolution = scene.vocabulary.config.resolution
        shares = {cell: self._share(value, scene, cell) for cell, value in values.items()}
        ticks = {cell: scene.bars[cell].ticks(resolution) for cell in values}
        return [Syncopation(scene.vocabulary, scene.tracks_of(values), shares, ticks)]

    def _share(self, value: Any, scene: Scene, cell: int) -> float:
        if value not in (MORE, LESS):
            return float(value)
        resolution = scene.vocabulary.config.resolution
        usual = share_of(scene.kept(cell), resolution)
        usual = share_of(scene.bars, resolution) or 0.0 if usual is None else usual
        return min(1.0, usual + STEP) if value == MORE else max(0.0, usual - STEP)
