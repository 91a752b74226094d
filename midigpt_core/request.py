"""Every wish of a caller: what to write, under which controls, sampled and checked how."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from midigpt_core.fields import Door, read, setting

AUTO = 0  # value of model_dim, bars_per_step and tracks_per_step that asks the planner to choose; JSON may say "auto"
MASK_MODES = ("auto", "token", "attention", "attention_approx", "attention_skip", "remove")
CONTEXT_MODES = ("auto", "listed", "all")
ATTRIBUTE_SOURCES = ("context", "original")
SEAMS = ("cut", "wrap")
NOVELTY_REFERENCES = ("original", "takes", "context")

_AUTO_WORD = {"auto": AUTO}
_FORM_ONLY = Door(ranges=False)  # how a request is read; its ranges are looked at once its score is known


@dataclass(frozen=True)
class InferenceConfig:
    """How steps are planned, tokens drawn and attempts judged, for the whole request."""

    # planning
    model_dim: int = setting(
        8,
        "window in bars; must be in the checkpoint's num_bars_map; 0 or auto: the largest that fits",
        0,
        words=_AUTO_WORD,
    )
    bars_per_step: int = setting(
        AUTO, "bars one step may span; 0 or auto: infill takes a whole window", 0, words=_AUTO_WORD
    )
    tracks_per_step: int = setting(AUTO, "infill tracks written together; 0 or auto: all of them", 0, words=_AUTO_WORD)
    ar_overlap: float = setting(
        0.5, "auto bars_per_step, autoregressive: share of the window kept as history", 0.0, 1.0
    )
    min_overlap_bars: int = setting(2, "auto bars_per_step, autoregressive: bars of history kept at least", 0)
    mask_mode: str = setting("auto", "how hidden bars are shown to the model", choices=MASK_MODES)
    context: str = setting(
        "auto", "which context tracks may be left out when a step is too long", choices=CONTEXT_MODES
    )
    context_drop: list[int] = setting([], "tracks to leave out first, in this order (0-based)")
    context_keep: list[int] = setting([], "tracks never left out (0-based)")
    budget_margin: float = setting(1.25, "safety factor on the tokens a step is expected to write", 1.0, 10.0)
    infill_probability: float = setting(
        1.0, "share of the infill bars that is rewritten, drawn by the seed", 0.0, 1.0, open_low=True
    )
    shuffle: bool = setting(False, "take the infill steps in random order (drawn by the seed)")
    plan_only: bool = setting(False, "answer with the plan, write nothing")
    # sampling
    temperature: float = setting(
        1.0, "higher is more random; 1 is what the checkpoint is meant for", 0.0, 10.0, open_low=True
    )
    top_k: int = setting(0, "keep the k most likely tokens (0: off)", 0)
    top_p: float = setting(
        1.0, "keep the smallest set of tokens that holds this probability (1: off)", 0.0, 1.0, open_low=True
    )
    mask_k: int = setting(0, "then remove the k most likely tokens (0: off)", 0)
    mask_p: float = setting(
        0.0, "then remove the most likely tokens that hold this probability (0: off)", 0.0, 1.0, open_high=True
    )
    no_repeat_ngram: int = setting(0, "never write n pitches in a row that the track's context has (0: off)", 0, 64)
    echo: float = setting(
        -1.0,
        "how readily bars of the track are said again (0: never, and nothing leans towards its register and habits; "
        "1: as music does; -1: as the checkpoint asks)",
        -1.0,
        20.0,
    )
    harmony: float = setting(
        -1.0,
        "how much pitches are to fit what the other tracks play (0: not at all; 1: as in real music; -1: as the "
        "checkpoint asks); off where a scale, pitches or a key are asked for",
        -1.0,
        20.0,
    )
    attribute_source: str = setting("context", "where unasked control tokens are measured", choices=ATTRIBUTE_SOURCES)
    guidance: float = setting(
        1.0, "how far to lean from the uncontrolled towards the controlled model (1: off)", 0.0, 20.0
    )
    # checks and retries
    control_tries: int = setting(
        8, "versions of a step for which control values are asked; the one nearest to them is kept", 1, 64
    )
    pool: int = setting(
        8,
        "candidates drawn for the bars of a take; the one most like the others is kept (1: off; several takes share as "
        "many, at least 3 each, and differ from one another)",
        1,
        64,
    )
    max_attempts: int = setting(3, "attempts per step before giving up", 1, 100)
    temperature_escalation: float = setting(1.0, "factor on the temperature at each retry", 0.0, 10.0, open_low=True)
    silence_check: bool = setting(True, "reject attempts without a note")
    retry_stuck: bool = setting(
        True, "write bars that hang on one pitch, unlike their track, once more, while attempts are left"
    )
    retry_unchanged: bool = setting(True, "write bars that came out as they were once more, while attempts are left")
    novelty_check: bool = setting(False, "reject attempts that repeat what novelty_against names")
    novelty_threshold: float = setting(
        1.0, "share of equal notes (onset and pitch) from which an attempt repeats", 0.0, 1.0, open_low=True
    )
    novelty_against: list[str] = setting(
        [], "any of original, takes, context; empty: original", choices=NOVELTY_REFERENCES
    )
    seed: int = setting(-1, "same request and seed, same notes (-1: drawn and reported)", -1, 2**63 - 1)
    num_candidates: int = setting(1, "takes to write from the same prompt", 1, 64)
    batch_attempts: bool = setting(False, "accepted for compatibility; retries and takes always share model calls")
    # hard limits
    polyphony_hard_limit: int = setting(0, "notes sounding at once, at most (0: off)", 0)
    density_hard_limit: int = setting(0, "notes per bar, at most (0: off)", 0)

    def __post_init__(self) -> None:
        for name in ("model_dim", "bars_per_step", "tracks_per_step"):
            if getattr(self, name) == "auto":
                object.__setattr__(self, name, AUTO)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> InferenceConfig:
        """Read the JSON form; "auto" stands for 0. Raises RequestValidationError for an unknown or wrong key."""
        return read(cls, data, "config", _FORM_ONLY)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class TrackPrompt:
    """What to do with one track. Tracks and bars count from 0."""

    id: int = field(metadata={"help": "track index in the score"})
    bars: list[int] = setting([], "bars to write")
    autoregressive: bool = setting(False, "continue the track bar by bar instead of filling gaps")
    ignore: bool = setting(False, "leave the track out of the model's context")
    mask_bars: list[int] = setting([], "bars to hide from the model (disjoint from bars)")
    attributes: dict[str, int] = setting({}, "control values for the whole track, by name")
    controls: dict[str, Any] = setting({}, "time_signature, pitch_mask, rhythm_mask, rhythm_lock, remix")
    bar_attributes: dict[int, dict[str, int]] = setting({}, "control values for single bars, by bar")
    bar_controls: dict[int, dict[str, Any]] = setting({}, "time_signature for single bars, by bar")

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = "tracks[]") -> TrackPrompt:
        """Read the JSON form (bar keys may be strings). Raises RequestValidationError."""
        return read(cls, data, where, _FORM_ONLY)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class GenerationRequest:
    """What to write: a prompt per track, and the settings they share."""

    tracks: list[TrackPrompt] = field(metadata={"help": "one per track of the score, in any order"})
    config: InferenceConfig = field(default_factory=InferenceConfig, metadata={"help": "settings they share"})
    controls: dict[str, Any] = setting({}, "velocity, microtiming (true or false) and genre, for the whole piece")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> GenerationRequest:
        """Read the JSON form. Raises RequestValidationError naming the field, the value and the remedy."""
        return read(cls, data, "", _FORM_ONLY)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; `from_dict` is its inverse."""
        return {
            "tracks": [track.to_dict() for track in self.tracks],
            "config": self.config.to_dict(),
            "controls": dict(self.controls),
        }


@dataclass(frozen=True)
class LoopRequest:
    """Which bars to loop and what to write in them. Tracks and bars count from 0."""

    first: int  # first bar of the loop
    end: int  # one past its last bar
    tracks: tuple[int, ...]  # tracks to write; the others loop as they are
    variations: int = setting(4, "how many variations", 1, 20)
    seam: str = setting("cut", "notes over the seam end there (cut), or sound on at the start (wrap)", choices=SEAMS)
    bpm: float | None = setting(None, "quarter notes per minute; the song's if left out", 40, 300)
    config: InferenceConfig = field(default_factory=InferenceConfig)  # seed, temperature, checks, ...; takes are ours
    prompts: dict[int, TrackPrompt] = field(
        default_factory=dict
    )  # controls by track; bars in them are those of the loop
