"""What must hold of the notes of a filled-in song, measured on the file that was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import midigpt_core.tokens
from midigpt_cli.parse import control_values
from midigpt_core.constraints.controls import PitchMask
from midigpt_core.music import GRIDS
from midigpt_core.score import DRUM, Note, Score
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import to_grid

ENCODER = EncoderConfig.load(Path(midigpt_core.tokens.__file__).parent / "open_encoder.json")


@dataclass
class Case:
    """One song and what is asked of it; tracks and bars from 0."""

    file: Path
    score: Score
    tracks: list[int]
    bars: list[int]
    options: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def on_grid(self) -> Score:
        """The song on the model's grid."""
        return to_grid(self.score, ENCODER)

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Everything to be written."""
        return [(track, bar) for track in self.tracks for bar in self.bars]

    def value(self, option: str, place: int = 1) -> str:
        """A word of an option."""
        return self.options[option][place]


def broken_rules(case: Case, after: Score, checked: Counter[str]) -> Iterator[str]:
    """Every rule that does not hold."""
    for name, (option, rule) in RULES.items():
        if option is None or option in case.options:
            checked[name] += 1
            yield from (f"{name}: {found}" for found in rule(case, after))


def _notes(score: Score, cell: tuple[int, int]) -> list[Note]:
    track, bar = cell
    return score.tracks[track].bars[bar].notes if bar < len(score.tracks[track].bars) else []


def _new_melodic(case: Case, after: Score) -> list[Note]:
    cells = [cell for cell in case.cells if case.score.tracks[cell[0]].track_type != DRUM]
    return [note for cell in cells for note in _notes(after, cell)]


def _sounds(case: Case, after: Score) -> Iterator[str]:
    if not any(_notes(after, cell) for cell in case.cells):
        yield "no note"


def _is_new(case: Case, after: Score) -> Iterator[str]:
    if all(_notes(after, cell) == _notes(case.score, cell) for cell in case.cells):
        yield "the old notes"


def _ends_with_the_song(case: Case, after: Score) -> Iterator[str]:
    if after.n_bars != case.score.n_bars:
        yield f"{after.n_bars} bars instead of {case.score.n_bars}"


def _density(case: Case, after: Score) -> Iterator[str]:
    limit = int(case.value("--max-density"))
    for cell in case.cells:
        if len(_notes(after, cell)) > limit:
            yield f"{len(_notes(after, cell))} notes in bar {cell[1] + 1}, at most {limit}"


def _polyphony(case: Case, after: Score) -> Iterator[str]:
    """At no onset of a new note do more than the limit sound on its track."""
    limit = int(case.value("--max-polyphony"))
    for number in case.tracks:
        spans, onsets, start = [], [], 0
        for bar_number, bar in enumerate(after.tracks[number].bars):
            for note in bar.notes:
                spans.append((start + note.onset_ticks, start + note.onset_ticks + note.duration_ticks))
                if bar_number in case.bars:
                    onsets.append(start + note.onset_ticks)
            start += round(bar.beat_length * after.resolution)
        for onset in sorted(set(onsets)):
            sounding = sum(a <= onset < b for a, b in spans)
            if sounding > limit:
                yield f"{sounding} notes of track {number + 1} sound at tick {onset}, at most {limit}"
                break


def _pitches(option: str, read):  # type: ignore[no-untyped-def]
    def rule(case: Case, after: Score) -> Iterator[str]:
        allowed = PitchMask().pitches(read(case.value(option)))
        wrong = {note.pitch for note in _new_melodic(case, after)} - allowed
        if wrong:
            yield f"pitches {sorted(wrong)}"

    return rule


def _grid(case: Case, after: Score) -> Iterator[str]:
    step = GRIDS[case.value("--grid")] * after.resolution
    for cell in case.cells:
        for note in _notes(after, cell):
            off = abs(note.onset_ticks - round(note.onset_ticks / step) * step)
            if off >= 1:  # less than a tick of the file
                yield f"a note at tick {note.onset_ticks} of bar {cell[1] + 1}"
                return


def _grid_onsets(notes: Sequence[Note]) -> set[int]:
    return {note.onset_ticks for note in notes}


def _rhythm(case: Case, after: Score) -> Iterator[str]:
    """The same onsets; under a hard limit, which comes first, none but those."""
    again, limited = to_grid(after, ENCODER), {"--max-density", "--max-polyphony"} & set(case.options)
    for cell in case.cells:
        old, new = (_grid_onsets(_notes(score, cell)) for score in (case.on_grid, again))
        if old and (new - old if limited else old ^ new):
            yield f"onsets {sorted(old ^ new)} of bar {cell[1] + 1}, track {cell[0] + 1} differ"


def _remix(case: Case, after: Score) -> Iterator[str]:
    if {"--max-density", "--max-polyphony"} & set(case.options):
        return  # hard limits come first
    again, share = to_grid(after, ENCODER), float(case.value("--remix"))
    for cell in case.cells:
        old, new = ({(n.onset_ticks, n.pitch) for n in _notes(score, cell)} for score in (case.on_grid, again))
        wanted = {place for place in old if _within(case, place[1])}  # a scale or range comes first
        kept, least = len(old & new), len(wanted) - max(1, round(share * len(old)))
        if old and kept < least:
            yield f"{kept} of {len(old)} notes of bar {cell[1] + 1}, track {cell[0] + 1} kept, at least {least}"


def _within(case: Case, pitch: int) -> bool:
    """Whether the scale and the range that were asked for have this pitch."""
    masks = {"--scale": control_values.scale, "--pitch-range": control_values.pitch_range}
    asked = [PitchMask().pitches(read(case.value(option))) for option, read in masks.items() if option in case.options]
    return all(pitch in allowed for allowed in asked)


def _novelty(case: Case, after: Score) -> Iterator[str]:
    threshold = float(case.value("--novelty", 2))
    old, new = (
        Counter((cell, n.onset_ticks, n.pitch) for cell in case.cells for n in _notes(score, cell))
        for score in (case.score, after)
    )
    union = sum((old | new).values())
    if union and sum((old & new).values()) / union >= threshold:
        yield f"{sum((old & new).values())} of {union} notes are the old ones"


RULES = {
    "something sounds in the bars asked for": (None, _sounds),
    "the bars asked for are new": (None, _is_new),
    "the song is as long as it was": (None, _ends_with_the_song),
    "--max-density holds": ("--max-density", _density),
    "--max-polyphony holds": ("--max-polyphony", _polyphony),
    "--pitch-range holds": ("--pitch-range", _pitches("--pitch-range", control_values.pitch_range)),
    "--scale holds": ("--scale", _pitches("--scale", control_values.scale)),
    "--grid holds": ("--grid", _grid),
    "--rhythm-lock holds": ("--rhythm-lock", _rhythm),
    "--remix keeps the rest": ("--remix", _remix),
    "--novelty holds": ("--novelty", _novelty),
}
