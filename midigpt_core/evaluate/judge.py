"""Let a model (and the floors) do the tasks, and measure what comes out."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.floors import FLOORS, stock
from midigpt_core.evaluate.metrics import Passage, measure
from midigpt_core.evaluate.tasks import Task
from midigpt_core.generation.fit_context import narrowed
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.tokens_to_notes import original_tokens
from midigpt_core.model.base import log_softmax, on_host
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt

Tell = Callable[[int, int], None]  # (tasks done, tasks in all)


@dataclass
class Sheet:
    """Measures collected per doer, task kind and voice; `seeds` samplings of the model each count once."""

    rows: dict[tuple[str, str, str], dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, doer: str, task: Task, values: dict[str, float]) -> None:
        """Note the measures of one task."""
        for key, value in values.items():
            self.rows[doer, task.kind, task.voice][key].append(value)

    def summary(self) -> list[dict[str, Any]]:
        """Rows {"doer", "kind", "voice", "n", metric: [mean, standard error]}; kind and voice also "all"."""
        pooled: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for (doer, kind, voice), values in self.rows.items():
            for place in ((doer, kind, voice), (doer, kind, "all"), (doer, "all", voice), (doer, "all", "all")):
                for key, found in values.items():
                    pooled[place][key] += found
        return [
            {
                "doer": doer,
                "kind": kind,
                "voice": voice,
                "n": max(map(len, values.values())),
                **{key: _mean_sem(found) for key, found in sorted(values.items())},
            }
            for (doer, kind, voice), values in sorted(pooled.items())
        ]


def judge(
    engine: InferenceEngine,
    tasks: Sequence[Task],
    samplings: int = 3,
    config: InferenceConfig | None = None,
    tell: Tell | None = None,
) -> Sheet:
    """Run every task `samplings` times through the engine, once through each floor, and measure all of it.

    Nothing measured on the replaced notes reaches the prompt: control tokens come from the bars that stay.
    """
    sheet = Sheet()
    shelf = stock(tasks)
    for number, task in enumerate(tasks):
        passage = Passage(task.score, task.cells)
        for name, floor in FLOORS.items():
            sheet.add(name, task, measure(passage, floor(task, shelf)))
        for values in _model_measures(engine, task, passage, samplings, config or InferenceConfig()):
            sheet.add("model", task, values)
        if tell:
            tell(number + 1, len(tasks))
    return sheet


def request_for(
    task: Task, config: InferenceConfig, attributes: dict[int, dict[str, int]] | None = None
) -> GenerationRequest:
    """The task as a request; `attributes` by track. Giving the original back is no fault here, but success."""
    bars: dict[int, list[int]] = defaultdict(list)
    for track, bar in task.cells:
        bars[track].append(bar)
    asked = attributes or {}
    prompts = [TrackPrompt(t, bars.get(t, []), attributes=asked.get(t, {})) for t in range(len(task.score.tracks))]
    config = replace(config, seed=task.seed, num_candidates=1, attribute_source="context", retry_unchanged=False)
    return GenerationRequest(prompts, config)


def _model_measures(
    engine: InferenceEngine, task: Task, passage: Passage, samplings: int, config: InferenceConfig
) -> list[dict[str, float]]:
    """One row per sampling, each a request of its own, with the next seed: what a user gets who asks for one take."""
    request, rows = request_for(task, config), []
    likelihood = _likelihood(engine, task, request)
    for number in range(samplings):
        started = time.perf_counter()
        seeded = replace(request, config=replace(request.config, seed=task.seed + number))
        result = engine.session(task.score, seeded).run_takes()
        seconds = time.perf_counter() - started
        [take] = result.takes
        written = {(t, b): take.score.tracks[t].bars[b].notes for t, b in task.cells}
        rows.append(
            {
                **measure(passage, written),
                **(likelihood if number == 0 else {}),  # the same for all takes: one observation
                "retried": float(take.attempts > len(result.steps)),
                "failed": float(not take.accepted),
                "seconds_per_bar": seconds / len(task.cells),
            }
        )
    return rows


def _likelihood(engine: InferenceEngine, task: Task, request: GenerationRequest) -> dict[str, float]:
    """Negative log-likelihood of the original notes, in nats per token and per note, read after the model's prompt."""
    tokenizer, total, tokens, notes = engine.tokenizer, 0.0, 0, 0
    for step in fitting_plan(request, task.score, task.cells, tokenizer, 0, engine.model.n_positions):
        prompt, _ = narrowed(tokenizer, task.score, step, request, (), engine.model.n_positions)
        body = original_tokens(prompt)
        ids = [*prompt.prompt.tokens, *body]
        if not body or len(ids) > engine.model.n_positions:
            continue
        logprobs = log_softmax(on_host(engine.model.logits(ids))[len(prompt.prompt.tokens) - 1 : -1])
        total -= float(logprobs[range(len(body)), body].sum())
        tokens += len(body)
        notes += sum(len(task.score.tracks[t].bars[b].notes) for t, b in prompt.cells)
    if not tokens:
        return {}
    return {"nll_token": total / tokens, "nll_note": total / max(1, notes)}


def _mean_sem(values: Sequence[float]) -> list[float]:
    mean = float(np.mean(values))
    return [mean, float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0]
