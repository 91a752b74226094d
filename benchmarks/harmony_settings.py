"""Other coefficients and strengths of harmony against those in use, on notes drawn for the same tasks.

    python -m benchmarks.harmony_settings CORPUS --manifest MANIFEST.csv [--per-kind 40] [--task-seed 6]

Prints a table of results/harmony.md: all tasks but those of drums, the usual pool, one sampling. Each setting but the
one in use is told by its differences from that, task by task, with the standard error over tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from benchmarks.consensus import Measures, takes_of, written
from benchmarks.measure import table
from benchmarks.on_corpus import corpus_parser, engine_of, real_songs
from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.metrics import Passage, measure
from midigpt_core.evaluate.tasks import DRUMS, Task, draw_tasks
from midigpt_core.harmony.pitches import WEIGHTS

IN_USE = dict(WEIGHTS)
FITTED = {  # by benchmarks.fit_harmony with the built-in model
    "unison": -0.15,
    "semitone": -0.46,
    "whole tone": -0.47,
    "minor third": -0.05,
    "major third": -0.01,
    "fourth": -0.21,
    "tritone": 0.14,
    "semitone on the beat": -0.32,
    "semitone soon": -0.26,
    "same pitch": 0.40,
}
SETTINGS: dict[str, tuple[Mapping[str, float], float]] = {  # name -> coefficients and strength
    "in use, 1.5": (IN_USE, 1.5),
    "in use, 1": (IN_USE, 1.0),
    "fitted, 1.5": (FITTED, 1.5),
    "fitted, 2": (FITTED, 2.0),
    "none": (IN_USE, 0.0),
}
SHOWN = {"note_f1": "note F1", "copy": "stands elsewhere", "chord_tone": "chord tone", "clash": "clash"}


@contextmanager
def coefficients(weights: Mapping[str, float]) -> Iterator[None]:
    """Let harmony use other coefficients."""
    WEIGHTS.update(weights)
    try:
        yield
    finally:
        WEIGHTS.update(IN_USE)


def drawn(engine: InferenceEngine, tasks: Sequence[Task], strength: float) -> list[Measures]:
    """The measures of the take of each task."""
    takes = [takes_of(engine, task, harmony=strength)[0] for task in tasks]
    return [measure(Passage(t.score, t.cells), written(t, take)) for t, take in zip(tasks, takes, strict=True)]


def means(found: Sequence[Measures]) -> list[str]:
    """The mean of each measure."""
    return [f"{np.mean([row[key] for row in found if key in row]):.3f}" for key in SHOWN]


def differences(found: Sequence[Measures], base: Sequence[Measures]) -> list[str]:
    """The mean of each measure's differences over the tasks that have it under both settings."""
    cells = []
    for key in SHOWN:
        pairs = zip(found, base, strict=True)
        apart = [row[key] - other[key] for row, other in pairs if key in row and key in other]
        cells.append(f"{np.mean(apart):+.3f} ± {np.std(apart) / len(apart) ** 0.5:.3f}")
    return cells


def main() -> None:
    parser = corpus_parser(__doc__)
    parser.add_argument("--per-kind", type=int, default=40)
    parser.add_argument("--task-seed", type=int, default=6)
    options = parser.parse_args()
    engine = engine_of(options)
    songs = real_songs(options.corpus, options.manifest)
    tasks = [task for task in draw_tasks(songs, options.per_kind, options.task_seed) if task.voice != DRUMS]
    found = {}
    for name, (weights, strength) in SETTINGS.items():
        with coefficients(weights):
            found[name] = drawn(engine, tasks, strength)
    scenes = [Passage(task.score, task.cells) for task in tasks]
    base = found.pop("in use, 1.5")
    rows = [("original", *means([measure(scene, scene.original()) for scene in scenes])), ("in use, 1.5", *means(base))]
    rows += [(name, *differences(measures, base)) for name, measures in found.items()]
    print(f"{len(tasks)} tasks, task seed {options.task_seed}\n")
    print(table(("coefficients, strength", *SHOWN.values()), rows))


if __name__ == "__main__":
    main()
