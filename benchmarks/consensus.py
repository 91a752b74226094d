"""What harmony and the choice among candidates are worth, on tasks to choose settings by.

    python -m benchmarks.consensus CORPUS --manifest MANIFEST.csv [--ckpt FILE] [--per-kind 30] [--task-seed 5]

The tasks are those of `midigpt evaluate` with another seed than the reported ones: what is chosen here is judged there.
Real music only, one sampling of each task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.measure import table
from benchmarks.on_corpus import corpus_parser, engine_of, real_songs
from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.judge import request_for
from midigpt_core.evaluate.metrics import Passage, Written, measure
from midigpt_core.evaluate.tasks import BASS, DRUMS, EVERY, MELODIC, Task, draw_tasks
from midigpt_core.generation.candidate_consensus import Table, agreement, note_f1
from midigpt_core.generation.take import Take
from midigpt_core.request import InferenceConfig

SHOWN = ("note_f1", "chroma", "groove", "in_key", "copy", "collapse", "chord_tone", "clash", "leap")
HEADS = ("note F1", "chroma", "groove", "in key", "stands elsewhere", "collapse", "chord tone", "clash", "leap")
OLD = {"pool": 1, "harmony": 0.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "neither": OLD,
    "consensus": {"pool": 8, "harmony": 0.0},
    "harmony 1": {"pool": 1, "harmony": 1.0},
    "harmony 1.5": {"pool": 1, "harmony": 1.5},
    "consensus, harmony 1": {"pool": 8, "harmony": 1.0},
    "consensus, harmony 1.5": {"pool": 8, "harmony": 1.5},
    "consensus, harmony 2": {"pool": 8, "harmony": 2.0},
    "consensus of 4, harmony 1.5": {"pool": 4, "harmony": 1.5},
    "consensus of 16, harmony 1.5": {"pool": 16, "harmony": 1.5},
}
Measures = dict[str, float]


@dataclass(frozen=True)
class Drawn:
    """A task's candidates: their measures, how alike they are, how likely the model finds them."""

    task: Task
    measures: Sequence[Measures]
    alike: Table
    logprobs: Sequence[float]


Pick = Callable[[Drawn], int]
PICKS: dict[str, Pick] = {
    "the first": lambda drawn: 0,
    "likeliest": lambda drawn: int(np.argmax(drawn.logprobs)),
    "most like the others": lambda drawn: _most_like(drawn, 0.0),
    "the same, sameness 0.03": lambda drawn: _most_like(drawn, 0.03),
    "the same, sameness 0.05": lambda drawn: _most_like(drawn, 0.05),
    "the same, sameness 0.1": lambda drawn: _most_like(drawn, 0.1),
    "the best there was": lambda drawn: int(np.argmax([row["note_f1"] for row in drawn.measures])),
}


def _most_like(drawn: Drawn, sameness: float) -> int:
    elsewhere = np.array([row.get("copy", 0.0) for row in drawn.measures])
    return int(np.argmax(agreement(drawn.alike) - sameness * elsewhere))


def written(task: Task, take: Take) -> Written:
    """The task's cells in a take."""
    return {(track, bar): take.score.tracks[track].bars[bar].notes for track, bar in task.cells}


def takes_of(engine: InferenceEngine, task: Task, **config: Any) -> Sequence[Take]:
    """The takes of a task under these settings, in the order of their seeds."""
    request = request_for(task, InferenceConfig())
    request = replace(request, config=replace(request.config, **config))
    return engine.session(task.score, request).run_takes().takes


def draw(engine: InferenceEngine, task: Task, **config: Any) -> Drawn:
    """Eight takes of a task, each from a single candidate."""
    takes = takes_of(engine, task, num_candidates=8, pool=1, max_attempts=1, silence_check=False, **config)
    found, scene = [written(task, take) for take in takes], Passage(task.score, task.cells)
    measures = [measure(scene, notes) for notes in found]
    return Drawn(task, measures, note_f1(found, task.score.resolution), [take.logprob for take in takes])


def rows_of(name: str, tasks: Sequence[Task], measures: Sequence[Measures]) -> list[tuple[Any, ...]]:
    """One row per voice."""
    rows = []
    for voice in (MELODIC, BASS, DRUMS, EVERY):
        own = [found for task, found in zip(tasks, measures, strict=True) if task.voice == voice]
        cells = []
        for key in SHOWN:
            values = [found[key] for found in own if key in found]
            digits = 1 if key == "leap" else 3
            cells.append(f"{np.mean(values):.{digits}f}" if values else "")
        rows.append((voice, name, len(own), *cells))
    return rows


def by_voice(rows: Sequence[tuple[Any, ...]]) -> str:
    """The rows as a table, voice after voice."""
    order = (MELODIC, BASS, DRUMS, EVERY)
    return table(("tracks", "", "n", *HEADS), sorted(rows, key=lambda row: order.index(row[0])))


def original_rows(tasks: Sequence[Task]) -> list[tuple[Any, ...]]:
    """The originals against themselves."""
    scenes = [Passage(task.score, task.cells) for task in tasks]
    return rows_of("original", tasks, [measure(scene, scene.original()) for scene in scenes])


def settings_table(engine: InferenceEngine, tasks: Sequence[Task]) -> str:
    """What comes out under each of SETTINGS."""
    rows = original_rows(tasks)
    for name, config in SETTINGS.items():
        found = [takes_of(engine, task, **config)[0] for task in tasks]
        measures = [measure(Passage(t.score, t.cells), written(t, take)) for t, take in zip(tasks, found, strict=True)]
        rows += rows_of(name, tasks, measures)
    return by_voice(rows)


def picks_table(engine: InferenceEngine, tasks: Sequence[Task]) -> str:
    """One of the same eight candidates, picked in several ways."""
    drawn = [draw(engine, task, harmony=1.5) for task in tasks]
    rows = original_rows(tasks)
    for name, pick in PICKS.items():
        rows += rows_of(name, tasks, [one.measures[pick(one)] for one in drawn])
    return by_voice(rows)


def steps_table(engine: InferenceEngine, tasks: Sequence[Task]) -> str:
    """Several steps of two bars: a choice at each step, or among eight whole takes."""
    long = [task for task in tasks if len({bar for _, bar in task.cells}) >= 4]
    short = {"model_dim": 8, "bars_per_step": 2, "harmony": 1.5}
    each = [takes_of(engine, task, **short)[0] for task in long]
    measures = [measure(Passage(t.score, t.cells), written(t, take)) for t, take in zip(long, each, strict=True)]
    whole = [draw(engine, task, **short) for task in long]
    rows = rows_of("a choice at each step", long, measures)
    rows += rows_of("among whole takes", long, [one.measures[_most_like(one, 0.05)] for one in whole])
    rows += rows_of("none", long, [one.measures[0] for one in whole])
    return by_voice(rows)


def main() -> None:
    parser = corpus_parser(__doc__)
    parser.add_argument("--per-kind", type=int, default=30)
    parser.add_argument("--task-seed", type=int, default=5)
    asked = parser.parse_args()
    engine = engine_of(asked)
    tasks = draw_tasks(real_songs(asked.corpus, asked.manifest), asked.per_kind, asked.task_seed)
    print(f"{len(tasks)} tasks, task seed {asked.task_seed}\n\n## Settings\n", flush=True)
    print(settings_table(engine, tasks), flush=True)
    print("\n## One of eight candidates\n\n" + picks_table(engine, tasks), flush=True)
    print("\n## Several steps\n\n" + steps_table(engine, tasks), flush=True)


if __name__ == "__main__":
    main()
