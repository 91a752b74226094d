"""Decide what a request comes to: its seed, the cells it writes, and the steps that write them, each fit for the model.

One function serves a run, a dry run, the `plan` command and `plan_only` over HTTP.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from midigpt_core.generation.fit_context import alone_fits, narrowed
from midigpt_core.plan.divide import Division, divided
from midigpt_core.plan.drop_order import expected_tokens
from midigpt_core.plan.passes import parts_of
from midigpt_core.plan.steps import Cell, PlanOptions, Step, choose_window, plan_steps, with_pending
from midigpt_core.request import AUTO, GenerationRequest
from midigpt_core.score import Score
from midigpt_core.tokens.tokenizer import Tokenizer

MAX_SEED = 2**31  # drawn seeds stay short enough to type


@dataclass(frozen=True)
class Plan:
    """What a request comes to."""

    seed: int  # of the first take: as requested, or drawn
    window: int  # bars the model sees at once: as requested, or chosen
    cells: frozenset[Cell]  # (track, bar) to write
    steps: tuple[Step, ...]  # in the order they are run

    @property
    def bars(self) -> int:
        """Bars that the steps write, each of a track; in passes one may come more than once."""
        return sum(len(step.cells) for step in self.steps)


@dataclass(frozen=True)
class StepEstimate:
    """One step as it would be run on the score as it is."""

    step: Step  # in the window that fits
    dropped: tuple[int, ...]  # tracks left out of the context, those the caller ignores among them
    prompt_tokens: int
    expected_tokens: int  # about how many the step will write
    fits: bool


def draw_seed() -> int:
    """A seed for a request that names none."""
    return secrets.randbelow(MAX_SEED)


def plan(request: GenerationRequest, score: Score, tokenizer: Tokenizer, n_positions: int) -> Plan:
    """The plan of a checked request, for a model that can hold `n_positions` tokens. Writes nothing."""
    config = request.config
    seed = config.seed if config.seed >= 0 else draw_seed()
    cells = chosen_cells(request, score, seed)
    forward = [prompt.id for prompt in request.tracks if prompt.autoregressive]
    parts = parts_of(cells, forward, config.passes, config.rounds, seed) if config.passes != "off" else [cells]
    steps = [step for part in parts for step in fitting_plan(request, score, part, tokenizer, seed, n_positions)]
    window = choose_window(score.n_bars, config.model_dim, tuple(sorted(tokenizer.config.num_bars_map)))
    return Plan(seed, window, cells, tuple(steps))


def estimates(
    made: Plan, request: GenerationRequest, score: Score, tokenizer: Tokenizer, n_positions: int
) -> list[StepEstimate]:
    """The steps of a plan with their prompts, as far as the score tells them before anything is written."""
    left_out = {prompt.id for prompt in request.tracks if prompt.ignore}
    found = []
    for step in made.steps:
        prompt, newly = narrowed(tokenizer, score, step, request, left_out, n_positions)
        reads, writes = len(prompt.prompt.tokens), expected_tokens(score, step)
        fits = reads + request.config.budget_margin * writes <= n_positions
        found.append(
            StepEstimate(
                prompt.step,
                tuple(sorted({*left_out, *newly} - {track for track, _ in step.cells})),
                reads,
                writes,
                fits,
            )
        )
    return found


def chosen_cells(request: GenerationRequest, score: Score, seed: int) -> frozenset[Cell]:
    """The cells to write: all requested ones, or of the infill ones the share that infill_probability draws."""
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
    """As `plan_request`, with fewer bars per step until a step leaves the model room to read; steps that are still too
    long are divided by tracks, then by bars, until they fit. What is not "auto" stays as it is."""
    steps = plan_request(request, score, targets, tokenizer, seed)
    bars = max((len({bar for _, bar in step.cells}) for step in steps), default=1)
    while request.config.bars_per_step == AUTO and bars > 1:
        longest = max((expected_tokens(score, step) for step in steps), default=0)
        if request.config.budget_margin * longest < n_positions / 2:
            break
        bars //= 2
        config = replace(request.config, bars_per_step=bars)
        steps = plan_request(replace(request, config=config), score, targets, tokenizer, seed)
    config = request.config
    how = Division(
        lambda step: alone_fits(tokenizer, score, step, request, n_positions),
        by_tracks=config.tracks_per_step == AUTO,
        by_bars=config.bars_per_step == AUTO,
    )
    parts = [part for step in steps for part in divided(step, how)]
    return with_pending(parts) if len(parts) > len(steps) else steps


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
