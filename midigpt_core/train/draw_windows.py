"""Draw windows from the shards: a source, a piece, some bars, some tracks, and bars to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from midigpt_core.errors import TrainingError
from midigpt_core.tokens.places import Places, PlaceSizes
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.patterns import CONTINUE, CONTINUE_SHARE, PATTERNS, Cell
from midigpt_core.train.shards import Shards
from midigpt_core.train.shown_attributes import ControlDropper
from midigpt_core.train.training_config import MixGroup, WindowConfig
from midigpt_core.train.training_example import Example, Ids, Window, WindowTrack, assemble

T = TypeVar("T")

TRIES = 50  # draws of a piece and its bars before giving up
PER_BAR = 5  # tokens of a bar that are not notes, roughly; a window's length is checked exactly at the end
BAR_WEIGHTS = {8: 0.6, 4: 0.2}  # of window lengths; every other length that the encoder knows gets 0.1


@dataclass(frozen=True)
class Pool:
    """Pieces to draw from: groups of them, and the share of each group."""

    groups: Sequence[NDArray[np.int64]]
    shares: NDArray[np.float64]  # sums to 1

    @classmethod
    def of(cls, shards: Shards, split: str, mix: Sequence[MixGroup] = (), permissive_only: bool = False) -> Pool:
        """The pieces of a split in the shares of a mix; without a mix, every piece alike.

        Groups without a piece left are dropped. Raises TrainingError when no piece is left at all.
        """
        groups = mix or (MixGroup(tuple(shards.sources)),)
        found = [(shards.select(split, group.sources, permissive_only), group.share) for group in groups]
        found = [(pieces, share) for pieces, share in found if len(pieces)]
        if not found:
            raise TrainingError(f"{shards.folder}: no piece of the {split} split fits the mix")
        shares = np.array([share for _, share in found])
        return cls([pieces for pieces, _ in found], shares / shares.sum())

    def draw(self, rng: np.random.Generator) -> int:
        """The number of a piece."""
        group = self.groups[int(rng.choice(len(self.shares), p=self.shares))]
        return int(group[rng.integers(len(group))])


@dataclass(frozen=True)
class Reads:
    """What the network that is trained reads."""

    limit: int  # tokens, at most
    places: PlaceSizes | None = None  # of its tables, where it is told places


class WindowMaker:
    """Draws windows; the same generator state gives the same window."""

    def __init__(self, shards: Shards, vocabulary: Vocabulary, config: WindowConfig, reads: Reads) -> None:
        self.shards = shards
        self.vocabulary = vocabulary
        self.config = config
        self.limit = reads.limit
        self.places = Places(vocabulary, reads.places) if reads.places else None
        self.lengths, self.length_shares = _weighted(_bar_weights(config.bars, vocabulary))
        self.budgets, self.budget_shares = _weighted({int(k): v for k, v in config.budgets.items()})
        self.patterns, self.pattern_shares = _weighted(_pattern_weights(config.patterns, vocabulary))
        self.controls = ControlDropper(vocabulary)
        self._shortest = min(self.lengths)

    def draw(self, pool: Pool, rng: np.random.Generator) -> Example:
        """One example of at most `limit` tokens. Raises TrainingError when no window of the pool fits."""
        for _ in range(TRIES):
            piece = pool.draw(rng)
            bare = self._bars(piece, rng)
            if bare is None:
                continue
            pattern = self.patterns[int(rng.choice(len(self.patterns), p=self.pattern_shares))]
            example = assemble(self._dressed(self._varied(bare, rng), pattern, rng), self.vocabulary)
            if len(example.tokens) <= self.limit:
                source = self.shards.sources[self.shards.pieces["source"][piece]]
                places = None if self.places is None else self.places.of(example.tokens.tolist())
                return replace(example, source=source, pattern=pattern, places=places)
        raise TrainingError(f"no window of up to {self.limit} tokens found in {TRIES} draws; allow longer windows")

    def _bars(self, piece: int, rng: np.random.Generator) -> Window | None:
        """A run of bars whose metres the encoder knows, on as many tracks as the drawn budget allows."""
        row = self.shards.pieces[piece]
        fitting = [i for i, bars in enumerate(self.lengths) if bars <= row["n_bars"]]
        if not fitting:
            return None
        shares = self.length_shares[fitting] / self.length_shares[fitting].sum()
        n_bars = int(self.lengths[int(rng.choice(fitting, p=shares))])
        start = int(rng.integers(row["n_bars"] - n_bars + 1))
        first = int(row["first_bar"]) + start
        metres = self.shards.metres[first : first + n_bars].tolist()
        if min(metres) < 0:
            return None
        tracks = self._tracks(row, start, n_bars, rng)
        return Window(metres, tracks) if tracks else None

    def _tracks(self, row: np.void, start: int, n_bars: int, rng: np.random.Generator) -> list[WindowTrack]:
        budget = min(int(rng.choice(self.budgets, p=self.budget_shares)), self.limit)
        numbers = np.arange(row["first_track"], row["first_track"] + row["n_tracks"])
        chosen: list[int] = []
        for number in rng.permutation(numbers):
            notes = int(self.shards.lengths(number, start, start + n_bars).sum())
            cost = notes + PER_BAR * n_bars + 4
            if cost <= budget and (notes or (chosen and rng.random() < self.config.keep_empty)):
                chosen.append(int(number))
                budget -= cost
            if len(chosen) >= self.config.max_tracks:
                break
        if rng.random() >= self.config.shuffle_tracks:
            chosen.sort()
        return [self._track(number, range(start, start + n_bars)) for number in chosen]

    def _track(self, number: int, bars: range) -> WindowTrack:
        row = self.shards.tracks[number]
        return WindowTrack(int(row["instrument"]), bool(row["drums"]), [self.shards.body(number, bar) for bar in bars])

    def _varied(self, window: Window, rng: np.random.Generator) -> Window:
        """Moved to another key, and louder or softer, as far as every note stays in range."""
        up = int(rng.integers(-self.config.transpose_down, self.config.transpose_up + 1))
        louder = int(rng.integers(-self.config.velocity_shift, self.config.velocity_shift + 1))
        melodic = [track for track in window.tracks if not track.drums]
        pitches = self.vocabulary.range(TokenType.NOTE_ONSET)
        levels = self.vocabulary.range(TokenType.VELOCITY_LEVEL)
        up = up if _room([b for t in melodic for b in t.bodies], pitches, up, 0) else 0
        louder = louder if _room([b for t in window.tracks for b in t.bodies], levels, louder, 1) else 0
        tracks = []
        for track in window.tracks:
            bodies = [_shifted(body, levels, louder) for body in track.bodies]
            if not track.drums:
                bodies = [_shifted(body, pitches, up) for body in bodies]
            tracks.append(replace(track, bodies=bodies))
        return replace(window, tracks=tracks)

    def _dressed(self, window: Window, pattern: str, rng: np.random.Generator) -> Window:
        """With bars to write, hidden bars and controls."""
        sounding = np.array([[len(body) > 0 for body in track.bodies] for track in window.tracks])
        if pattern == CONTINUE:
            window = _continued(window, sounding, rng)
        else:
            window = replace(window, targets=frozenset(PATTERNS[pattern][0](rng, sounding)))
        if self.vocabulary.has(TokenType.MASK_BAR) and rng.random() < self.config.hidden:
            window = replace(window, hidden=_hidden(window, rng))
        return self.controls(window, rng) if rng.random() < self.config.controls else window


def _weighted(weights: Mapping[T, float]) -> tuple[list[T], NDArray[np.float64]]:
    """What has a weight above 0, and the weights as shares."""
    kept = {key: weight for key, weight in weights.items() if weight > 0}
    shares = np.array(list(kept.values()), np.float64)
    return list(kept), shares / shares.sum()


def _bar_weights(requested: Mapping[str, float], vocabulary: Vocabulary) -> dict[int, float]:
    """Window length -> weight. Raises TrainingError for a length the encoder lacks."""
    known = vocabulary.config.num_bars_map or (vocabulary.config.model_dim,)
    if not requested:
        return {bars: BAR_WEIGHTS.get(bars, 0.1) for bars in known}
    for bars in requested:
        if not bars.isdecimal() or int(bars) not in known:
            raise TrainingError(f"windows.bars: {bars!r} is not possible with this encoder; possible: {known}")
    return {int(bars): weight for bars, weight in requested.items()}


def _pattern_weights(requested: Mapping[str, float], vocabulary: Vocabulary) -> dict[str, float]:
    table = {name: share for name, (_, share) in PATTERNS.items()} | {CONTINUE: CONTINUE_SHARE}
    unknown = sorted(requested.keys() - table.keys())
    if unknown:
        raise TrainingError(f"windows.patterns: unknown pattern {unknown[0]!r}; known: {', '.join(table)}")
    weights = dict(requested) or table
    return weights if vocabulary.config.supports_infill else {CONTINUE: 1.0}


def _room(bodies: Sequence[Ids], ids: tuple[int, int], shift: int, floor: int) -> bool:
    """Whether every token of the range can move by `shift` and stay at `floor` or above it."""
    every = np.concatenate([*bodies, np.empty(0, np.uint16)]).astype(np.int64)
    every = every[(every >= ids[0]) & (every < ids[1])] + shift
    return not len(every) or bool(every.min() >= ids[0] + floor and every.max() < ids[1])


def _shifted(body: Ids, ids: tuple[int, int], shift: int) -> Ids:
    if not shift:
        return body
    return np.where((body >= ids[0]) & (body < ids[1]), body.astype(np.int64) + shift, body).astype(np.uint16)


def _continued(window: Window, sounding: NDArray[np.bool_], rng: np.random.Generator) -> Window:
    """One sounding track moved to the end, to be continued after some bars of it, or from nothing."""
    track = int(rng.choice(np.flatnonzero(sounding.any(axis=1))))
    tracks = [t for i, t in enumerate(window.tracks) if i != track] + [window.tracks[track]]
    given = 0 if rng.random() < 0.3 else int(rng.integers(len(window.metres)))
    return replace(window, tracks=tracks, given=given)


def _hidden(window: Window, rng: np.random.Generator) -> frozenset[Cell]:
    """Context bars that are not shown: scattered ones, or all from some bar on in most tracks."""
    n_tracks, n_bars = len(window.tracks), len(window.metres)
    if rng.random() < 0.5:
        chosen = rng.random((n_tracks, n_bars)) < rng.uniform(0.05, 0.35)
    else:
        late = np.arange(n_bars) >= rng.integers(1, n_bars)
        chosen = late[None, :] & (rng.random((n_tracks, 1)) < 0.75)
    own = n_tracks - 1 if not window.targets else -1  # the track that is continued hides nothing
    return frozenset((int(t), int(b)) for t, b in np.argwhere(chosen) if t != own and (t, b) not in window.targets)
