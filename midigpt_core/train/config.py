"""The settings of a training run, read strictly from TOML."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from midigpt_core.errors import TrainingError

T = TypeVar("T")

SCHEDULES = ("cosine", "linear", "constant")
OPTIMISERS = ("adamw", "muon")
MIXES = ("mix", "finish_mix", "valid_mix")
PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")


def _knob(default: Any, meaning: str, low: float | None = None, high: float | None = None, **more: Any) -> Any:
    metadata = {"help": meaning, "low": low, "high": high, **more}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network; a run with --init takes the checkpoint's shape instead, and adds places if asked."""

    n_embd: int = _knob(384, "width", 1)
    n_layer: int = _knob(6, "layers", 1)
    n_head: int = _knob(6, "attention heads; divides n_embd", 1)
    n_positions: int = _knob(2048, "longest context in tokens", 64)
    dropout: float = _knob(0.0, "dropout while training", 0.0, 0.9)
    places: bool = _knob(False, "tell it where each token stands and what sounds there (not for midigpt 0.4.2)")


@dataclass(frozen=True)
class WindowConfig:
    """How examples are drawn: how long, which bars to write, what is shown of the rest."""

    bars: dict[str, float] = field(
        default_factory=dict, metadata={"help": "window length -> weight; empty: all the encoder knows, 8 most often"}
    )
    budgets: dict[str, float] = field(
        default_factory=lambda: {"512": 0.35, "1024": 0.45, "2048": 0.2},
        metadata={"help": "tokens a window may have -> weight"},
    )
    max_tracks: int = _knob(16, "tracks in a window, at most", 1, 128)
    patterns: dict[str, float] = field(
        default_factory=dict, metadata={"help": "pattern of bars to write -> weight; empty: the built-in table"}
    )
    keep_empty: float = _knob(0.15, "share of tracks silent in the window that are shown all the same", 0.0, 1.0)
    shuffle_tracks: float = _knob(0.5, "share of windows whose tracks come in random order", 0.0, 1.0)
    hidden: float = _knob(0.12, "share of windows with hidden bars (MaskBar)", 0.0, 1.0)
    controls: float = _knob(0.4, "share of windows in which some tracks carry control tokens", 0.0, 1.0)
    transpose_down: int = _knob(6, "semitones a window may be moved down", 0, 24)
    transpose_up: int = _knob(5, "semitones a window may be moved up", 0, 24)
    velocity_shift: int = _knob(3, "velocity levels a window may be moved up or down", 0, 64)
    late_start: float = _knob(0.1, "share of batches read from a later position, so that all positions learn", 0.0, 1.0)
    context_weight: float = _knob(0.5, "weight in the loss of tokens given at inference (written ones: 1)", 0.0, 1.0)


@dataclass(frozen=True)
class OptimiserConfig:
    """How weights follow the loss."""

    name: str = _knob("adamw", "adamw, or muon (matrices by Muon, the rest by AdamW)", choices=OPTIMISERS)
    learning_rate: float = _knob(1e-3, "peak rate; Muon's updates are scaled to match AdamW's", 0.0, 1.0)
    weight_decay: float = _knob(0.05, "on matrices and embeddings; norms and biases have none", 0.0, 1.0)
    beta2: float = _knob(0.98, "memory of squared gradients", 0.0, 1.0)
    places_rate: float = _knob(10.0, "rate of the tables of places, as a multiple of the others'", 0.0, 1000.0)
    clip: float = _knob(1.0, "largest norm of the gradient (0: off)", 0.0)
    warmup_steps: int = _knob(100, "steps of rising rate", 0)
    schedule: str = _knob("cosine", "cosine; linear: full, then straight to zero; constant: full", choices=SCHEDULES)
    decay: float = _knob(0.3, "linear: last share of the run in which the rate falls", 0.0, 1.0)
    ema: float = _knob(0.0, "decay of the averaged weights, which are then what is saved (0: off)", 0.0, 0.99999)


@dataclass(frozen=True)
class MixGroup:
    """Sources drawn with one common share; a file is drawn first, then a window in it."""

    sources: tuple[str, ...]
    share: float = 1.0


@dataclass(frozen=True)
class RunConfig:
    """Everything a run needs besides its data."""

    model: ModelConfig = field(default_factory=ModelConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    mix: tuple[MixGroup, ...] = ()  # empty: every piece alike
    finish_mix: tuple[MixGroup, ...] = ()  # the mix of the last `finish` share of the run; empty: no change
    valid_mix: tuple[MixGroup, ...] = ()  # what the valid loss is measured on; empty: as finish_mix, or mix
    finish: float = _knob(0.15, "share of the run that draws from finish_mix", 0.0, 1.0)
    permissive_only: bool = _knob(False, "draw only from files of the permissive licence tier")
    steps: int = _knob(1000, "optimiser steps, unless a time budget is given", 1)
    windows_per_step: int = _knob(32, "windows per optimiser step, over all processes", 1)
    batch_tokens: int = _knob(8192, "tokens per forward pass; more windows are accumulated", 64)
    seed: int = _knob(1, "decides weights, windows and their order", 0)
    precision: str = _knob("auto", "auto: bfloat16 where the device has it", choices=PRECISIONS)
    compile: bool = _knob(False, "torch.compile the network")
    workers: int = _knob(1, "processes that draw windows ahead (0: draw between steps)", 0, 64)
    threads: int = _knob(0, "CPU threads for the network (0: torch's own choice)", 0)
    log_every: int = _knob(10, "steps between log lines", 1)
    save_minutes: float = _knob(5.0, "minutes between checkpoints", 0.0)
    valid_every: int = _knob(200, "steps between looks at the valid split (0: only at the end)", 0)
    valid_windows: int = _knob(128, "windows of the valid split, the same each time", 0)


# Settings of `midigpt train run --init` without a file: minutes on a CPU for a folder of songs.
FINE_TUNING = RunConfig(
    windows=WindowConfig(late_start=0.0),
    optimiser=OptimiserConfig(learning_rate=3e-4, warmup_steps=10, weight_decay=0.01),
    steps=150,
    windows_per_step=8,
    valid_every=50,
    valid_windows=64,
)


def load_config(path: str | Path | None) -> RunConfig:
    """The settings of a TOML file, or the defaults. Raises TrainingError naming file, key and the nearest known one."""
    if path is None:
        return RunConfig()
    try:
        with open(path, "rb") as stream:
            data = _toml().load(stream)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: not readable as TOML: {error}") from error
    return config_from(data, str(path))


def config_from(data: dict[str, Any], where: str = "config") -> RunConfig:
    """The settings in a dict of the TOML file's form."""
    values = dict(_known(RunConfig, data, where))
    for name, cls in (("model", ModelConfig), ("windows", WindowConfig), ("optimiser", OptimiserConfig)):
        if name in values:
            values[name] = _build(cls, values[name], f"{where}: {name}")
    for name in MIXES:
        values[name] = tuple(_group(item, f"{where}: {name}[{i}]") for i, item in enumerate(values.get(name, ())))
    return _build(RunConfig, values, where)


def config_dict(config: RunConfig) -> dict[str, Any]:
    """The settings as plain data; `config_from` is its inverse."""
    data = dataclasses.asdict(config)
    for name in MIXES:
        data[name] = [{"sources": list(group["sources"]), "share": group["share"]} for group in data[name]]
    return data


def _toml() -> Any:
    return importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def _known(cls: Any, data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TrainingError(f"{where}: expected a table, found {data!r}")
    names = [f.name for f in dataclasses.fields(cls)]
    for key in data:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
            raise TrainingError(f"{where}: unknown key {key!r}; {hint}")
    return data


def _build(cls: type[T], data: Any, where: str) -> T:
    values = _known(cls, data, where)
    for setting in dataclasses.fields(cls):  # type: ignore[arg-type]
        if setting.name in values and setting.metadata:
            _check(values[setting.name], setting, f"{where}.{setting.name}")
    return cls(**values)


_KINDS = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,), "dict[str, float]": (dict,)}


def _check(value: Any, setting: dataclasses.Field[Any], where: str) -> None:
    kinds = _KINDS[str(setting.type)]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TrainingError(f"{where} = {value!r}: expected {setting.type}")
    low, high, choices = (setting.metadata.get(key) for key in ("low", "high", "choices"))
    if choices and value not in choices:
        raise TrainingError(f"{where} = {value!r}: choose from {', '.join(choices)}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise TrainingError(f"{where} = {value!r}: must lie from {low} to {high if high is not None else 'any size'}")
    if isinstance(value, dict):
        for key, weight in value.items():
            if not isinstance(weight, (int, float)) or weight < 0:
                raise TrainingError(f"{where}.{key} = {weight!r}: a weight is a number, 0 or more")


def _group(data: Any, where: str) -> MixGroup:
    values = _known(MixGroup, data, where)
    sources, share = values.get("sources"), values.get("share", 1.0)
    if not isinstance(sources, (list, tuple)) or not sources or not all(isinstance(name, str) for name in sources):
        raise TrainingError(f"{where}.sources = {sources!r}: name at least one source of the data")
    if isinstance(share, bool) or not isinstance(share, (int, float)) or share <= 0:
        raise TrainingError(f"{where}.share = {share!r}: must be a number above 0")
    return MixGroup(tuple(sources), float(share))
