"""What a caller may ask for: bars to write, attributes and controls, sampling, checks."""

from __future__ import annotations

import dataclasses
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from midigpt_core.fields import Door, read, setting, suggesting

AUTO = 0  # value of model_dim, bars_per_step and tracks_per_step that asks the planner to choose; JSON may say "auto"
MASK_MODES = ("auto", "token", "attention", "attention_approx", "attention_skip", "remove")
CONTEXT_MODES = ("auto", "listed", "all")
ATTRIBUTE_SOURCES = ("context", "original")
SEAMS = ("cut", "wrap")
PASSES = ("off", "thirds", "tracks", "bars", "random")
NOVELTY_REFERENCES = ("original", "takes", "context")

_AUTO_WORD = {"auto": AUTO}
_FORM_ONLY = Door(ranges=False)  # how a request is read; its ranges are looked at once its score is known


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
    )
    bars_per_step: int = setting(AUTO, "most bars written in one step (0 or auto: a whole window)", 0, words=_AUTO_WORD)
    tracks_per_step: int = setting(
        AUTO, "most tracks written in one step (0 or auto: all of them)", 0, words=_AUTO_WORD
    )
    ar_overlap: float = setting(
        0.5, "share of the window kept as history when continuing a track", 0.0, 1.0, open_high=True
    )
    min_overlap_bars: int = setting(2, "fewest bars kept as history when continuing a track", 0)
    mask_mode: str = setting("auto", "how hidden bars appear to the model", choices=MASK_MODES)
    context: str = setting("auto", "which tracks may be dropped when the context is too long", choices=CONTEXT_MODES)
    context_drop: list[int] = setting([], "tracks to drop first, in this order (from 0)")
    context_keep: list[int] = setting([], "tracks never to drop (from 0)")
    budget_margin: float = setting(1.25, "safety factor on the expected length of a step", 1.0, 10.0)
    infill_probability: float = setting(
        1.0, "share of the chosen bars to rewrite, chosen at random", 0.0, 1.0, open_low=True
    )
    passes: str = setting(
        "off",
        "write the chosen bars in parts, each in the context of those before: every third bar, one track at a time, "
        "one bar at a time, or random thirds (off: all at once)",
        choices=PASSES,
    )
    rounds: int = setting(1, "how many times each part is written (with passes)", 1, 16)
    shuffle: bool = setting(False, "write the steps in random order")
    plan_only: bool = setting(False, "return the plan and write nothing")
    # sampling
    temperature: float = setting(
        1.0, "sampling temperature: higher is more random, 1 is the checkpoint's own setting", 0.0, 10.0, open_low=True
    )
    top_k: int = setting(0, "keep the k most likely tokens (0: off)", 0)
    top_p: float = setting(
        1.0, "keep the smallest set of tokens with this total probability (1: off)", 0.0, 1.0, open_low=True
    )
    mask_k: int = setting(0, "then drop the k most likely tokens, for unusual notes (0: off)", 0)
    mask_p: float = setting(
        0.0, "then drop the most likely tokens with this total probability (0: off)", 0.0, 1.0, open_high=True
    )
    no_repeat_ngram: int = setting(0, "never repeat n pitches in a row from elsewhere in the track (0: off)", 0, 64)
    echo: float = setting(
        -1.0,
        "how strongly to reuse bars of the same track and keep to its style (0: off, 1: as often as real music, "
        "-1: the model's default)",
        -1.0,
        20.0,
    )
    harmony: float = setting(
        -1.0,
        "how strongly pitches fit the other tracks (0: off, 1: as in real music, -1: the model's default); always off "
        "where a scale, pitches or a key are set",
        -1.0,
        20.0,
    )
    attribute_source: str = setting("context", "bars on which unset attributes are measured", choices=ATTRIBUTE_SOURCES)
    guidance: float = setting(1.0, "classifier-free guidance scale (1: off)", 0.0, 20.0)
    # checks and retries
    control_tries: int = setting(8, "candidates per step when attributes are set; the closest match is kept", 1, 64)
    pool: int = setting(
        8,
        "candidates per step; the one most like the others is kept (1: off); takes share the pool, at least 2 for each",
        1,
        64,
    )
    distance: list[float] = setting(
        [],
        "allowed distance from the old bars, lowest and highest (0: the same notes, 1: none of them): 1 minus the F1 "
        "of equal notes (bar, sixteenth, pitch)",
        0.0,
        1.0,
    )
    voice_leading: bool = setting(
        False, "avoid parallel fifths and octaves between neighbouring voices and between the outer two"
    )
    playable: bool = setting(
        False, "write only what fits an instrument's range, two hands at a keyboard, or the strings of a guitar or bass"
    )
    max_attempts: int = setting(3, "attempts per step before giving up", 1, 100)
    temperature_escalation: float = setting(
        1.0, "multiply the temperature by this at each retry", 0.0, 10.0, open_low=True
    )
    silence_check: bool = setting(True, "reject attempts without notes")
    retry_stuck: bool = setting(True, "retry bars stuck on one pitch")
    retry_unchanged: bool = setting(True, "retry bars that come out unchanged")
    novelty_check: bool = setting(False, "reject attempts that copy existing music (see novelty_against)")
    novelty_threshold: float = setting(
        1.0, "share of equal notes (onset and pitch) that counts as a copy", 0.0, 1.0, open_low=True
    )
    novelty_against: list[str] = setting(
        [], "what not to copy: any of original, takes, context (default: original)", choices=NOVELTY_REFERENCES
    )
    seed: int = setting(
        -1, "the same request and seed give the same notes (-1: a random seed, which is reported)", -1, 2**63 - 1
    )
    num_candidates: int = setting(1, "takes to write", 1, 64)
    batch_attempts: bool = setting(False, "ignored, kept for compatibility: attempts always share model calls")
    # hard limits
    polyphony_hard_limit: int = setting(0, "most notes sounding at once (0: no limit)", 0)
    density_hard_limit: int = setting(0, "most notes per bar (0: no limit)", 0)

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


@suggesting
@dataclass(frozen=True)
class TrackPrompt:
    """What to do with one track. Tracks and bars count from 0."""

    id: int = field(metadata={"help": "track index in the score"})
    bars: list[int] = setting(
        [], "bars to write; JSON also accepts the text form of --bars, which counts from 1", spoken=True
    )
    autoregressive: bool = setting(False, "continue the track bar by bar instead of filling in")
    ignore: bool = setting(False, "hide the track from the model")
    mask_bars: list[int] = setting([], "bars to hide from the model, none of them also in bars")
    attributes: dict[str, int] = setting({}, "attribute values for the whole track, by name")
    controls: dict[str, Any] = setting({}, "controls for all written bars, by name (see below)")
    bar_attributes: dict[int, dict[str, int]] = setting({}, "attribute values for single bars, by bar")
    bar_controls: dict[int, dict[str, Any]] = setting(
        {}, "controls for single bars, by bar and name; they replace the track's"
    )

    def controls_in(self, bar: int) -> dict[str, Any]:
        """The controls that hold in a bar."""
        own = self.bar_controls.get(bar)
        return {**self.controls, **own} if own else self.controls

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = "tracks[]") -> TrackPrompt:
        """Read the JSON form (bar keys may be strings). Raises RequestValidationError."""
        return read(cls, data, where, _FORM_ONLY)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {name: _copied(getattr(self, name)) for name in _PROMPT_KEYS}


_PROMPT_KEYS = tuple(each.name for each in dataclasses.fields(TrackPrompt))


def _copied(value: Any) -> Any:
    """A copy; most values are numbers or empty, and there may be one set for each of 65,535 tracks."""
    return deepcopy(value) if value else type(value)()


@suggesting
@dataclass(frozen=True)
class GenerationRequest:
    """What to write: a prompt per track, and the settings they share."""

    tracks: list[TrackPrompt] = field(metadata={"help": "one per track of the score, in any order"})
    config: InferenceConfig = field(default_factory=InferenceConfig, metadata={"help": "settings shared by all tracks"})
    controls: dict[str, Any] = setting({}, "settings for the whole piece: velocity, microtiming (true or false), genre")

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


@suggesting
@dataclass(frozen=True)
class LoopRequest:
    """Which bars to loop and what to write in them. Tracks and bars count from 0."""

    first: int  # first bar of the loop
    end: int  # one past its last bar
    tracks: tuple[int, ...]  # tracks to write; the others loop as they are
    variations: int = setting(4, "how many variations", 1, 20)
    seam: str = setting("cut", "notes held over the seam end there (cut) or ring on at the start (wrap)", choices=SEAMS)
    bpm: float | None = setting(None, "quarter notes per minute (default: the song's)", 40, 300)
    config: InferenceConfig = field(default_factory=InferenceConfig)  # seed, temperature, checks, ...; takes are ours
    prompts: dict[int, TrackPrompt] = field(
        default_factory=dict
    )  # controls by track; bars in them are those of the loop
