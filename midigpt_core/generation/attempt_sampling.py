"""How an attempt at a step is drawn: its seed, and its temperature, which rises with each rejected attempt."""

from __future__ import annotations

import numpy as np

from midigpt_core.inference_config import InferenceConfig
from midigpt_core.sampling.draw import SamplingParameters
from midigpt_core.tokens.tokenizer import Tokenizer


def attempt_seed(draft: int, start_bar: int, step: int, attempt: int, version: int) -> int:
    """The seed of one attempt, from that of its take, its place in the piece and its number."""
    parts = [draft, start_bar, step, attempt, *([version] if version else [])]
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def sampling_parameters(
    config: InferenceConfig, tokenizer: Tokenizer, attempt: int
) -> tuple[SamplingParameters, SamplingParameters]:
    """Those of melodic tracks and of drums. Attempts count from 1."""
    temperature = config.temperature * config.temperature_escalation ** (attempt - 1)
    melodic, drums = (
        SamplingParameters(
            temperature * own_temperature(tokenizer, of_drums),
            config.top_k,
            config.top_p,
            config.mask_k,
            config.mask_p,
        )
        for of_drums in (False, True)
    )
    return melodic, drums


def own_temperature(tokenizer: Tokenizer, drums: bool = False) -> float:
    """What a checkpoint means by temperature 1: 1 unless its encoder configuration says otherwise, perhaps for drums
    alone ("drum_temperature")."""
    own = tokenizer.config.drum_temperature if drums else None
    return tokenizer.config.temperature if own is None else own
