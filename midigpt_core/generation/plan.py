"""Decide what a request comes to: the cells it writes, and the steps that write them so that each fits the model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from midigpt_core.plan.narrow import expected_tokens
from midigpt_core.plan.steps import Cell, PlanOptions, Step, plan_steps
from midigpt_core.request import AUTO, GenerationRequest
from midigpt_core.score import Score
from midigpt_core.tokens.tokenizer import Tokenizer

MAX_SEED = 2**31  # drawn seeds stay short enough to type


def chosen_cells(request: GenerationRequest, score: Score, seed: int) -> frozenset[Cell]:
    """The cells to write: all that are asked for, or the share infill_probability draws of the infill ones."""
    infill: list[Cell] = []
    forward: list[Cell] = []
    for prompt in request.tracks:
        bars = list(prompt.bars)
        if prompt.autoregressive and not bars:
            bars = list(range(len(score.tracks[prompt.id].bars)))
        (forward if prompt.autoregressive else infill).extend((prompt.id, bar) for bar in sorted(set(bars)))
    share = request.config.infill_probability
    if share < 1.0 and infill:
        random = np.random.Generator(np.random.PCG64([seed, 2]))
        picked = random.permutation(len(infill))[: max(1, round(share * len(infill)))]
        infill = [infill[i] for i in picked]
    return frozenset(infill + forward)


def fitting_plan(
    request: GenerationRequest,
    score: Score,
    targets: Collection[Cell],
    tokenizer: Tokenizer,
    seed: int,
    n_positions: int,
) -> list[Step]:
    """As `plan_request`, with fewer bars per step (where that is "auto") until a step leaves the model room to read."""
    steps = plan_request(request, score, targets, tokenizer, seed)
    bars = max((len({bar for _, bar in step.cells}) for step in steps), default=1)
    while request.config.bars_per_step == AUTO and bars > 1:
        longest = max((expected_tokens(score, step) for step in steps), default=0)
        if request.config.budget_margin * longest < n_positions / 2:
            break
        bars //= 2
        config = replace(request.config, bars_per_step=bars)
        steps = plan_request(replace(request, config=config), score, targets, tokenizer, seed)
    return steps


def plan_request(
    request: GenerationRequest, score: Score, targets: Collection[Cell], tokenizer: Tokenizer, seed: int
) -> list[Step]:
    """The steps that write the targets, in order."""
    config = request.config
    options = PlanOptions(
        window=config.model_dim,
        windows=tuple(sorted(tokenizer.config.num_bars_map)),
        bars_per_step=config.bars_per_step,
        tracks_per_step=config.tracks_per_step,
        ar_overlap=config.ar_overlap,
        min_overlap_bars=config.min_overlap_bars,
        autoregressive=frozenset(prompt.id for prompt in request.tracks if prompt.autoregressive),
    )
    steps = plan_steps(targets, score.n_bars, options)
    if not config.shuffle:
        return steps
    forward = [step for step in steps if step.autoregressive]
    infill = [step for step in steps if not step.autoregressive]
    random = np.random.Generator(np.random.PCG64([seed, 3]))
    mixed = [infill[i] for i in random.permutation(len(infill))]
    later: set[Cell] = set()
    told = []
    for step in reversed(mixed):
        pending = {cell for cell in later if step.start_bar <= cell[1] < step.end_bar}
        told.append(replace(step, pending=frozenset(pending)))
        later |= step.cells
    return forward + told[::-1]
