"""What a musician would remark on in bars that were written: parallels, pitches out of range, chords without a grip."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from midigpt_core.request import InferenceConfig
from midigpt_core.score import DRUM, Score
from midigpt_core.voices.leading import PARALLEL, Stave, VoicePart, pairs_of, parallels
from midigpt_core.voices.playable import grip_of
from midigpt_core.voices.ranges import range_of

Cells = Collection[tuple[int, int]]  # (track, bar)


@dataclass(frozen=True)
class Remark:
    """One of them. Tracks and bars count from 0."""

    what: str
    bar: int
    tracks: tuple[int, ...]

    @property
    def text(self) -> str:
        """In words, counted from 1."""
        word = "track" if len(self.tracks) == 1 else "tracks"
        return f"{self.what} in bar {self.bar + 1}, {word} {' and '.join(str(track + 1) for track in self.tracks)}"


def remarks_on(score: Score, cells: Cells, config: InferenceConfig) -> tuple[Remark, ...]:
    """What there is to remark on in these bars, of what the caller asks about."""
    found = [*of_playing(score, cells)] if config.playable else []
    if config.voice_leading and cells:
        found += of_leading(score, cells, pairs_of(score, cells))
    return tuple(found)


def of_leading(score: Score, cells: Cells, pairs: Sequence[tuple[VoicePart, VoicePart]]) -> Iterator[Remark]:
    """The parallels of these pairs in which a note of the cells takes part."""
    bars = [bar for _, bar in cells]
    stave = Stave.of(score, min(bars) - 1, max(bars) + 2)
    for pair in pairs:
        tracks = pair[0].track, pair[1].track
        for low, high, end, kept in parallels(stave.line(pair[0]), stave.line(pair[1])):
            of_notes = [*zip(tracks, map(stave.bar_at, (low, high)), strict=True)]
            of_notes += [(track, stave.bar_at(end)) for track in tracks]
            if any(cell in cells for cell in of_notes):
                yield Remark(PARALLEL[kept], stave.bar_at(end), tracks)


def of_playing(score: Score, cells: Cells) -> Iterator[Remark]:
    """What the player of each track cannot play; one remark of a kind per bar."""
    for number, place in sorted(cells):
        track, notes = score.tracks[number], score.tracks[number].bars[place].notes
        if track.track_type == DRUM:
            continue
        low, high = range_of(track.instrument)
        if any(not low <= note.pitch <= high for note in notes):
            yield Remark("out of range", place, (number,))
            continue
        held = grip_of(track.instrument)
        struck: dict[int, set[int]] = {}
        for note in notes:
            struck.setdefault(note.onset_ticks, set()).add(note.pitch)
        if held and not all(held[0](tuple(sorted(pitches))) for pitches in struck.values()):
            yield Remark(held[1], place, (number,))
