"""Keep a bar from coming out as it was: some of its notes, drawn by the seed, are not written again at their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor

import numpy as np

from midigpt_core.constraints.masks import Allowed, Constraint, Cursor, without_pitches
from midigpt_core.score import Bar
from midigpt_core.tokens.vocabulary import Vocabulary

Places = Mapping[int, Mapping[int, frozenset[int]]]  # cell -> tick -> pitches that are not written there


@dataclass
class Depart(Constraint):
    """Pitches that are not wanted at their ticks."""

    vocabulary: Vocabulary
    banned: Places
    name: str = "novelty"

    def allow(self, at: Cursor) -> Allowed | None:
        pitches = self.banned.get(at.cell, {}).get(at.tick)
        if not pitches or at.pitch >= 0:
            return None
        return without_pitches(self.vocabulary, pitches)


def places_to_leave(originals: Sequence[Bar], threshold: float, attempt: int, seed: int) -> Places:
    """Enough notes of each bar (onsets on the model's grid) that what is written cannot share `threshold` of them.

    Every further attempt leaves out more of them.
    """
    random = np.random.default_rng([seed, attempt])
    found: dict[int, dict[int, frozenset[int]]] = {}
    for cell, bar in enumerate(originals):
        notes = sorted({(note.onset_ticks, note.pitch) for note in bar.notes})
        least = floor(len(notes) * (1 - threshold)) + 1
        count = min(len(notes), least * max(1, attempt - 1))
        ticks: dict[int, frozenset[int]] = {}
        for index in random.permutation(len(notes))[:count]:
            tick, pitch = notes[index]
            ticks[tick] = ticks.get(tick, frozenset()) | {pitch}
        found[cell] = ticks
    return found
