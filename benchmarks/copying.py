"""How much a model copies what it was trained on: python -m benchmarks.copying DATA CORPUS --checkpoint F.

DATA is the prepared data set, CORPUS the folder its files came from. Melodies are compared as runs of notes (step in
pitch from the note before, place in the bar), so that neither key nor instrument hides a copy. The yardstick is real
music: how often the original bars of held-out songs are found in the training data.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midigpt_core.engine import InferenceEngine
from midigpt_core.errors import GenerationError
from midigpt_core.midi_file import read_score
from midigpt_core.request import GenerationRequest
from midigpt_core.score import DRUM, Score, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import to_grid
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.shards import Shards

TABLE = Path(__file__).parent / "results" / "copying.md"
LENGTHS = (4, 6, 8, 12, 16, 24)
BARS = 4  # written in a row
Hashes = NDArray[np.uint64]
PLACES = 1024  # more than any place in a bar
FACTOR = np.uint64(0x9E3779B97F4A7C15)


def melody(pitches: NDArray[np.int64], places: NDArray[np.int64]) -> Hashes:
    """One number per note after the first: its step from the note before and its place in the bar."""
    steps = np.diff(pitches) + 128
    plain = (steps * PLACES + places[1:]).astype(np.uint64) + np.uint64(1)
    mixed = (plain ^ (plain >> np.uint64(7))) * FACTOR
    return mixed ^ (mixed >> np.uint64(29))


def runs(notes: Hashes, length: int) -> Hashes:
    """One number for each run of `length` notes."""
    if len(notes) < length:
        return np.empty(0, np.uint64)
    total = np.zeros(len(notes) - length + 1, np.uint64)
    for i in range(length):
        total = total * FACTOR + notes[i : i + len(total)]
    return total


def training_melodies(shards: Shards, vocabulary: Vocabulary) -> Iterator[Hashes]:
    """The melodic tracks of the training split."""
    pitch, place = (vocabulary.range(kind) for kind in (TokenType.NOTE_ONSET, TokenType.TIME_ABSOLUTE_POS))
    for piece in shards.pieces[shards.select("train")]:
        for number in range(piece["first_track"], piece["first_track"] + piece["n_tracks"]):
            if shards.tracks["drums"][number]:
                continue
            bodies = [shards.body(number, bar).astype(np.int64) for bar in range(piece["n_bars"])]
            found = [_notes(body, pitch, place) for body in bodies if len(body)]
            pitches, places = (np.concatenate(column) for column in zip(*found, strict=True))
            yield melody(pitches, places)


def _notes(
    body: NDArray[np.int64], pitch: tuple[int, int], place: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pitches and places of a bar's notes; a note without a position token stands at the last one, or at 0."""
    moves = (body >= place[0]) & (body < place[1])
    last = np.maximum.accumulate(np.where(moves, np.arange(len(body)), -1))
    places = np.where(last >= 0, body[last] - place[0], 0)
    sounds = (body >= pitch[0]) & (body < pitch[1])
    return body[sounds] - pitch[0], places[sounds]


def written_melody(track: Track, bars: range) -> Hashes:
    """The same numbers for some bars of a track on the model's grid."""
    notes = [
        (note.pitch, note.onset_ticks)
        for bar in bars
        for note in sorted(track.bars[bar].notes, key=lambda n: (n.onset_ticks, n.pitch))
    ]
    if not notes:
        return np.empty(0, np.uint64)
    pitches, places = (np.array(column, np.int64) for column in zip(*notes, strict=True))
    return melody(pitches, places)


def tasks(shards: Shards, corpus: Path, encoder: EncoderConfig, count: int) -> Iterator[tuple[Score, int, range]]:
    """Held-out songs, a melodic track of each, and four bars in a row that sound."""
    names, rng = shards.names(), np.random.default_rng(0)
    real = [name for name in shards.sources if not name.startswith("mma-")]
    found = 0
    for number in rng.permutation(shards.select("valid", real)):
        score = to_grid(read_score(corpus / names[number]), encoder)
        places = [
            (t, b)
            for t, track in enumerate(score.tracks)
            if track.track_type != DRUM
            for b in range(score.n_bars - BARS + 1)
            if all(bar.notes for bar in track.bars[b : b + BARS])
        ]
        if places and found < count:
            track, bar = places[int(rng.integers(len(places)))]
            found += 1
            yield score, track, range(bar, bar + BARS)


def write(engine: InferenceEngine, score: Score, track: int, bars: range, seed: int) -> Score | None:
    """The bars written anew; None where no attempt passed its checks."""
    prompt = {"id": track, "bars": list(bars)}
    others = [{"id": i} for i in range(len(score.tracks)) if i != track]
    request = {"tracks": [prompt, *others], "config": {"seed": seed, "model_dim": 8}}
    try:
        return engine.session(score, GenerationRequest.from_dict(request)).run()
    except GenerationError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--songs", type=int, default=60)
    options = parser.parse_args()
    shards = Shards(options.data)
    encoder = EncoderConfig.from_dict(shards.encoder_config)
    engine = InferenceEngine.from_checkpoint(options.checkpoint)
    real, made = [], []
    for seed, (score, track, bars) in enumerate(tasks(shards, options.corpus, encoder, options.songs)):
        new = write(engine, score, track, bars, seed)
        if new is not None:
            real.append(written_melody(score.tracks[track], bars))
            made.append(written_melody(to_grid(new, encoder).tracks[track], bars))
    known = list(training_melodies(shards, Vocabulary(encoder)))
    rows = [_row(length, known, real, made) for length in LENGTHS]
    text = _table(rows, len(real))
    TABLE.write_text(text)
    print(text)


Row = tuple[int, list[float], list[int]]  # notes in a row; shares and counts of original and written bars


def _row(length: int, known: list[Hashes], real: list[Hashes], made: list[Hashes]) -> Row:
    index = np.unique(np.concatenate([runs(notes, length) for notes in known]))
    shares, counts = [], []
    for group in (real, made):
        wanted = np.concatenate([runs(notes, length) for notes in group])
        place = np.minimum(np.searchsorted(index, wanted), len(index) - 1)
        shares.append(float(np.mean(index[place] == wanted)) if len(wanted) else 0.0)
        counts.append(len(wanted))
    return length, shares, counts


def _table(rows: list[Row], songs: int) -> str:
    lines = [
        "# Copying from the training data",
        "",
        f"Four bars of a melodic track, written anew in {songs} held-out songs. Share of runs of notes (steps in pitch",
        "and places in the bar, any key) that stand somewhere in the training data; in brackets, runs compared.",
        "",
        "| notes in a row | original bars | written bars |",
        "|--:|--:|--:|",
    ]
    for length, (real, made), (n_real, n_made) in rows:
        lines.append(f"| {length} | {100 * real:.1f} % ({n_real:,}) | {100 * made:.1f} % ({n_made:,}) |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
