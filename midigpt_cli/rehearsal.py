"""The plan of a request on a model, without its weights: the same steps and prompts a run would have."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score

if TYPE_CHECKING:
    from midigpt_core.plan.steps import Step
    from midigpt_core.tokens.config import EncoderConfig


@dataclass(frozen=True)
class StepMeasure:
    """One step of a plan, measured."""

    step: Step
    dropped: tuple[int, ...]  # tracks left out so that the step fits
    prompt_tokens: int
    expected_tokens: int  # about how many the step will write
    fits: bool


def rehearse(encoder: EncoderConfig, room: int, score: Score, request: GenerationRequest) -> list[StepMeasure]:
    """Every step, for a model that can hold `room` tokens. Raises RequestValidationError as a run would."""
    from midigpt_core.generation.validate import check_request
    from midigpt_core.generation.fit import narrowed
    from midigpt_core.plan.narrow import expected_tokens
    from midigpt_core.generation.plan import MAX_SEED, chosen_cells, fitting_plan
    from midigpt_core.tokens.tokenizer import Tokenizer

    tokenizer = Tokenizer(encoder)
    check_request(request, score, tokenizer.config, tokenizer.attributes)
    seed = request.config.seed if request.config.seed >= 0 else secrets.randbelow(MAX_SEED)
    left_out = {prompt.id for prompt in request.tracks if prompt.ignore}
    measured = []
    for step in fitting_plan(request, score, chosen_cells(request, score, seed), tokenizer, seed, room):
        prompt, newly = narrowed(tokenizer, score, step, request, left_out, room)
        left_out |= set(newly)
        reads, writes = len(prompt.prompt.tokens), round(expected_tokens(score, step))
        fits = reads + request.config.budget_margin * writes <= room
        measured.append(StepMeasure(prompt.step, tuple(sorted(left_out)), reads, writes, fits))
    return measured
