"""Evaluation tasks: bars of held-out songs to fill in, the same ones every time."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from midigpt_core.errors import MidiFileError
from midigpt_core.fields import refused
from midigpt_core.plan.steps import Cell
from midigpt_core.score import DRUM, Score, Track

EXCERPT = 24  # bars around the task that are looked at
WINDOW = 8  # bars a whole-track or scattered task spans
MELODIC, BASS, DRUMS, EVERY = "melodic", "bass", "drums", "every"
SCATTERED, TOGETHER = "30 % of cells", "4 bars of every track"

KINDS: Mapping[str, int] = {  # kind -> bars taken out in a row (0: see `_cells_of`)
    "1 bar": 1,
    "2 bars": 2,
    "4 bars": 4,
    "whole track": 0,
    "last bars": 0,
    SCATTERED: 0,
    TOGETHER: 4,
}


@dataclass(frozen=True)
class Task:
    """One excerpt with the cells to write anew. Bars count from the excerpt's first."""

    kind: str
    voice: str  # of the track asked for: melodic, bass or drums; melodic for scattered cells; every
    file: str
    score: Score  # the excerpt, original notes in place
    cells: tuple[Cell, ...]
    seed: int


def draw_tasks(files: Sequence[Path], per_kind: int, seed: int = 0, kinds: Sequence[str] = tuple(KINDS)) -> list[Task]:
    """`per_kind` tasks of each kind, spread over the files and over melodic, bass and drum tracks in turn."""
    random = np.random.Generator(np.random.PCG64(seed))
    tasks: list[Task] = []
    loaded = dict(_readable(files))
    names = sorted(loaded)
    for kind in kinds:
        order = [names[i] for i in random.permutation(len(names))] * 3
        found = 0
        for name in order:
            if found == per_kind:
                break
            voice = {SCATTERED: MELODIC, TOGETHER: EVERY}.get(kind, (MELODIC, DRUMS, BASS)[found % 3])
            task = _task(kind, voice, name, loaded[name], random)
            if task is not None:
                tasks.append(task)
                found += 1
    return tasks


def held_out(manifest: Path, corpus: Path, sources: Sequence[str] = (), split: str = "valid") -> list[Path]:
    """The files of a corpus MANIFEST.csv (columns path, source, split) that are in this split, by source if given.

    Raises OSError, or RequestValidationError where a column is missing.
    """
    with manifest.open(newline="", encoding="utf-8") as table:
        reader = csv.DictReader(table)
        missing = sorted({"path", "source", "split"} - set(reader.fieldnames or ()))
        if missing:
            raise refused("manifest", str(manifest), f"has no column {missing[0]}", "give path, source and split")
        rows = [row for row in reader if row["split"] == split]
    return [corpus / row["path"] for row in rows if not sources or row["source"] in sources]


def voice_of(track: Track) -> str:
    """Drums, bass (a bass program, or a mean pitch below C3) or melodic."""
    if track.track_type == DRUM:
        return DRUMS
    pitches = [note.pitch for bar in track.bars for note in bar.notes]
    low = bool(pitches) and float(np.mean(pitches)) < 48
    return BASS if 32 <= track.instrument <= 39 or low else MELODIC


def _readable(files: Sequence[Path]) -> Iterator[tuple[str, Score]]:
    for file in files:
        try:
            score = Score.from_midi(file)
        except MidiFileError:
            continue
        score.source = None
        score.tracks = [track for track in score.tracks if any(bar.notes for bar in track.bars)]
        if score.tracks and score.n_bars >= WINDOW:
            yield f"{file.parent.name}/{file.name}", score


def _task(kind: str, voice: str, name: str, score: Score, random: np.random.Generator) -> Task | None:
    tracks = [t for t, track in enumerate(score.tracks) if voice_of(track) == voice]
    if kind not in (SCATTERED, TOGETHER) and not tracks:
        return None
    for _ in range(8):
        track = int(random.choice(tracks)) if tracks else 0
        n_bars = score.n_bars
        start = n_bars - WINDOW if kind == "last bars" else int(random.integers(0, n_bars - WINDOW + 1))
        cells = _cells_of(kind, track, start, score, random)
        sounding = [c for c in cells if score.tracks[c[0]].bars[c[1]].notes]
        if cells and len(sounding) >= max(1, len(cells) * 2 // 3) and _has_context(score, cells, start):
            return _excerpt(Task(kind, voice, name, score, cells, int(random.integers(2**31))))
    return None


def _cells_of(kind: str, track: int, start: int, score: Score, random: np.random.Generator) -> tuple[Cell, ...]:
    if kind == "whole track":
        return tuple((track, bar) for bar in range(start, start + WINDOW)) if len(score.tracks) > 1 else ()
    if kind == "last bars":
        return tuple((track, bar) for bar in range(start + WINDOW - 2, start + WINDOW))
    if kind == SCATTERED:
        window = [
            (t, b) for t, part in enumerate(score.tracks) for b in range(start, start + WINDOW) if part.bars[b].notes
        ]
        count = round(0.3 * len(window))
        return tuple(sorted(window[i] for i in random.permutation(len(window))[:count]))
    length = KINDS[kind]
    first = start + int(random.integers(1, WINDOW - length)) if length + 1 < WINDOW else start
    tracks = range(len(score.tracks)) if kind == TOGETHER else (track,)
    return tuple((t, bar) for t in tracks for bar in range(first, first + length))


def _has_context(score: Score, cells: Sequence[Cell], start: int) -> bool:
    """Something else sounds in the window, so that there is a task at all."""
    return any(
        bar.notes and (t, start + b) not in cells
        for t, track in enumerate(score.tracks)
        for b, bar in enumerate(track.bars[start : start + WINDOW])
    )


def _excerpt(task: Task) -> Task:
    bars = [bar for _, bar in task.cells]
    middle = (min(bars) + max(bars)) // 2
    start = max(0, min(middle - EXCERPT // 2, task.score.n_bars - EXCERPT))
    tracks = [replace(track, bars=track.bars[start : start + EXCERPT]) for track in task.score.tracks]
    shift = {t: i for i, t in enumerate(t for t, track in enumerate(tracks) if any(bar.notes for bar in track.bars))}
    score = replace(task.score, tracks=[tracks[t] for t in shift])
    return replace(task, score=score, cells=tuple((shift[t], b - start) for t, b in task.cells if t in shift))
