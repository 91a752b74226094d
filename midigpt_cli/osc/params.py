"""The settings of an OSC session, with the names, ranges and defaults that MIDI-GPT's server gives them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, get_type_hints

from midigpt_core.fields import nearest, read, refused, setting
from midigpt_core.request import InferenceConfig

WARMUP = ("a_empty", "a_masked", "b", "b_collapse")
MASKS = ("token", "attention", "attention_approx", "attention_skip", "remove")


@dataclass(frozen=True)
class OscParams:
    """When bars are written, and how."""

    lookahead_bars: int = setting(1, "bars to write ahead of the playhead", 1, 8)
    buffer_bars: int = setting(4, "bars to hear before writing", 2, 64)
    num_anticipated_bars: int = setting(1, "bars to write each time", 1, 8)
    adapt_buffer: bool = setting(True, "count lookahead bars for the buffer")
    warmup_policy: str = setting(
        "a_empty",
        "the agent's bars before the first written one: rests, hidden from the model, or written too",
        choices=WARMUP,
    )
    gen_timeout: float = setting(0.0, "time limit for a bar in seconds (0: none)", 0.0, 3600.0)
    model_dim: int = setting(8, "bars the model sees at once", 1, 16)
    mask_mode: str = setting("token", "how hidden bars appear to the model", choices=MASKS)
    temperature: float = setting(1.0, "higher is more random", 0.1, 5.0)
    top_p: float = setting(1.0, "keep the smallest set of tokens with this total probability", 0.0, 1.0)
    top_k: int = setting(0, "keep the k most likely tokens (0: off)", 0, 10000)
    mask_p: float = setting(0.0, "then drop the most likely tokens with this total probability", 0.0, 1.0)
    mask_k: int = setting(0, "then drop the k most likely tokens", 0, 10000)
    temperature_escalation: float = setting(1.0, "multiply the temperature by this at each retry", 1.0, 3.0)
    novelty_check: bool = setting(True, "reject attempts that copy the old bars")
    silence_check: bool = setting(True, "reject attempts without notes")
    sampling_seed: int = setting(-1, "seed (-1: random)", -1)
    max_attempts: int = setting(3, "attempts per bar", 1, 10)
    polyphony_hard_limit: int = setting(0, "most notes sounding at once (0: no limit)", 0, 128)
    density_hard_limit: int = setting(0, "most notes per bar (0: no limit)", 0, 1000)

    def config(self, drawn: bool) -> InferenceConfig:
        """What of it a request says; `drawn`: the model has a token for bars that are not heard."""
        own = {row.name for row in dataclasses.fields(InferenceConfig)}
        shared = {name: value for name, value in dataclasses.asdict(self).items() if name in own}
        mask = "attention_skip" if self.mask_mode == "token" and not drawn else self.mask_mode
        top_p = self.top_p or 1.0  # 0 is off
        return InferenceConfig(**{**shared, "mask_mode": mask, "top_p": top_p, "seed": self.sampling_seed})


def coerced(name: str, value: Any) -> Any:
    """A value as OSC carries it (numbers for true and false, floats for counts), of the type its name has.

    Raises RequestValidationError for a name that is not known and a value out of range.
    """
    kinds = get_type_hints(OscParams)
    if name not in kinds:
        raise refused(name, None, "is not a parameter", nearest(name, kinds))
    try:
        plain = kinds[name](value)
    except (TypeError, ValueError):
        raise refused(name, value, f"is not {kinds[name].__name__}", "correct it") from None
    return getattr(read(OscParams, {name: plain}, ""), name)
