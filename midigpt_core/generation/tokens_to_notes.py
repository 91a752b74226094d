"""Turn what the model wrote for a step back into notes of the score, and a step's original notes into tokens."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from math import ceil, floor

from midigpt_core.constraints.span import span_ticks
from midigpt_core.generation.step_prompt import StepPrompt
from midigpt_core.plan.steps import Cell
from midigpt_core.score import DRUM, Note, Score
from midigpt_core.tokens import kernels
from midigpt_core.tokens.drum_hits import usual_hit
from midigpt_core.tokens.encode import EncodeOptions
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import grid_onset
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType


def read_cells(
    tokenizer: Tokenizer, prompt: StepPrompt, written: Sequence[int], score: Score
) -> dict[Cell, list[Note]]:
    """The notes of each cell that was begun, in the score's resolution; cells never reached come out empty."""
    pieces = _pieces(tokenizer, written)
    pieces += [[]] * (len(prompt.cells) - len(pieces))
    cells = zip(prompt.cells, prompt.drums, pieces, strict=False)
    return {
        cell: _finished(prompt, _scaled(_read_bar(tokenizer, body, drum), tokenizer.config, score, cell), score, cell)
        for cell, drum, body in cells
    }


def read_cell(tokenizer: Tokenizer, prompt: StepPrompt, written: Sequence[int], score: Score, place: int) -> list[Note]:
    """The notes of one cell that was begun, by its place among the step's, in the score's resolution."""
    notes = _read_bar(tokenizer, _pieces(tokenizer, written)[place], prompt.drums[place])
    cell = prompt.cells[place]
    return _finished(prompt, _scaled(notes, tokenizer.config, score, cell), score, cell)


def _finished(prompt: StepPrompt, notes: list[Note], score: Score, cell: Cell) -> list[Note]:
    """The notes of a cell as loud as the caller wants them, beside those of its bar that stay."""
    wanted = prompt.known.loudness.get(cell)
    if wanted is not None:
        ticks = score.tracks[cell[0]].bars[cell[1]].ticks(score.resolution)
        notes = wanted.applied(notes, score.resolution, ticks)
    return _with_kept(prompt, _swung(prompt, notes, score, cell), score, cell)


def _swung(prompt: StepPrompt, notes: list[Note], score: Score, cell: Cell) -> list[Note]:
    """The notes of a cell as late as the caller wants them."""
    swing, bar = prompt.known.swing(cell), score.tracks[cell[0]].bars[cell[1]]
    return notes if swing is None else swing.placed(notes, score.resolution, bar.ticks(score.resolution))


def _with_kept(prompt: StepPrompt, notes: list[Note], score: Score, cell: Cell) -> list[Note]:
    """Where only a part of a bar is written: the notes of that part, and outside of it the bar's own, as they were."""
    track, bar = cell
    controls = next(each for each in prompt.request.tracks if each.id == track).controls_in(bar)
    if "span" not in controls:
        return notes
    config = prompt.tokenizer.config
    span, old = span_ticks(controls["span"], config.resolution), score.tracks[track].bars[bar]

    def inside(note: Note) -> bool:
        return grid_onset(note, old, score.resolution, config) in span

    kept = [note for note in old.notes if not inside(note)]
    return sorted([*kept, *filter(inside, notes)], key=lambda note: (note.onset_ticks, note.pitch))


def _pieces(tokenizer: Tokenizer, written: Sequence[int]) -> list[list[int]]:
    """The tokens of each cell, without the one that ends it."""
    vocabulary = tokenizer.vocabulary
    ends = {vocabulary.range(kind)[0] for kind in (TokenType.FILL_IN_END, TokenType.BAR_END)}
    pieces: list[list[int]] = [[]]
    for token in written:
        if token in ends:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return pieces


def original_tokens(prompt: StepPrompt) -> list[int]:
    """What the model would have to write to give the original notes back (infill steps)."""
    vocabulary = prompt.tokenizer.vocabulary
    tracks = []
    for told, before in zip(prompt.window.tracks, prompt.originals.tracks, strict=True):
        bars = [replace(t, notes=b.notes) for t, b in zip(told.bars, before.bars, strict=True)]
        tracks.append(replace(told, bars=bars))
    options = EncodeOptions(window_bars=prompt.step.n_bars, infill=frozenset(prompt.local_cells))
    tokens = kernels.encode(replace(prompt.window, tracks=tracks), vocabulary, options).tokens
    first = tokens.index(vocabulary.range(TokenType.FILL_IN_START)[0])
    end, _ = vocabulary.range(TokenType.PIECE_END)
    return [token for token in tokens[first + 1 :] if token != end]


def _read_bar(tokenizer: Tokenizer, body: Sequence[int], drum: bool) -> list[Note]:
    vocabulary = tokenizer.vocabulary
    head = [vocabulary.encode(TokenType.TRACK, int(drum)), vocabulary.encode(TokenType.BAR, 0)]
    structure = {vocabulary.range(kind)[0] for kind in (TokenType.FILL_IN_START, TokenType.BAR)}
    decoded = kernels.decode([*head, *(t for t in body if t not in structure)], vocabulary)
    return decoded.tracks[0].bars[0].notes


def _scaled(notes: Sequence[Note], config: EncoderConfig, score: Score, cell: Cell) -> list[Note]:
    """Notes in the score's ticks; drum hits as long as the track's own; none rings on past the end of the piece.

    Where a place of the grid lies between two ticks, it comes to the one that is read again as the same place.
    """
    resolution, place = config.resolution, _near if config.rounds else _up
    track = score.tracks[cell[0]]
    last = max(0, track.bars[cell[1]].ticks(score.resolution) - 1)
    scale = score.resolution / resolution
    hit = usual_hit(track) if track.track_type == DRUM else None
    scaled: list[tuple[Note, int, int]] = []  # with onset and length
    for note in notes:
        begin = max(0.0, note.onset_ticks + note.delta / resolution)
        onset = min(place(begin * scale), last)
        length = hit or place((begin + note.duration_ticks) * scale) - onset  # notes that met still meet
        scaled.append((note, onset, length))
    left = _ticks_left(score, cell, max((onset + length for _, onset, length in scaled), default=0))
    return [Note(n.pitch, n.velocity, onset, max(1, min(length, left - onset))) for n, onset, length in scaled]


def _ticks_left(score: Score, cell: Cell, enough: int) -> int:
    """From the beginning of a cell to the end of the piece, or what is known to be enough."""
    beats, track = 0.0, score.tracks[cell[0]]
    for bar in itertools.islice(track.bars, cell[1], None):
        beats += bar.beat_length
        if round(beats * score.resolution) >= enough:
            break
    return round(beats * score.resolution)


def _up(ticks: float) -> int:
    """The tick at or after a place on the grid, for encoders that cut down."""
    return ceil(ticks - 1e-6)


def _near(ticks: float) -> int:
    """The tick nearest to a place on the grid, for encoders that go to the nearest tick themselves."""
    return floor(ticks + 0.5)
