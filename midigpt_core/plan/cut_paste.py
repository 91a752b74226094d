"""Cut the bars a step needs out of a Score, and paste the new ones back."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from midigpt_core.errors import ScoreError
from midigpt_core.plan.steps import Cell, Step
from midigpt_core.score import Bar, Note, Score, Track

REACH = 32.0  # quarter notes around a window in which notes are looked for that may sound in it
_BAR_ATTRIBUTE = "bar_"  # bar-level controls are kept as "bar_<token type>_<bar>"


def cut(score: Score, step: Step, hidden: Collection[Cell] = (), shown: Sequence[int] | None = None) -> Score:
    """The bars of the step's window alone, as a Score of its own whose bar 0 is the window's first.

    `hidden` cells (of the piece) are marked `future`; `shown` tracks come in this order, without the others. A piece
    shorter than the window gets empty bars on the right. The bars are new objects; the notes in them are shared with
    `score`, which is not changed. Work grows with the window, not the piece.
    """
    metres = _metres(score, step)
    hidden = frozenset(hidden)
    tracks = []
    for number in range(len(score.tracks)) if shown is None else shown:
        track = score.tracks[number]
        bars = [_cut_bar(track.bars, step, offset, metre) for offset, metre in enumerate(metres)]
        for offset, bar in enumerate(bars):
            bar.future = bar.future or (number, step.start_bar + offset) in hidden
        attributes = _moved(track.attributes, step) if track.attributes else {}
        tracks.append(replace(track, bars=bars, attributes=attributes))
    return Score(tracks=tracks, resolution=score.resolution, tempo=score.tempo)


def paste(score: Score, step: Step, written: Score) -> Score:
    """The piece with the step's cells, and nothing else, taken from `written` (a window as `cut` makes them).

    The bars keep the piece's metre and length; only their notes are new, in the piece's resolution, without those
    that would begin after the end of a bar cut short. Everything that is not written is shared with `score`, which
    is not changed. Raises ScoreError where `written` lacks a cell.
    """
    tracks = list(score.tracks)
    opened: set[int] = set()
    for number, place in sorted(step.cells):
        bar = _written_bar(written, number, place - step.start_bar, place)
        if number not in opened:
            tracks[number] = replace(tracks[number], bars=list(tracks[number].bars))
            opened.add(number)
        old = tracks[number].bars[place]
        length = old.ticks(score.resolution)  # less than its metre says, in a bar cut short
        notes = _rescaled(bar, written.resolution, score.resolution)
        tracks[number].bars[place] = replace(old, notes=[note for note in notes if note.onset_ticks < length])
    return replace(score, tracks=tracks)


def kept_notes(score: Score, step: Step, resolution: int) -> dict[int, list[tuple[int, int, int]]]:
    """What sounds on the step's tracks and is not written by it or a later step: (start, end, pitch) per track.

    Ticks count from the start of the window, `resolution` to the quarter; starts are cut down and ends rounded up
    to them. Notes that begin before or after the window count too, as far as `REACH` quarters from it.
    """
    replaced = step.cells | step.pending
    kept: dict[int, list[tuple[int, int, int]]] = {}
    for number in sorted({track for track, _ in step.cells}):
        bars = score.tracks[number].bars
        kept[number] = [
            (*_span(note, begin, score.resolution, resolution), note.pitch)
            for place, begin in _near(bars, step)
            if (number, place) not in replaced
            for note in bars[place].notes
        ]
    return kept


def _near(bars: list[Bar], step: Step) -> Iterator[tuple[int, float]]:
    """The bars in and around the window, each with its first quarter, counted from the start of the window."""
    begin = 0.0
    for place in range(min(step.start_bar, len(bars)) - 1, -1, -1):
        begin -= bars[place].beat_length
        yield place, begin
        if begin <= -REACH:
            break
    begin, past = 0.0, 0.0
    for place in range(step.start_bar, len(bars)):
        yield place, begin
        begin += bars[place].beat_length
        past += bars[place].beat_length if place >= step.end_bar else 0.0
        if past >= REACH:
            break


def _span(note: Note, begin: float, per_quarter: int, resolution: int) -> tuple[int, int]:
    start = begin + note.onset_ticks / per_quarter
    return math.floor(start * resolution), math.ceil((start + note.duration_ticks / per_quarter) * resolution)


def _cut_bar(bars: list[Bar], step: Step, offset: int, metre: Bar) -> Bar:
    """A copy of one bar of the window; an empty one in `metre` where the track has none there."""
    place = step.start_bar + offset
    if place >= min(step.end_bar, len(bars)):
        return replace(metre)
    return replace(bars[place], notes=list(bars[place].notes))


def _metres(score: Score, step: Step) -> list[Bar]:
    """For each bar of the window a bar that shows its metre: of the longest track, past the piece of its last bar."""
    longest = max(score.tracks, key=lambda track: track.n_bars, default=Track())
    bars = longest.bars
    if not bars:
        return [Bar() for _ in range(step.n_bars)]
    last = min(step.end_bar, len(bars)) - 1
    return [_blank(bars[min(step.start_bar + offset, last)]) for offset in range(step.n_bars)]


def _blank(bar: Bar) -> Bar:
    return replace(bar, notes=[], future=False)


def _moved(attributes: dict[str, int], step: Step) -> dict[str, int]:
    """Bar-level controls counted from the window's first bar; those of other bars are left out."""
    moved = {}
    for key, value in attributes.items():
        stem, _, place = key.rpartition("_")
        if key.startswith(_BAR_ATTRIBUTE) and place.isdecimal():
            if step.start_bar <= int(place) < step.end_bar:
                moved[f"{stem}_{int(place) - step.start_bar}"] = value
        else:
            moved[key] = value
    return moved


def _written_bar(written: Score, track: int, offset: int, place: int) -> Bar:
    if track >= len(written.tracks) or offset >= len(written.tracks[track].bars):
        raise ScoreError(
            f"the written window has no bar {offset} on track {track}, which bar {place} of the piece was to get; "
            "paste a window with every bar of the step"
        )
    return written.tracks[track].bars[offset]


def _rescaled(bar: Bar, per_quarter: int, resolution: int) -> list[Note]:
    """The bar's notes in ticks of another resolution, micro-timing included; no onset leaves its bar."""
    if per_quarter == resolution:
        return list(bar.notes)
    last = max(0, bar.ticks(resolution) - 1)
    scale = resolution / per_quarter
    moved = []
    for note in bar.notes:
        begin = max(0.0, note.onset_ticks + note.delta / per_quarter)
        onset = min(round(begin * scale), last)
        end = round((begin + note.duration_ticks) * scale)  # rounded by itself, so that notes that met still meet
        moved.append(replace(note, onset_ticks=onset, duration_ticks=max(1, end - onset), delta=0))
    return moved
