"""The settings of a request: how steps are planned, tokens drawn and attempts judged.

Each has its default, range, meaning and label here; the command line, the server and the studio take them from here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from midigpt_core.fields import Door, read, setting, suggesting

AUTO = 0  # value of model_dim, bars_per_step and tracks_per_step that asks the planner to choose; JSON may say "auto"
MASK_MODES = ("auto", "token", "attention", "attention_approx", "attention_skip", "remove")
CONTEXT_MODES = ("auto", "listed", "all")
ATTRIBUTE_SOURCES = ("context", "original")
PASSES = ("off", "thirds", "tracks", "bars", "random")
NOVELTY_REFERENCES = ("original", "takes", "context")

_AUTO_WORD = {"auto": AUTO}
FORM_ONLY = Door(ranges=False)  # how a request is read; its ranges are looked at once its score is known


@suggesting
@dataclass(frozen=True)
class InferenceConfig:
    """How steps are planned, tokens drawn and attempts judged, for the whole request."""

    # planning
    model_dim: int = setting(
        8,
        "bars the model sees at once, one of its window lengths (0 or auto: the longest that the song fills)",
        0,
        words=_AUTO_WORD,
        label="Bars seen at once",
    )
    bars_per_step: int = setting(
        AUTO, "most bars written in one step (0 or auto: a whole window)", 0, words=_AUTO_WORD, label="Bars per step"
    )
    tracks_per_step: int = setting(
        AUTO, "most tracks written in one step (0 or auto: all of them)", 0, words=_AUTO_WORD, label="Tracks per step"
    )
    ar_overlap: float = setting(
        0.5,
        "share of the window kept as history when continuing a track",
        0.0,
        1.0,
        open_high=True,
        label="Share of history",
    )
    min_overlap_bars: int = setting(
        2, "fewest bars kept as history when continuing a track", 0, label="Bars of history"
    )
    mask_mode: str = setting(
        "auto", "how hidden bars appear to the model", choices=MASK_MODES, label="How bars are hidden"
    )
    context: str = setting(
        "auto",
        "which tracks may be dropped when the context is too long",
        choices=CONTEXT_MODES,
        label="Tracks that may be dropped",
    )
    context_drop: list[int] = setting([], "tracks to drop first, in this order (from 0)", label="Tracks to drop first")
    context_keep: list[int] = setting([], "tracks never to drop (from 0)", label="Tracks to keep")
    budget_margin: float = setting(
        1.25, "safety factor on the expected length of a step", 1.0, 10.0, label="Margin for length"
    )
    infill_probability: float = setting(
        1.0,
        "share of the chosen bars to rewrite, chosen at random",
        0.0,
        1.0,
        open_low=True,
        label="Share of bars to write",
    )
    passes: str = setting(
        "off",
        "write the chosen bars in parts, each in the context of those before: every third bar, one track at a time, "
        "one bar at a time, or random thirds (off: all at once)",
        choices=PASSES,
        label="Write in parts",
    )
    rounds: int = setting(1, "how many times each part is written (with passes)", 1, 16, label="Rounds")
    shuffle: bool = setting(False, "write the steps in random order", label="Random order")
    plan_only: bool = setting(False, "return the plan and write nothing", label="Plan only")
    # sampling
    temperature: float = setting(
        1.0,
        "sampling temperature: lower plays safe, higher surprises more (1: the model's default)",
        0.0,
        10.0,
        open_low=True,
        label="Randomness",
    )
    top_k: int = setting(0, "keep the k most likely tokens (0: off)", 0, label="Top-k sampling")
    top_p: float = setting(
        1.0,
        "keep the smallest set of tokens with this total probability (1: off)",
        0.0,
        1.0,
        open_low=True,
        label="Top-p sampling",
    )
    mask_k: int = setting(
        0, "then drop the k most likely tokens, for unusual notes (0: off)", 0, label="Skip the likeliest (number)"
    )
    mask_p: float = setting(
        0.0,
        "then drop the most likely tokens with this total probability (0: off)",
        0.0,
        1.0,
        open_high=True,
        label="Skip the likeliest (share)",
    )
    no_repeat_ngram: int = setting(
        0, "never repeat n pitches in a row from elsewhere in the track (0: off)", 0, 64, label="No repeated phrases"
    )
    echo: float = setting(
        -1.0,
        "how strongly to reuse bars of the same track and keep to its style (0: off, 1: as often as real music, "
        "-1: the model's default)",
        -1.0,
        20.0,
        label="Reuse of earlier bars",
    )
    harmony: float = setting(
        -1.0,
        "how strongly pitches fit the other tracks (0: off, 1: as in real music, -1: the model's default); always off "
        "where a scale, pitches or a key are set",
        -1.0,
        20.0,
        label="Fit with other tracks",
    )
    attribute_source: str = setting(
        "context",
        "bars on which unset attributes are measured",
        choices=ATTRIBUTE_SOURCES,
        label="Unset attributes from",
    )
    guidance: float = setting(
        1.0,
        "how strongly attributes steer the notes (classifier-free guidance scale; 1: off)",
        0.0,
        20.0,
        label="Pull of attributes",
    )
    # checks and retries
    control_tries: int = setting(
        8,
        "candidates per step when attributes are set; the closest match is kept",
        1,
        64,
        label="Candidates with attributes",
    )
    pool: int = setting(
        8,
        "candidates per step; the one most like the others is kept (1: off); takes share the pool, at least 2 for each",
        1,
        64,
        label="Candidates per step",
    )
    distance: list[float] = setting(
        [],
        "allowed distance from the old bars, lowest and highest (0: the same notes, 1: none of them): 1 minus the F1 "
        "of equal notes (bar, sixteenth, pitch)",
        0.0,
        1.0,
        label="Distance from the old bars",
    )
    voice_leading: bool = setting(
        False,
        "avoid parallel fifths and octaves between neighbouring voices and between the outer two",
        label="Strict voice leading",
    )
    playable: bool = setting(
        False,
        "write only what fits an instrument's range, two hands at a keyboard, or the strings of a guitar or bass",
        label="Playable on the instrument",
    )
    max_attempts: int = setting(3, "attempts per step before giving up", 1, 100, label="Attempts per step")
    temperature_escalation: float = setting(
        1.0, "multiply the temperature by this at each retry", 0.0, 10.0, open_low=True, label="Randomness at retries"
    )
    silence_check: bool = setting(True, "reject attempts without notes", label="Reject silence")
    retry_stuck: bool = setting(True, "retry bars stuck on one pitch", label="Retry one-pitch bars")
    retry_unchanged: bool = setting(True, "retry bars that come out unchanged", label="Retry unchanged bars")
    novelty_check: bool = setting(False, "reject attempts that copy existing music", label="Reject copies")
    novelty_threshold: float = setting(
        1.0,
        "share of equal notes (onset and pitch) that counts as a copy",
        0.0,
        1.0,
        open_low=True,
        label="Counts as a copy from",
    )
    novelty_against: list[str] = setting(
        [],
        "what not to copy: any of original, takes, context (default: original)",
        choices=NOVELTY_REFERENCES,
        label="What not to copy",
    )
    seed: int = setting(
        -1,
        "the same request and seed give the same notes (-1: a random seed, which is reported)",
        -1,
        2**63 - 1,
        label="Random seed",
    )
    num_candidates: int = setting(1, "how many takes to write; they are ranked, the best first", 1, 64, label="Takes")
    batch_attempts: bool = setting(
        False, "ignored, kept for compatibility: attempts always share model calls", label="Shared model calls"
    )
    # hard limits
    polyphony_hard_limit: int = setting(0, "most notes sounding at once (0: no limit)", 0, label="Most notes at once")
    density_hard_limit: int = setting(0, "most notes per bar (0: no limit)", 0, label="Most notes per bar")

    def __post_init__(self) -> None:
        for name in ("model_dim", "bars_per_step", "tracks_per_step"):
            if getattr(self, name) == "auto":
                object.__setattr__(self, name, AUTO)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> InferenceConfig:
        """Read the JSON form; "auto" stands for 0. Raises RequestValidationError for an unknown or wrong key."""
        return read(cls, data, "config", FORM_ONLY)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)
