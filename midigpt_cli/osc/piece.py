"""What has been played so far in an OSC session: parts, their bars, and the playhead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from midigpt_core.music import quarters_of
from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track

RESOLUTION = 480
DRUM_TRACK = 11  # track_type of a drum part, as clients send it


@dataclass
class OscPart:
    """One part: the agent's, which is written, or one that is played."""

    instrument: int
    drums: bool
    agent: bool
    bars: dict[int, list[Note]] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.params = {"temperature": 1.0, **({"min_pitch": 0, "max_pitch": 127} if self.agent else {"ignore": 0})}


@dataclass
class OscPiece:
    """All parts by the numbers a client gives them; bars count from 0."""

    parts: dict[int, OscPart] = field(default_factory=dict)
    metres: dict[int, tuple[int, int]] = field(default_factory=dict)
    completed: int = 0  # bars that have been played
    _played: dict[tuple[int, int], list[tuple[int, int, float, float]]] = field(default_factory=dict)

    @property
    def agent(self) -> int | None:
        """The number of the part that is written."""
        return next((number for number, part in self.parts.items() if part.agent), None)

    def metre(self, bar: int) -> tuple[int, int]:
        """The metre of a bar: its own, or that of the last one before it."""
        known = [number for number in self.metres if number <= bar]
        return self.metres[max(known)] if known else (4, 4)

    def ticks(self, bar: int) -> int:
        """Length of a bar in ticks."""
        return round(quarters_of(*self.metre(bar)) * RESOLUTION)

    def play(self, part: int, bar: int, note: tuple[int, int, float, float]) -> None:
        """Note one (pitch, velocity, onset, duration) of a bar that is not over; times are shares of the bar."""
        self._played.setdefault((part, bar), []).append(note)

    def end_bar(self, bar: int, metre: tuple[int, int]) -> None:
        """The bar has been played."""
        self.metres[bar] = metre
        length = self.ticks(bar)
        for number, part in self.parts.items():
            played = self._played.pop((number, bar), None)
            if played is not None:
                part.bars[bar] = [
                    Note(pitch, velocity, min(int(onset * length), length - 1), max(1, int(duration * length)))
                    for pitch, velocity, onset, duration in played
                    if velocity > 0
                ]
        self.completed = max(self.completed, bar + 1)

    def score(self, first: int, end: int) -> Score:
        """Bars first to end - 1 of all parts, in the order in which the parts were made."""
        tracks = []
        for part in self.parts.values():
            bars = [
                Bar(list(part.bars.get(bar, ())), *self.metre(bar), quarters_of(*self.metre(bar)))
                for bar in range(first, end)
            ]
            tracks.append(Track(bars, part.instrument, DRUM if part.drums else MELODIC))
        return Score(tracks, RESOLUTION)


def features(notes: Sequence[Note], beats: int, length: int) -> Mapping[str, float]:
    """What a written bar is like: numbers that clients plot."""
    onsets = [note.onset_ticks for note in notes]
    together = [onsets.count(onset) for onset in set(onsets)]
    lengths = [note.duration_ticks for note in notes]
    return {
        "note_density": len(notes) / max(1, beats),
        "mean_pitch": sum(note.pitch for note in notes) / len(notes),
        "mean_velocity": sum(note.velocity for note in notes) / len(notes),
        "max_polyphony": max(together),
        "mean_duration": sum(lengths) / len(lengths) / length,
        "min_polyphony": min(together),
        "min_note_duration": min(lengths),
        "max_note_duration": max(lengths),
    }
