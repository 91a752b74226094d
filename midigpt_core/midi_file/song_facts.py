"""Tell what is in a song: metres, tempi, keys, length, and what each track plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midigpt_core.midi_file.bars import bar_of
from midigpt_core.midi_file.events import KEY, metas
from midigpt_core.midi_file.file_notes import FileNotes
from midigpt_core.midi_file.source import MidiSource, last_tick, tempi
from midigpt_core.midi_file.timeline import load_timeline
from midigpt_core.music import bpm_of, quarters_of
from midigpt_core.score import Score, Track

if TYPE_CHECKING:
    import pretty_midi

_MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR = tuple(
    name + "m" for name in ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")
)


@dataclass(frozen=True)
class TrackFacts:
    """What one track plays. Bars count from 0."""

    notes: int
    lowest: int | None  # pitch
    highest: int | None
    sounding: tuple[int, ...]  # bars in which a note begins or is still held


@dataclass(frozen=True)
class SongFacts:
    """What is in a song. Bars count from 0; a list of changes holds (bar, value) in order of time."""

    bars: int
    seconds: float
    metres: tuple[tuple[int, str], ...]  # "7/8"
    short_bars: tuple[tuple[int, float], ...]  # bars cut short (a pickup, say): quarter notes left of them
    tempi: tuple[tuple[int, float], ...]  # beats (quarter notes) per minute
    keys: tuple[tuple[int, str], ...]  # "F#m"
    tracks: tuple[TrackFacts, ...]


def song_facts(score: Score) -> SongFacts:
    """The facts of a score; those of its time line come from its file, or from the file it would make."""
    from midigpt_core.midi_file import score_to_bytes

    source = score.source or MidiSource(score_to_bytes(score), "score")
    chunks = source.outlines
    lines = [span.start for span in source.bars()]
    timeline = load_timeline(chunks, source.division)
    longest = max(score.tracks, key=lambda track: track.n_bars, default=Track())
    bars = longest.excerpt(0, longest.n_bars)
    metres = [f"{bar.ts_numerator}/{bar.ts_denominator}" for bar in bars]
    full = [quarters_of(bar.ts_numerator, bar.ts_denominator) for bar in bars]
    keys = [(bar_of(lines, tick), _key_name(data)) for chunk in chunks for tick, data in metas(chunk.events, KEY)]
    return SongFacts(
        bars=len(bars),
        seconds=_seconds(timeline, last_tick(chunks), source.division),
        metres=_changes_only(list(enumerate(metres))),
        short_bars=tuple((i, bar.beat_length) for i, bar in enumerate(bars) if full[i] - bar.beat_length > 0.02),
        tempi=tuple((bar_of(lines, tick), bpm_of(microseconds)) for tick, microseconds in tempi(chunks))
        or ((0, 120.0),),
        keys=_changes_only(sorted((bar, key) for bar, key in keys if key)),
        tracks=tuple(_facts_of_tracks(score)),
    )


def _changes_only(values: list[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """Without those that repeat the value before them."""
    return tuple(item for i, item in enumerate(values) if i == 0 or item[1] != values[i - 1][1])


def _seconds(timeline: pretty_midi.PrettyMIDI, tick: int, division: int) -> float:
    return float(timeline.tick_to_time(tick * timeline.resolution // division))


def _key_name(data: bytes) -> str:
    """The key of a key signature, or nothing for one outside the circle of fifths."""
    if len(data) < 2 or data[1] > 1:
        return ""
    index = (data[0] + 128) % 256 - 128 + 7
    return (_MINOR if data[1] else _MAJOR)[index] if 0 <= index < 15 else ""


def _facts_of_tracks(score: Score) -> list[TrackFacts]:
    found = FileNotes.of(score)
    if found is None:
        return [_track_facts(track, score.resolution) for track in score.tracks]
    pitches = [track.part.notes.pitches if track.part else b"" for track in score.tracks]
    return [
        TrackFacts(len(own), min(own, default=None), max(own, default=None), bars)
        for own, bars in zip(pitches, found.sounding(), strict=True)
    ]


def _track_facts(track: Track, resolution: int) -> TrackFacts:
    pitches = [note.pitch for bar in track.bars for note in bar.notes]
    sounding, held_until, position = [], 0.0, 0.0
    for index, bar in enumerate(track.bars):
        if bar.notes or held_until > position + 1e-6:
            sounding.append(index)
        ends = [position + note.onset_ticks + note.duration_ticks for note in bar.notes]
        held_until = max([held_until, *ends])
        position += bar.beat_length * resolution
    return TrackFacts(len(pitches), min(pitches, default=None), max(pitches, default=None), tuple(sounding))
