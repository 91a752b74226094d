"""Ask for a level of each control, measure the level that came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from midigpt_core.attributes.base import Attribute
from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.judge import Tell, request_for
from midigpt_core.evaluate.tasks import Task
from midigpt_core.request import GenerationRequest, InferenceConfig
from midigpt_core.score import Score
from midigpt_core.tokens.grid import to_grid

GUIDANCE = 3.0  # tried beside none


def adherence(
    engine: InferenceEngine, tasks: Sequence[Task], config: InferenceConfig | None = None, tell: Tell | None = None
) -> list[dict[str, float | str]]:
    """Per control: {"control", "n", "exact", "within_one", "mean_distance"} over the tasks it applies to.

    The level asked for is drawn from the levels that the bars being replaced show across all tasks, so that it is
    musical; it is asked of the written bars alone: track-level controls are measured on them. "guided_exact" and
    "guided_within_one" are the same with guidance GUIDANCE.
    """
    config = config or InferenceConfig()
    rows: list[dict[str, float | str]] = []
    controls = [control for control in engine.tokenizer.attributes if control.measured]
    for number, control in enumerate(controls):
        able = [task for task in tasks if control.applies_to(task.score.tracks[task.cells[0][0]])]
        if able:
            plain = _distances(engine, able, control, number, config)
            guided = _distances(engine, able, control, number, replace(config, guidance=GUIDANCE))
            rows.append(
                {
                    "control": control.name,
                    "n": len(able),
                    "exact": float(np.mean(plain == 0)),
                    "within_one": float(np.mean(plain <= 1)),
                    "mean_distance": float(plain.mean()),
                    "guided_exact": float(np.mean(guided == 0)),
                    "guided_within_one": float(np.mean(guided <= 1)),
                }
            )
        if tell:
            tell(number + 1, len(controls))
    return rows


def _distances(
    engine: InferenceEngine, tasks: Sequence[Task], control: Attribute, seed: int, config: InferenceConfig
) -> npt.NDArray[np.int64]:
    """Per task, how many levels the result is from the target."""
    levels = [_level(engine, task.score, task, control.name) for task in tasks]
    random = np.random.Generator(np.random.PCG64(seed))
    found = []
    for task in tasks:
        asked = int(random.choice(levels))
        result = engine.session(task.score, _asking(task, control, asked, config)).run_takes()
        found.append(abs(asked - _level(engine, result.takes[0].score, task, control.name)))
    return np.array(found)


def _asking(task: Task, control: Attribute, level: int, config: InferenceConfig) -> GenerationRequest:
    request = request_for(task, config)
    track = task.cells[0][0]
    prompts = list(request.tracks)
    name = control.name
    if control.level == "track":
        prompts[track] = replace(prompts[track], attributes={name: level})
    else:
        prompts[track] = replace(
            prompts[track], bar_attributes={bar: {name: level} for t, bar in task.cells if t == track}
        )
    return replace(request, tracks=prompts)


def _level(engine: InferenceEngine, score: Score, task: Task, name: str) -> int:
    """The control's level on the task's own bars of its first track (bar-level: the rounded mean over them)."""
    control = engine.tokenizer.attributes.get(name)
    assert control is not None
    track = task.cells[0][0]
    bars = sorted(bar for t, bar in task.cells if t == track)
    part = replace(score, tracks=[replace(score.tracks[track], bars=[score.tracks[track].bars[bar] for bar in bars])])
    grid = to_grid(part, engine.tokenizer.config)
    if control.level == "track":
        return control.value(grid, 0)
    return round(float(np.mean([control.value(grid, 0, bar) for bar in range(len(bars))])))
