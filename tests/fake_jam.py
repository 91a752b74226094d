"""A jam that takes as long as it is told to, with one note per bar."""

from __future__ import annotations

import threading
from dataclasses import replace

from tiny import engine

from midigpt_core.errors import CancelledError
from midigpt_core.jam import RESOLUTION, Chunk, JamSettings
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Bar, Note, Score, Track

PARTS = (Track(track_type="drum", name="Drums"), Track(instrument=33, name="Bass"))
FAST = JamSettings(bpm=400.0, metre=(2, 4), tracks=PARTS, config=InferenceConfig(seed=1))  # 0.3 s a bar


class FakeJam:
    """Stands in for midigpt_core.jam.Jam; pitch tells which chunk a note was written for."""

    def __init__(self, settings: JamSettings = FAST, seconds: float = 0.0, slow: dict[int, float] | None = None):
        self.engine = engine()
        self.settings, self.version, self.index = settings, 0, 0
        self.seconds, self.slow = seconds, slow or {}
        self.cancel_event = threading.Event()

    def update(self, settings: JamSettings) -> int:
        self.settings, self.version = settings, self.version + 1
        return self.index

    def reseed(self, song: Score) -> int:
        self.version += 1
        return self.index

    def next_chunk(self) -> Chunk:
        seconds = self.slow.get(self.index, self.seconds)
        if self.cancel_event.wait(seconds):
            raise CancelledError("stopped")
        length = self.settings.bar_quarters
        bars = [
            Bar([Note(36 + self.index % 60, 90, 0, 100)], *self.settings.metre, length)
            for _ in range(self.settings.bars_per_chunk)
        ]
        tracks = [replace(part, bars=list(bars)) for part in self.settings.tracks]
        score = Score(tracks, RESOLUTION, round(60_000_000 / self.settings.bpm))
        self.index += 1
        return Chunk(self.index - 1, self.index - 1, score, 1, self.version, seconds * 1000, 0)


def pitches(given) -> list[int]:
    """The pitches of a delivery's first track."""
    return [note.pitch for bar in given.chunk.score.tracks[0].bars for note in bar.notes]
