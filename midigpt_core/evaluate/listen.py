"""A folder to listen to: the original, takes and floors of a few tasks as .mid files, and a page that lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.floors import FLOORS, Notes, stock
from midigpt_core.evaluate.judge import request_for
from midigpt_core.evaluate.tasks import Task
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Score

PLAYED = ("original", "copy previous bars", "random bar in key")


def write_listening_folder(
    engine: InferenceEngine, tasks: Sequence[Task], folder: Path, takes: int = 2, config: InferenceConfig | None = None
) -> Path:
    """Write `folder`/index.md and one .mid per task and version; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    shelf = stock(tasks)
    lines = ["# Listen", "", "Bars are those of the excerpt, counted from 1.", ""]
    for number, task in enumerate(tasks, 1):
        bars = sorted({bar + 1 for _, bar in task.cells})
        tracks = sorted({task.score.tracks[t].name or f"track {t + 1}" for t, _ in task.cells})
        lines += [f"## {number}. {task.file}: {task.kind}, {', '.join(tracks)}, bars {bars[0]} to {bars[-1]}", ""]
        request = request_for(task, config or InferenceConfig())
        request = replace(request, config=replace(request.config, num_candidates=takes))
        result = engine.session(task.score, request).run_takes()
        versions = {name: with_notes(task.score, FLOORS[name](task, shelf)) for name in PLAYED}
        versions |= {f"take {i}": take.score for i, take in enumerate(result.takes, 1)}
        for name, score in versions.items():
            file = folder / f"{number:02d}-{name.replace(' ', '-')}.mid"
            score.to_midi(file)
            lines.append(f"- [{name}]({file.name})")
        lines.append("")
    page = folder / "index.md"
    page.write_text("\n".join(lines), encoding="utf-8")
    return page


def with_notes(score: Score, notes: Notes) -> Score:
    """The score with these cells' notes replaced."""
    tracks = [replace(track, bars=list(track.bars)) for track in score.tracks]
    for (track, bar), found in notes.items():
        tracks[track].bars[bar] = replace(tracks[track].bars[bar], notes=list(found))
    return replace(score, tracks=tracks)
