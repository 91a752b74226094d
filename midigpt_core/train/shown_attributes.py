"""Which controls a window shows: most often none, else some, measured on the whole window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midigpt_core.attributes.attribute_table import AttributeTable
from midigpt_core.score import Score
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.training_example import Window, WindowTrack, as_score

STEERED = 0.7  # share of tracks with bars to write that carry controls, in a window that has controls at all
COLOURED = 0.25  # the same of the other tracks
BARS = 0.6  # share of such tracks that carry bar-level controls (the others: track-level alone)


class ControlDropper:
    """Measures controls and keeps a random part of them, so that each is optional."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.table = AttributeTable.from_config(vocabulary.config)

    def __call__(self, window: Window, rng: np.random.Generator) -> Window:
        """The window with controls on some of its tracks: on those with bars to write most often."""
        asked = {track for track, _ in window.targets} or {len(window.tracks) - 1}
        chosen = [i for i in range(len(window.tracks)) if rng.random() < (STEERED if i in asked else COLOURED)]
        if not chosen or not self.table.attributes:
            return window
        score = as_score(replace(window, tracks=[window.tracks[i] for i in chosen]), self.vocabulary)
        tracks = list(window.tracks)
        for place, index in enumerate(chosen):
            bars = sorted(bar for track, bar in window.targets if track == index)
            tracks[index] = self._with_controls(tracks[index], score, place, bars, rng)
        return replace(window, tracks=tracks)

    def _with_controls(
        self, track: WindowTrack, score: Score, place: int, bars: list[int], rng: np.random.Generator
    ) -> WindowTrack:
        """Track-level values of the whole window, bar-level values of the bars to write (or of any, where none are)."""
        shown: dict[str, int] = {}
        with_bars, with_track = rng.random() < BARS, rng.random() < BARS
        if with_track or not with_bars:
            shown.update(_some(self.table.track_values(score, place), rng))
        if with_bars:
            shares = rng.random(2)
            kinds: dict[str, bool] = {}
            for bar in bars or range(len(track.bodies)):
                if rng.random() < shares[0]:
                    continue
                for key, value in self.table.bar_values(score, place, bar).items():
                    kind = key.rpartition("_")[0]
                    if kinds.setdefault(kind, bool(rng.random() < shares[1])):
                        shown[key] = value
        return replace(track, attributes=shown)


def _some(values: dict[str, int], rng: np.random.Generator) -> dict[str, int]:
    """Each value kept by chance; the chance itself is drawn, so that one, some and all of them occur."""
    share = rng.random()
    return {key: value for key, value in values.items() if rng.random() < share}
