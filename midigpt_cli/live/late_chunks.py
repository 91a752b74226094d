"""What a listener hears when a chunk of a jam is late: the clock that says when one is due, and what stands in."""

from __future__ import annotations

import time
from dataclasses import replace

from midigpt_core.jam import Chunk
from midigpt_core.score import Score

MARGIN_SECONDS = 0.02  # a stand-in leaves this long before it is due, so that it is there in time
NEVER = float("inf")
SKIP = "skip"  # the policy that plays nothing in place of a late chunk


class ChunkClock:
    """When the next place of a jam begins; it starts with the first chunk that is delivered."""

    def __init__(self, running: bool) -> None:
        self._running = running  # in real time
        self._due: float | None = None

    def begins_in(self, now: float, seconds: float) -> float | None:
        """Seconds from now until the place begins that comes so long after the next; None before the first chunk."""
        return None if self._due is None else self._due + seconds - now

    def until_due(self) -> float:
        """Seconds until something has to be delivered, ready or not; NEVER before the first chunk."""
        return NEVER if self._due is None else max(0.001, self._due - MARGIN_SECONDS - time.monotonic())

    def overdue(self, now: float) -> bool:
        """Whether something has to be delivered."""
        return self._due is not None and now >= self._due - MARGIN_SECONDS

    def wait_for_listener(self, now: float, seconds: float) -> None:
        """Stand still: the next place begins so long from now."""
        self._due = now + seconds

    def advance(self, seconds: float) -> None:
        """Go on to the place after one of this length; a listener who was away for longer had stopped the clock."""
        if self._running:
            now = time.monotonic()
            away = self._due is None or now - self._due > seconds
            self._due = (now if away or self._due is None else self._due) + seconds


def stand_in(last: Chunk, policy: str) -> Chunk:
    """What is heard in place of a late chunk: the last one again ("repeat"), or as many silent bars ("rest")."""
    if policy == "repeat":
        return replace(last, latency_ms=0.0)
    tracks = [replace(track, bars=[replace(bar, notes=[]) for bar in track.bars]) for track in last.score.tracks]
    return replace(last, score=Score(tracks, last.score.resolution, last.score.tempo), latency_ms=0.0, cut=0)
