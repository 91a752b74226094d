"""How much more takes differ from what stood there when the studio is asked for bolder ones, by setting.

    python -m benchmarks.bolder CORPUS --manifest MANIFEST.csv [--per-kind 30] [--task-seed 9]

Prints results/bolder.md: bars of the samples and of real held-out songs, three takes of each task, as the studio asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.consensus import Measures, takes_of, written
from benchmarks.measure import table
from benchmarks.on_corpus import corpus_parser, engine_of, real_songs
from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.metrics import Passage, Written, measure
from midigpt_core.evaluate.tasks import Task, draw_tasks
from midigpt_core.generation.take import Take
from midigpt_core.music import sixteenth_of

SAMPLES = Path(__file__).parents[1] / "samples"
KINDS = ("1 bar", "2 bars", "4 bars")
TAKES = 3
STEPS = (0.5, 0.7, 0.9)  # least distance, as in midigpt_cli/studio/bolder.js
Settings = Callable[[float], Mapping[str, Any]]  # of the mean distance of the takes that are not different enough


def bolder(before: float) -> Mapping[str, Any]:
    """What *More different* asks for."""
    return {"distance": [next((step for step in STEPS if step > before), STEPS[-1]), 1.0], "echo": 0.0}


AS_IT_COMES, PRESSED = "as it comes", "*More different*"
SETTINGS: dict[str, tuple[str, Settings]] = {  # name -> the takes before, and what is asked then
    AS_IT_COMES: ("", lambda _: {}),
    "temperature 1.3": ("", lambda _: {"temperature": 1.3}),
    "temperature 1.6": ("", lambda _: {"temperature": 1.6}),
    "echo 0": ("", lambda _: {"echo": 0.0}),
    "echo 0, temperature 1.3": ("", lambda _: {"echo": 0.0, "temperature": 1.3}),
    "mask_p 0.1": ("", lambda _: {"mask_p": 0.1}),
    "distance 0.5..1": ("", lambda _: {"distance": [0.5, 1.0]}),
    "distance 0.5..1, temperature 1.3": ("", lambda _: {"distance": [0.5, 1.0], "temperature": 1.3}),
    "distance 0.5..1, echo 0": ("", lambda _: {"distance": [0.5, 1.0], "echo": 0.0}),
    PRESSED: (AS_IT_COMES, bolder),
    f"{PRESSED} again": (PRESSED, bolder),
}
SHOWN = {
    "distance": "distance",
    "pitches": "new pitches",
    "onsets": "new onsets",
    "in_key": "in key",
    "chord_tone": "chord tone",
    "clash": "clash",
    "notes": "notes",
}


def changed(passage: Passage, notes: Written) -> Measures:
    """Of the new notes, the share at an onset that had none, and of the others that with a pitch it had not."""
    onsets, pitches, old = [], [], passage.original()
    for cell, found in notes.items():
        stood: dict[int, set[int]] = {}
        for note in old[cell]:
            stood.setdefault(sixteenth_of(note.onset_ticks, passage.score.resolution), set()).add(note.pitch)
        for note in found:
            there = stood.get(sixteenth_of(note.onset_ticks, passage.score.resolution))
            onsets.append(there is None)
            if there is not None:
                pitches.append(note.pitch not in there)
    return {name: float(np.mean(rows)) for name, rows in (("onsets", onsets), ("pitches", pitches)) if rows}


def facts(task: Task, take: Take) -> Measures:
    """What is measured of one take."""
    passage, notes = Passage(task.score, task.cells), written(task, take)
    return {**measure(passage, notes), **changed(passage, notes), "distance": take.distance}


def asked_anew(engine: InferenceEngine, tasks: Sequence[Task]) -> dict[str, list[Measures]]:
    """The measures of the takes of each task, under each setting."""
    found: dict[str, list[Measures]] = {name: [] for name in SETTINGS}
    for task in tasks:
        means = {"": 0.0}
        for name, (before, settings) in SETTINGS.items():
            takes = takes_of(engine, task, num_candidates=TAKES, **settings(means[before]))
            means[name] = float(np.mean([take.distance for take in takes]))
            found[name] += [facts(task, take) for take in takes]
    return found


def rows_of(found: Mapping[str, Sequence[Measures]]) -> list[tuple[Any, ...]]:
    """A row per setting: the means over all takes."""
    return [
        (name, *(f"{np.mean([row[key] for row in measures if key in row]):.2f}" for key in SHOWN))
        for name, measures in found.items()
    ]


def main() -> None:
    parser = corpus_parser(__doc__)
    parser.add_argument("--per-kind", type=int, default=30)
    parser.add_argument("--task-seed", type=int, default=9)
    asked = parser.parse_args()
    engine = engine_of(asked)
    places = {"the samples": sorted(SAMPLES.glob("*.mid")), "songs": real_songs(asked.corpus, asked.manifest)}
    for name, songs in places.items():
        tasks = draw_tasks(songs, asked.per_kind, asked.task_seed, KINDS)
        rows = rows_of(asked_anew(engine, tasks))
        print(f"## {len(tasks)} tasks in {name}\n\n{table(('', *SHOWN.values()), rows)}\n", flush=True)


if __name__ == "__main__":
    main()
