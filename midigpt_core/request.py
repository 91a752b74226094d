"""Every wish of a caller: what to write, under which controls, sampled and checked how."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from typing import Any, TypeVar

from midigpt_core.errors import RequestValidationError

AUTO = 0  # value of model_dim, bars_per_step and tracks_per_step that asks the planner to choose; JSON may say "auto"
MASK_MODES = ("auto", "token", "attention", "attention_approx", "attention_skip", "remove")
CONTEXT_MODES = ("auto", "listed", "all")
ATTRIBUTE_SOURCES = ("context", "original")
NOVELTY_REFERENCES = ("original", "takes", "context")

T = TypeVar("T")


def _knob(default: Any, meaning: str, low: float | None = None, high: float | None = None, **more: Any) -> Any:
    """A setting with its meaning and range: `low <= value <= high`; `choices` for words; `open_low` for `low <`."""
    metadata = {"help": meaning, "low": low, "high": high, **more}
    if isinstance(default, (list, dict)):
        return field(default_factory=type(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class InferenceConfig:
    """How steps are planned, tokens drawn and attempts judged, for the whole request."""

    # planning
    model_dim: int = _knob(
        8, "window in bars; must be in the checkpoint's num_bars_map; 0 or auto: the largest that fits", 0
    )
    bars_per_step: int = _knob(AUTO, "bars one step may span; 0 or auto: infill takes a whole window", 0)
    tracks_per_step: int = _knob(AUTO, "infill tracks written together; 0 or auto: all of them", 0)
    ar_overlap: float = _knob(0.5, "auto bars_per_step, autoregressive: share of the window kept as history", 0.0, 1.0)
    min_overlap_bars: int = _knob(2, "auto bars_per_step, autoregressive: bars of history kept at least", 0)
    mask_mode: str = _knob("auto", "how hidden bars are shown to the model", choices=MASK_MODES)
    context: str = _knob("auto", "which context tracks may be left out when a step is too long", choices=CONTEXT_MODES)
    context_drop: list[int] = _knob([], "tracks to leave out first, in this order (0-based)")
    context_keep: list[int] = _knob([], "tracks never left out (0-based)")
    budget_margin: float = _knob(1.25, "safety factor on the tokens a step is expected to write", 1.0, 10.0)
    infill_probability: float = _knob(
        1.0, "share of the infill bars that is rewritten, drawn by the seed", 0.0, 1.0, open_low=True
    )
    shuffle: bool = _knob(False, "take the infill steps in random order (drawn by the seed)")
    plan_only: bool = _knob(False, "answer with the plan, write nothing")
    # sampling
    temperature: float = _knob(
        1.0, "higher is more random; 1 is what the checkpoint is meant for", 0.0, 10.0, open_low=True
    )
    top_k: int = _knob(0, "keep the k most likely tokens (0: off)", 0)
    top_p: float = _knob(
        1.0, "keep the smallest set of tokens that holds this probability (1: off)", 0.0, 1.0, open_low=True
    )
    mask_k: int = _knob(0, "then remove the k most likely tokens (0: off)", 0)
    mask_p: float = _knob(
        0.0, "then remove the most likely tokens that hold this probability (0: off)", 0.0, 1.0, open_high=True
    )
    no_repeat_ngram: int = _knob(0, "never write n pitches in a row that the track's context has (0: off)", 0, 64)
    echo: float = _knob(
        -1.0,
        "how readily bars of the track are said again (0: never, and nothing leans towards its register and habits; "
        "1: as music does; -1: as the checkpoint asks)",
        -1.0,
        20.0,
    )
    harmony: float = _knob(
        -1.0,
        "how much pitches are to fit what the other tracks play (0: not at all; 1: as in real music; -1: as the "
        "checkpoint asks); off where a scale, pitches or a key are asked for",
        -1.0,
        20.0,
    )
    attribute_source: str = _knob("context", "where unasked control tokens are measured", choices=ATTRIBUTE_SOURCES)
    guidance: float = _knob(
        1.0, "how far to lean from the uncontrolled towards the controlled model (1: off)", 0.0, 20.0
    )
    # checks and retries
    control_tries: int = _knob(
        8, "versions of a step for which control values are asked; the one nearest to them is kept", 1, 64
    )
    pool: int = _knob(
        8,
        "candidates drawn for the bars of a take; the one most like the others is kept (1: off; several takes share as "
        "many, at least 3 each, and differ from one another)",
        1,
        64,
    )
    max_attempts: int = _knob(3, "attempts per step before giving up", 1, 100)
    temperature_escalation: float = _knob(1.0, "factor on the temperature at each retry", 0.0, 10.0, open_low=True)
    silence_check: bool = _knob(True, "reject attempts without a note")
    retry_stuck: bool = _knob(
        True, "write bars that hang on one pitch, unlike their track, once more, while attempts are left"
    )
    retry_unchanged: bool = _knob(True, "write bars that came out as they were once more, while attempts are left")
    novelty_check: bool = _knob(False, "reject attempts that repeat what novelty_against names")
    novelty_threshold: float = _knob(
        1.0, "share of equal notes (onset and pitch) from which an attempt repeats", 0.0, 1.0, open_low=True
    )
    novelty_against: list[str] = _knob(
        [], "any of original, takes, context; empty: original", choices=NOVELTY_REFERENCES
    )
    seed: int = _knob(-1, "same request and seed, same notes (-1: drawn and reported)", -1, 2**63 - 1)
    num_candidates: int = _knob(1, "takes to write from the same prompt", 1, 64)
    batch_attempts: bool = _knob(False, "accepted for compatibility; retries and takes always share model calls")
    # hard limits
    polyphony_hard_limit: int = _knob(0, "notes sounding at once, at most (0: off)", 0)
    density_hard_limit: int = _knob(0, "notes per bar, at most (0: off)", 0)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> InferenceConfig:
        """Read the JSON form; "auto" stands for 0. Raises RequestValidationError for an unknown or wrong key."""
        values = dict(_known_keys(cls, data, "config"))
        for key in ("model_dim", "bars_per_step", "tracks_per_step"):
            if values.get(key) == "auto":
                values[key] = AUTO
        return cls(**_typed(cls, values, "config"))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class TrackPrompt:
    """What to do with one track. Tracks and bars count from 0."""

    id: int = field(metadata={"help": "track index in the score"})
    bars: list[int] = _knob([], "bars to write")
    autoregressive: bool = _knob(False, "continue the track bar by bar instead of filling gaps")
    ignore: bool = _knob(False, "leave the track out of the model's context")
    mask_bars: list[int] = _knob([], "bars to hide from the model (disjoint from bars)")
    attributes: dict[str, int] = _knob({}, "control values for the whole track, by name")
    controls: dict[str, Any] = _knob({}, "time_signature, pitch_mask, rhythm_mask, rhythm_lock, remix")
    bar_attributes: dict[int, dict[str, int]] = _knob({}, "control values for single bars, by bar")
    bar_controls: dict[int, dict[str, Any]] = _knob({}, "time_signature for single bars, by bar")

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str = "tracks[]") -> TrackPrompt:
        """Read the JSON form (bar keys may be strings). Raises RequestValidationError."""
        values = dict(_known_keys(cls, data, where))
        if "id" not in values:
            raise refused(f"{where}.id", None, "is missing", "give the track's index in the score, from 0")
        for key in ("bar_attributes", "bar_controls"):
            if isinstance(values.get(key), dict):
                values[key] = {_bar_key(bar, f"{where}.{key}"): item for bar, item in values[key].items()}
        return cls(**_typed(cls, values, where))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class GenerationRequest:
    """What to write: a prompt per track, and the settings they share."""

    tracks: list[TrackPrompt] = field(metadata={"help": "one per track of the score, in any order"})
    config: InferenceConfig = field(default_factory=InferenceConfig, metadata={"help": "settings they share"})
    controls: dict[str, Any] = _knob({}, "velocity, microtiming (true or false) and genre, for the whole piece")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> GenerationRequest:
        """Read the JSON form. Raises RequestValidationError naming the field, the value and the remedy."""
        values = _known_keys(cls, data, "request")
        tracks = values.get("tracks")
        if not isinstance(tracks, list):
            raise refused("tracks", tracks, "is not a list", "give one entry per track to write")
        return cls(
            tracks=[TrackPrompt.from_dict(item, f"tracks[{i}]") for i, item in enumerate(tracks)],
            config=InferenceConfig.from_dict(values.get("config", {})),
            controls=_typed(cls, {"controls": values.get("controls", {})}, "request")["controls"],
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; `from_dict` is its inverse."""
        return {
            "tracks": [track.to_dict() for track in self.tracks],
            "config": self.config.to_dict(),
            "controls": dict(self.controls),
        }


def refused(field_name: str, value: Any, problem: str, remedy: str) -> RequestValidationError:
    """The error for one field: `field = value problem; remedy`."""
    shown = "" if value is None else f" = {value!r}"
    return RequestValidationError(f"{field_name}{shown} {problem}; {remedy}", field_name, value, remedy)


def nearest(word: str, known: Any) -> str:
    """A remedy that names the nearest known word, or all of them."""
    words = sorted(str(item) for item in known)
    near = difflib.get_close_matches(word, words, 1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(words) or 'none'}"


# ---- reading the JSON form ----


def _known_keys(cls: type, data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise refused(where, data, "is not an object", "give keys and values")
    names = {f.name for f in dataclasses.fields(cls)}
    for key in data:
        if key not in names:
            raise refused(f"{where}.{key}", None, "is not a known key", nearest(str(key), names))
    return data


def _bar_key(bar: Any, where: str) -> int:
    try:
        return int(bar)
    except (TypeError, ValueError):
        raise refused(where, bar, "is not a bar", "use bar numbers from 0 as keys") from None


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_EXPECTED = {  # annotation -> (test, words)
    "int": (_is_int, "an integer"),
    "float": (lambda v: _is_int(v) or isinstance(v, float), "a number"),
    "bool": (lambda v: isinstance(v, bool), "true or false"),
    "str": (lambda v: isinstance(v, str), "a string"),
    "list[int]": (lambda v: isinstance(v, list) and all(map(_is_int, v)), "a list of integers"),
    "list[str]": (lambda v: isinstance(v, list) and all(isinstance(i, str) for i in v), "a list of strings"),
    "dict[str, int]": (lambda v: isinstance(v, dict) and all(map(_is_int, v.values())), "an object of integers"),
    "dict[str, Any]": (lambda v: isinstance(v, dict), "an object"),
    "dict[int, dict[str, int]]": (
        lambda v: (
            isinstance(v, dict) and all(isinstance(i, dict) and all(map(_is_int, i.values())) for i in v.values())
        ),
        "an object of objects of integers, by bar",
    ),
    "dict[int, dict[str, Any]]": (
        lambda v: isinstance(v, dict) and all(isinstance(i, dict) for i in v.values()),
        "an object of objects, by bar",
    ),
}


def _typed(cls: type[T], values: dict[str, Any], where: str) -> dict[str, Any]:
    for setting in dataclasses.fields(cls):  # type: ignore[arg-type]
        if setting.name in values and str(setting.type) in _EXPECTED:
            test, words = _EXPECTED[str(setting.type)]
            if not test(values[setting.name]):
                raise refused(f"{where}.{setting.name}", values[setting.name], f"is not {words}", "correct it")
    return values
