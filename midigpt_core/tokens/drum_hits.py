"""How long a written drum hit sounds: drums have no duration tokens, so it is as long as the track's own hits."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from midigpt_core.score import DRUM, Score, Track
from midigpt_core.tokens.tokenizer import Tokenizer


def usual_hit(track: Track) -> int | None:
    """Median length of the track's drum hits, in ticks; None where it has none."""
    lengths = [note.duration_ticks for bar in track.bars[:64] for note in bar.notes[:16]]
    return max(1, round(median(lengths))) if lengths else None


def hit_ticks(score: Score, tracks: Sequence[int], tokenizer: Tokenizer) -> dict[int, int]:
    """How long written drum hits will be, in ticks of the grid rounded up, by track of the window."""
    usual = {i: usual_hit(score.tracks[t]) for i, t in enumerate(tracks) if score.tracks[t].track_type == DRUM}
    resolution = tokenizer.config.resolution
    return {i: -(-hit * resolution // score.resolution) for i, hit in usual.items() if hit}
