"""A window cut out of the shards, and its tokens: what the encoder would make of the same bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from midigpt_core.score import Score
from midigpt_core.tokens import kernels
from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.patterns import Cell

Ids = NDArray[np.uint16]


@dataclass(frozen=True)
class WindowTrack:
    """One track of a window."""

    instrument: int  # General MIDI program
    drums: bool
    bodies: Sequence[Ids]  # the notes of each bar
    attributes: Mapping[str, int] = field(default_factory=dict)  # control values shown, by key as in Track.attributes


@dataclass(frozen=True)
class Window:
    """Some bars of some tracks, and what is asked of them. `given` bars of the last track need not be written."""

    metres: Sequence[int]  # TimeSig value of each bar
    tracks: Sequence[WindowTrack]
    targets: frozenset[Cell] = frozenset()  # bars to fill in; none: the window is written left to right
    hidden: frozenset[Cell] = frozenset()  # bars shown as MaskBar
    given: int = 0  # without targets: bars of the last track that are given


@dataclass(frozen=True)
class Example:
    """One training sequence."""

    tokens: Ids  # (length,)
    written: NDArray[np.bool_]  # (length,): tokens a model has to write at inference; the others are given
    source: str = ""  # collection the window was drawn from
    pattern: str = ""  # which of the patterns chose the bars to write
    places: NDArray[np.int32] | None = None  # (length, 6), where the network is told them; see tokens/places


def assemble(window: Window, vocabulary: Vocabulary) -> Example:
    """The window's tokens, the same ids `encode` gives for the same bars and controls."""
    writer = _Assembler(vocabulary, window)
    writer.head()
    for index, track in enumerate(window.tracks):
        writer.track(index, track)
    writer.fills()
    sizes = [len(part) for part in writer.parts]
    return Example(np.concatenate(writer.parts).astype(np.uint16), np.repeat(np.array(writer.written, np.bool_), sizes))


def as_score(window: Window, vocabulary: Vocabulary) -> Score:
    """The window's notes as a score on the model's grid, without controls, targets or hidden bars."""
    bare = [WindowTrack(t.instrument, t.drums, t.bodies) for t in window.tracks]
    score = kernels.decode(assemble(Window(window.metres, bare), vocabulary).tokens.tolist(), vocabulary)
    for track, origin in zip(score.tracks, window.tracks, strict=True):
        track.instrument = origin.instrument
    return score


class _Assembler:
    """Collects stretches of ids, and for each whether a model has to write it."""

    def __init__(self, vocabulary: Vocabulary, window: Window) -> None:
        self.vocabulary = vocabulary
        self.window = window
        self.parts: list[Ids] = []
        self.written: list[bool] = []

    def add(self, ids: Ids | list[int], written: bool = False) -> None:
        self.parts.append(np.asarray(ids, np.uint16))
        self.written.append(written)

    def token(self, kind: TokenType, value: int) -> list[int]:
        """The token as a list, empty where the vocabulary lacks its type."""
        return [self.vocabulary.encode_nearest(kind, value)] if self.vocabulary.has(kind) else []

    def head(self) -> None:
        ids = self.token(TokenType.PIECE_START, int(bool(self.window.targets)))
        ids += self.token(TokenType.USE_VELOCITY, 1) + self.token(TokenType.USE_MICROTIMING, 1)
        if self.vocabulary.has(TokenType.NUM_BARS):
            ids += self.token(TokenType.NUM_BARS, self.vocabulary.num_bars_value(len(self.window.metres)))
        self.add(ids)

    def track(self, index: int, track: WindowTrack) -> None:
        ids = self.token(TokenType.TRACK, int(track.drums))
        ids += self.token(TokenType.INSTRUMENT, self.vocabulary.instruments.encode(track.instrument))
        for key, kind in TRACK_ATTRIBUTES:
            if key in track.attributes:
                ids += self.token(kind, track.attributes[key])
        self.add(ids)
        last = not self.window.targets and index == len(self.window.tracks) - 1
        for bar, body in enumerate(track.bodies):
            self.bar((index, bar), track, body, written=last and bar >= self.window.given)
        self.add(self.token(TokenType.TRACK_END, 0), written=last)

    def bar(self, cell: Cell, track: WindowTrack, body: Ids, written: bool) -> None:
        head = self.token(TokenType.BAR, 0)
        for name, kind in BAR_ATTRIBUTES:
            key = f"bar_{name}_{cell[1]}"
            if key in track.attributes:
                head += self.token(kind, track.attributes[key])
        self.add(head + self.token(TokenType.TIME_SIG, self.window.metres[cell[1]]))
        if cell in self.window.targets:
            self.add(self.token(TokenType.FILL_IN_PLACEHOLDER, 0))
        elif cell in self.window.hidden:
            self.add(self.token(TokenType.MASK_BAR, 0))
        else:
            self.add(body, written)
        self.add(self.token(TokenType.BAR_END, 0), written)

    def fills(self) -> None:
        for index, bar in sorted(self.window.targets):
            self.add(self.token(TokenType.FILL_IN_START, 0))
            self.add(self.window.tracks[index].bodies[bar], written=True)
            self.add(self.token(TokenType.FILL_IN_END, 0), written=True)
