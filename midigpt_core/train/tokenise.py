"""One MIDI file as the tokens of its bars: the encoder of inference, cut at its bar lines."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from midigpt_core.errors import TrainingError
from midigpt_core.midi_file import read_score
from midigpt_core.score import DRUM, Bar, Score, Track
from midigpt_core.tokens import kernels
from midigpt_core.tokens.domains import listed_metre
from midigpt_core.tokens.encode import EncodeOptions
from midigpt_core.tokens.grid import to_grid
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.shards import PieceTokens

Ids = NDArray[np.uint16]


def tokenise_file(data: bytes | str, vocabulary: Vocabulary) -> PieceTokens:
    """The tokens of a file (its bytes, or its path). Raises MidiFileError where it cannot be read."""
    return tokenise(to_grid(read_score(data), vocabulary.config), vocabulary)


def tokenise(score: Score, vocabulary: Vocabulary) -> PieceTokens:
    """The tokens of a score on the model's grid; tracks without a note are left out."""
    if vocabulary.size > 2**16:
        raise TrainingError(f"a vocabulary of {vocabulary.size} tokens does not fit shards of 16-bit ids")
    tracks = [track for track in score.tracks if any(bar.notes for bar in track.bars)]
    bars = max((track.bars for track in score.tracks), key=len, default=[])
    return PieceTokens(
        instruments=[track.instrument for track in tracks],
        drums=[track.track_type == DRUM for track in tracks],
        metres=[_metre(bar, vocabulary) for bar in bars],
        bodies=[_bodies(track, vocabulary) for track in tracks],
        notes=sum(len(bar.notes) for track in tracks for bar in track.bars),
    )


def fingerprint(piece: PieceTokens, vocabulary: Vocabulary, any_key: bool = False) -> str:
    """The same for pieces with the same notes on the grid, whatever their loudness, programs and track order.

    With `any_key`, the same too for a piece that was moved to another key as a whole.
    """
    pitches, loudness = vocabulary.range(TokenType.NOTE_ONSET), vocabulary.range(TokenType.VELOCITY_LEVEL)
    tracks = []
    lowest = _lowest(piece, pitches) if any_key else 0
    for drums, bodies in zip(piece.drums, piece.bodies, strict=True):
        digest = hashlib.sha1(bytes([drums]))
        for body in bodies:
            plain = body[(body < loudness[0]) | (body >= loudness[1])]
            if lowest and not drums:
                plain = np.where((plain >= pitches[0]) & (plain < pitches[1]), plain - lowest, plain)
            digest.update(plain.tobytes() + b"|")
        tracks.append(digest.hexdigest())
    return hashlib.sha1("".join(sorted(tracks)).encode()).hexdigest()


def _lowest(piece: PieceTokens, pitches: tuple[int, int]) -> int:
    melodic = [body for drums, bodies in zip(piece.drums, piece.bodies, strict=True) if not drums for body in bodies]
    ids = np.concatenate([*melodic, np.empty(0, np.uint16)])
    ids = ids[(ids >= pitches[0]) & (ids < pitches[1])]
    return int(ids.min()) - pitches[0] if len(ids) else 0


def _metre(bar: Bar, vocabulary: Vocabulary) -> int:
    listed = vocabulary.config.time_signatures
    metre = listed_metre((bar.ts_numerator, bar.ts_denominator), listed) if listed else (4, 4)
    return -1 if metre is None else vocabulary.metre_value(metre)


def _bodies(track: Track, vocabulary: Vocabulary) -> list[Ids]:
    """What the encoder writes between the head and the end of each bar; metres play no part in it."""
    listed = vocabulary.config.time_signatures or ((4, 4),)
    bars = [replace(bar, ts_numerator=listed[0][0], ts_denominator=listed[0][1], future=False) for bar in track.bars]
    alone = Score(tracks=[replace(track, bars=bars, attributes={})], resolution=vocabulary.config.resolution)
    window = vocabulary.config.num_bars_map[0] if vocabulary.config.num_bars_map else len(bars)
    ids = np.array(kernels.encode(alone, vocabulary, EncodeOptions(window_bars=window)).tokens, np.uint16)
    head = 1 + int(vocabulary.has(TokenType.TIME_SIG))
    starts = np.flatnonzero(ids == vocabulary.encode(TokenType.BAR, 0)) + head
    ends = np.flatnonzero(ids == vocabulary.encode(TokenType.BAR_END, 0))
    return [ids[start:end] for start, end in zip(starts, ends, strict=True)]
