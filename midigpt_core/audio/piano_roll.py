"""What a picture of a score shows: a roll per track, its notes in quarter notes, and which cells changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from midigpt_core.errors import AudioError
from midigpt_core.music import pitch_name
from midigpt_core.score import DRUM, Bar, Score, Track

Cell = tuple[int, int]  # track, bar, from 0

_INCHES_PER_SEMITONE, _INCHES_PER_DRUM = 0.055, 0.14
_LOWEST_STRIP, _HIGHEST_STRIP = 0.62, 2.4


@dataclass(frozen=True)
class DrawnNote:
    """One note in the picture: quarter notes from the left edge, its row, and the bar it begins in."""

    start: float
    stop: float
    row: float
    velocity: int
    bar: int


@dataclass(frozen=True)
class PianoRoll:
    """One track in the picture."""

    track: int
    name: str
    sound: str  # instrument or kit
    drums: bool
    low: float  # rows at the edges
    high: float
    rows: tuple[tuple[float, str], ...]  # the named rows
    notes: tuple[DrawnNote, ...]
    height: float  # inches


def bar_lines(score: Score, bars: range) -> list[float]:
    """Where the bars begin, in quarter notes from the first one, and where the last ends."""
    longest = max((track.bars for track in score.tracks), key=len, default=[])
    lines = [0.0]
    for bar in bars:
        lines.append(lines[-1] + (longest[bar].beat_length if bar < len(longest) else 4.0))
    return lines


def rolls(scores: Sequence[Score], bars: range, most: int) -> list[list[PianoRoll]]:
    """The rolls of each score; the same track has the same rows in all of them. Raises AudioError beyond `most`."""
    count = max(len(score.tracks) for score in scores)
    if count > most:
        raise AudioError(f"{count} tracks are too many for one picture; {most} can be drawn")
    columns: list[list[PianoRoll]] = [[] for _ in scores]
    for number in range(count):
        same = [score.tracks[number] if number < len(score.tracks) else None for score in scores]
        model = next(track for track in reversed(same) if track is not None)
        rows = _rows([track for track in same if track is not None], bars, model.track_type == DRUM)
        for column, score, track in zip(columns, scores, same, strict=True):
            column.append(_roll((number, model), track, rows, score, bars))
    return columns


def changed_cells(before: Score, after: Score) -> frozenset[Cell]:
    """The cells whose notes differ; a track or bar the first score lacks is all new where it sounds."""
    found = set()
    for number, track in enumerate(after.tracks):
        old = before.tracks[number].bars if number < len(before.tracks) else []
        for index, bar in enumerate(track.bars):
            earlier = _sounds(old[index], before) if index < len(old) else Counter()
            if _sounds(bar, after) != earlier:
                found.add((number, index))
    return frozenset(found)


def around(cells: Collection[Cell], n_bars: int, more: int = 2) -> range:
    """The bars of these cells, those between them, and `more` on either side; all where there are no cells."""
    bars = [bar for _, bar in cells] or [0, n_bars - 1]
    return range(max(0, min(bars) - more), min(n_bars, max(bars) + 1 + more))


def _sounds(bar: Bar, score: Score) -> Counter[tuple[int, int, float, float]]:
    per = 1 / score.resolution
    return Counter((n.pitch, n.velocity, n.onset_ticks * per, n.duration_ticks * per) for n in bar.notes)


def _rows(tracks: list[Track], bars: range, drums: bool) -> dict[int, float]:
    """The row of each pitch that may be shown: pitches in order, or the drums in use stacked without gaps."""
    used = sorted({n.pitch for track in tracks for b in bars if b < len(track.bars) for n in track.bars[b].notes})
    if drums:
        return {pitch: float(row) for row, pitch in enumerate(used)} or {36: 0.0}
    low, high = (used[0], used[-1]) if used else (60, 60)
    spare = max(0, 9 - (high - low))
    return {pitch: float(pitch) for pitch in range(low - spare // 2, high + (spare + 1) // 2 + 1)}


def _roll(
    place: tuple[int, Track], track: Track | None, rows: dict[int, float], score: Score, bars: range
) -> PianoRoll:
    number, model = place
    drums = model.track_type == DRUM
    per_row = _INCHES_PER_DRUM if drums else _INCHES_PER_SEMITONE
    height = min(max((len(rows) + 0.5) * per_row, _LOWEST_STRIP), max(_HIGHEST_STRIP, len(rows) * 0.1 * drums))
    sound = "drums" if drums else _instrument(model.instrument)
    return PianoRoll(
        number,
        _short(model.name or sound),
        _short(sound if model.name else ""),
        drums,
        min(rows.values()),
        max(rows.values()),
        _named(rows, drums, height),
        _notes(track, rows, score, bars) if track else (),
        height,
    )


def _notes(track: Track, rows: dict[int, float], score: Score, bars: range) -> tuple[DrawnNote, ...]:
    lines = bar_lines(score, bars)
    found = []
    for bar, line in zip(bars, lines, strict=False):
        for note in track.bars[bar].notes if bar < len(track.bars) else ():
            start = line + note.onset_ticks / score.resolution
            stop = min(start + note.duration_ticks / score.resolution, lines[-1])
            found.append(DrawnNote(start, stop, rows[note.pitch], note.velocity, bar))
    return tuple(found)


def _named(rows: dict[int, float], drums: bool, height: float) -> tuple[tuple[float, str], ...]:
    """The rows that carry a name: every drum, or every C; a roll without a C names its lowest pitch."""
    if drums:
        from pretty_midi import note_number_to_drum_name

        return tuple((row, note_number_to_drum_name(pitch) or f"drum {pitch}") for pitch, row in rows.items())
    found = [(row, pitch_name(pitch)) for pitch, row in rows.items() if pitch % 12 == 0]
    if len(found) < 2 and height > 0.5:
        found += [(row, pitch_name(pitch)) for pitch, row in rows.items() if pitch % 12 == 7]
    return tuple(found)


def _instrument(program: int) -> str:
    from pretty_midi import program_to_instrument_name

    return str(program_to_instrument_name(program)).lower()


def _short(text: str, most: int = 20) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
