"""The built-in model and the songs of samples/, for tests on real music."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from midigpt_core import trace
from midigpt_core.engine import InferenceEngine
from midigpt_core.generation.take import Take
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import Bar, Score

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


@lru_cache(maxsize=1)
def engine() -> InferenceEngine:
    """The built-in model."""
    return InferenceEngine.from_pretrained(device="cpu")


@lru_cache(maxsize=8)
def _read(name: str) -> Score:
    return Score.from_midi(SAMPLES / f"{name}.mid")


def sample(name: str) -> Score:
    """A song of samples/, the caller's own copy."""
    return deepcopy(_read(name))


def written(
    score: Score, track: int, bars: list[int], attributes: dict[str, int], heard: list[trace.Event], **more: Any
) -> tuple[Take, list[Bar]]:
    """One take of bars of one track under these control values, the bars in it, and what listeners heard.

    `more` holds fields of the track's prompt and of the config; one version is written unless it says otherwise.
    """
    own = {key: more.pop(key) for key in ("controls", "bar_attributes", "autoregressive") if key in more}
    prompts = [TrackPrompt(t) for t in range(len(score.tracks))]
    prompts[track] = TrackPrompt(track, bars, attributes=attributes, **own)
    config = InferenceConfig(**{"seed": 5, "control_tries": 1, **more})
    session = engine().session(score, GenerationRequest(prompts, config))
    session.listener = heard.append
    take = session.run_takes().takes[0]
    return take, [take.score.tracks[track].bars[bar] for bar in bars]


def yielded(heard: list[trace.Event]) -> set[str]:
    """The preferences that gave way."""
    return {event.preference for event in heard if isinstance(event, trace.ConstraintRelaxed)}
