"""Resolution changes: a score on the model's grid, its bars in metres that the encoder lists, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from midigpt_core.music import quarters_of
from midigpt_core.score import Bar, Note, Score
from midigpt_core.tokens.domains import Metre, nearest_metre
from midigpt_core.tokens.encoder_config import EncoderConfig

# ---- resolution ----

Rescale = Callable[[Note], Note]


def to_grid(score: Score, config: EncoderConfig) -> Score:
    """A copy at `config.resolution`: onsets are cut down to the grid, durations too but to one tick at least.

    Where the encoder has micro-timing tokens, what was cut off an onset goes to the note's `delta`. An encoder whose
    `rounding` is "nearest" moves both to the nearest tick instead, so that what was played a hair early stays on its
    beat. A score already at this resolution is returned as it is.
    """
    if config.rounds and score.resolution != config.resolution:
        return _nearest(score, config.resolution)
    return rescaled(score, score.resolution, config.resolution, config.emit_delta_tokens)


def from_grid(score: Score, config: EncoderConfig) -> Score:
    """A copy at `config.decode_resolution` of a score on the model's grid."""
    return rescaled(score, config.resolution, config.decode_resolution, config.emit_delta_tokens)


def rescaled(score: Score, source: int, target: int, keep_delta: bool) -> Score:
    """A copy with every tick counted in `target` instead of `source` ticks per quarter note."""
    if source == target:
        return score
    move = _fine_mover(source, target) if keep_delta else _plain_mover(source, target)
    tracks = [
        replace(track, bars=[replace(bar, notes=[move(note) for note in bar.notes]) for bar in track.bars])
        for track in score.tracks
    ]
    return replace(score, tracks=tracks, resolution=target)


def grid_ticks(quarters: float, resolution: int) -> int:
    """Ticks of the grid in a bar of this many quarter notes, at least one."""
    return max(1, int(quarters * resolution + 0.5))


def grid_onset(note: Note, bar: Bar, source: int, config: EncoderConfig) -> int:
    """Where `to_grid` puts the onset of one note of a bar; `source` is the score's resolution."""
    if config.rounds:
        return _rounded_onset(note, bar, source, config.resolution)
    return config.resolution * note.onset_ticks // source


def _nearest(score: Score, target: int) -> Score:
    source = score.resolution

    def move(note: Note, bar: Bar) -> Note:
        onset = _rounded_onset(note, bar, source, target)
        return Note(note.pitch, note.velocity, onset, max(1, nearest_tick(note.duration_ticks, source, target)), 0)

    tracks = [
        replace(track, bars=[replace(bar, notes=[move(note, bar) for note in bar.notes]) for bar in track.bars])
        for track in score.tracks
    ]
    return replace(score, tracks=tracks, resolution=target)


def _rounded_onset(note: Note, bar: Bar, source: int, target: int) -> int:
    """The nearest tick of the bar; none is moved into the next one."""
    last = grid_ticks(bar.beat_length, target) - 1
    return max(0, min(nearest_tick(note.onset_ticks, source, target), last))


def nearest_tick(ticks: int, source: int, target: int) -> int:
    """The tick, of `target` to the quarter note, that is nearest to `ticks` of `source`; of two the later."""
    return (2 * target * ticks + source) // (2 * source)


def _shrunk(duration: int, source: int, target: int) -> int:
    return max(1, target * duration // source)


def _plain_mover(source: int, target: int) -> Rescale:
    def move(note: Note) -> Note:
        onset = max(0, target * note.onset_ticks // source)
        return Note(note.pitch, note.velocity, onset, _shrunk(note.duration_ticks, source, target), 0)

    return move


def _fine_mover(source: int, target: int) -> Rescale:
    """As the plain mover, but delta counts: in parts of a tick, `source` parts to one before and `target` after."""
    scale = target / source

    def move(note: Note) -> Note:
        position = (note.onset_ticks + note.delta / source) * scale
        onset = max(0, int(position))
        delta = round((position - onset) * target)
        return Note(note.pitch, note.velocity, onset, _shrunk(note.duration_ticks, source, target), delta)

    return move


def with_listed_metres(score: Score, config: EncoderConfig) -> Score:
    """A copy whose bars all have metres the encoder knows, so that strange bars can serve as context.

    Notes are kept; of a bar longer than every listed metre, those that begin past its end are not.
    """
    listed = config.time_signatures
    if not listed or all((b.ts_numerator, b.ts_denominator) in listed for t in score.tracks for b in t.bars):
        return score
    tracks = [replace(track, bars=[_in_metre(bar, score, listed) for bar in track.bars]) for track in score.tracks]
    return replace(score, tracks=tracks)


def _in_metre(bar: Bar, score: Score, listed: tuple[Metre, ...]) -> Bar:
    metre = nearest_metre((bar.ts_numerator, bar.ts_denominator), listed)
    if metre is None or metre == (bar.ts_numerator, bar.ts_denominator):
        return bar
    quarters = quarters_of(*metre)
    notes = [note for note in bar.notes if note.onset_ticks < quarters * score.resolution]
    return replace(bar, notes=notes, ts_numerator=metre[0], ts_denominator=metre[1], beat_length=quarters)
