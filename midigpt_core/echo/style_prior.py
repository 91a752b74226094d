"""The style of a track: its pitches and their register, its places in the bar, its lengths and velocities.

How often each occurs in the bars that stay becomes a bias on the model's logits, kind by kind of token. A small
network loses sight of whose bar it is writing where several tracks are written at once: before this, every fourth bar
of such tasks lay outside the range its track keeps to elsewhere, in real music one of a hundred does
(`benchmarks/results/echo.md`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from midigpt_core.echo.mixture import Body, StyleBias
from midigpt_core.plan.steps import Cell
from midigpt_core.score import DRUM, Score
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

PULL = {  # exponents of the shares; the likeliest ones under the network alone are about half as large (fit_echo.py)
    TokenType.NOTE_ONSET: 0.4,
    TokenType.TIME_ABSOLUTE_POS: 0.8,
    TokenType.NOTE_DURATION: 0.4,
    TokenType.VELOCITY_LEVEL: 0.8,
}
DRUM_PULL = {TokenType.NOTE_ONSET: 0.2, TokenType.VELOCITY_LEVEL: 0.2}
REGISTER_PULL = 1.0  # exponent of the share of the pitches around
REGISTER = 5.0  # semitones, standard deviation of what counts as around
LEAST = 4  # tokens of a kind that say something of a style
DOUBT = 2.0  # tokens that count as spread evenly over the kind
NEVER = 1e-4  # added to every share

Shares = npt.NDArray[np.float64]


def styles(
    score: Score,
    bodies: Mapping[int, Mapping[int, Body]],
    cells: Mapping[Cell, frozenset[TokenType]],
    vocabulary: Vocabulary,
) -> dict[int, StyleBias]:
    """The styles of the tracks of `cells`, by place among them.

    bodies: the bars of these tracks that stay, by track and bar, as tokens; cells: with the kinds of tokens that
    are the caller's there, so that no style speaks against what was asked for.
    """
    found: dict[int, StyleBias] = {}
    for track in sorted({track for track, _ in cells}):
        tokens = [token for body in bodies[track].values() for token in body]
        counts = np.bincount(np.array(tokens, dtype=np.int64), minlength=vocabulary.size)
        biases = _biases(counts, vocabulary, score.tracks[track].track_type == DRUM)
        for place, (cell, callers) in enumerate(cells.items()):
            if cell[0] == track:
                found[place] = _style({kind: biases[kind] for kind in biases if kind not in callers}, vocabulary)
    return found


def _biases(counts: npt.NDArray[np.int64], vocabulary: Vocabulary, drums: bool) -> dict[TokenType, Shares]:
    """Per kind of which a track has enough, what is added to the logits of its tokens."""
    biases = {}
    for kind, pull in (DRUM_PULL if drums else PULL).items():
        first, last = vocabulary.range(kind)
        if first < 0 or counts[first:last].sum() < LEAST:
            continue
        biases[kind] = pull * _log_shares(counts[first:last].astype(np.float64))
        if kind is TokenType.NOTE_ONSET and not drums:
            biases[kind] += REGISTER_PULL * _log_shares(_spread(counts[first:last]))
    return biases


def _log_shares(counts: Shares) -> Shares:
    shares: Shares = np.log((counts + DOUBT / len(counts)) / (counts.sum() + DOUBT) + NEVER)
    return shares


def _spread(counts: npt.NDArray[np.int64]) -> Shares:
    """The counts of pitches, each handed on to the pitches around it."""
    pitches = np.arange(len(counts))
    near = np.exp(-0.5 * ((pitches[:, None] - pitches) / REGISTER) ** 2)
    spread: Shares = counts @ (near / near.sum(axis=1, keepdims=True))
    return spread


def _style(biases: Mapping[TokenType, Shares], vocabulary: Vocabulary) -> StyleBias:
    bias = np.zeros(vocabulary.size, dtype=np.float32)
    kinds = tuple(vocabulary.range(kind) for kind in biases)
    for (first, last), values in zip(kinds, biases.values(), strict=True):
        bias[first:last] = values
    return StyleBias(bias, np.exp(bias, dtype=np.float64), kinds)
