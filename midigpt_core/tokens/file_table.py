"""A file's notes on the grid as flat arrays, without building bars and notes: `to_grid` for a score nobody changed."""

from __future__ import annotations

import numpy as np

from midigpt_core.midi_file.file_notes import FileNotes, Ints
from midigpt_core.score import DRUM, Score
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import grid_ticks
from midigpt_core.tokens.note_table import NoteTable

_MOST = 2**31  # what int32 holds


def file_table(score: Score, config: EncoderConfig) -> NoteTable | None:
    """The arrays of `to_grid(score, config)`; None where that has to be made.

    That is so for a score some of whose bars were asked for, and for an encoder that cuts onsets down.
    """
    found = FileNotes.of(score) if config.rounds and score.resolution != config.resolution else None
    if found is None:
        return None
    kinds, n_bars, n_tracks = found.lines.kinds, len(found.lines.kinds), found.n_tracks
    quarters = [kind[2] for kind in kinds]
    last = np.array([grid_ticks(length, config.resolution) - 1 for length in quarters])[found.bars]
    onsets = _nearest(found.onsets - found.starts[found.bars], score.resolution, config.resolution)
    durations = np.maximum(1, _nearest(found.ends - found.onsets, score.resolution, config.resolution))
    if durations.max() >= _MOST:
        return None
    columns = (found.pitches, found.velocities, np.clip(onsets, 0, last), durations, np.zeros_like(onsets))
    cells = np.bincount(found.tracks * n_bars + found.bars, minlength=n_tracks * n_bars)
    return NoteTable(
        notes=np.stack(columns, axis=1).astype(np.int32),
        cell_start=np.concatenate([[0], np.cumsum(cells)]).astype(np.int32),
        cells=np.tile(np.array([(*kind[:2], 0) for kind in kinds], dtype=np.int32), (n_tracks, 1)),
        quarters=np.tile(np.array(quarters, dtype=np.float64), n_tracks),
        track_start=np.arange(0, (n_tracks + 1) * n_bars, n_bars, dtype=np.int32),
        tracks=np.array([(track.instrument, track.track_type == DRUM) for track in score.tracks], dtype=np.int32),
        resolution=config.resolution,
    )


def _nearest(ticks: Ints, source: int, target: int) -> Ints:
    """As `nearest_tick`, for many."""
    return (2 * target * ticks + source) // (2 * source)
