"""Divide a step that is too long for the model: by tracks, and a single track's by bars, until every part fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from midigpt_core.plan.steps import Step


@dataclass(frozen=True)
class Division:
    """How steps may be divided, and when they need not be."""

    fits: Callable[[Step], bool]
    by_tracks: bool = True
    by_bars: bool = True


def divided(step: Step, how: Division) -> list[Step]:
    """The step itself where it fits or cannot be divided, as one that continues a track; else its parts."""
    if step.autoregressive:
        return [step]
    tracks = sorted({track for track, _ in step.cells})
    bars = sorted({bar for _, bar in step.cells})
    if how.by_tracks and len(tracks) > 1:
        first = frozenset(cell for cell in step.cells if cell[0] in tracks[: len(tracks) // 2])
    elif how.by_bars and len(bars) > 1:
        first = frozenset(cell for cell in step.cells if cell[1] in bars[: len(bars) // 2])
    else:
        return [step]
    if how.fits(step):
        return [step]
    halves = (replace(step, cells=first), replace(step, cells=step.cells - first))
    return [part for half in halves for part in divided(half, how)]
