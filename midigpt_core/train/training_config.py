"""The settings of a training run, read strictly from TOML."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from midigpt_core.errors import TrainingError
from midigpt_core.fields import Door, read, sentence, setting

SCHEDULES = ("cosine", "linear", "constant")
OPTIMISERS = ("adamw", "muon")
MIXES = ("mix", "finish_mix", "valid_mix")
_WEIGHT = {"low": 0.0}
PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network; a run with --init takes the checkpoint's shape instead, and adds places if asked."""

    n_embd: int = setting(384, "width", 1)
    n_layer: int = setting(6, "layers", 1)
    n_head: int = setting(6, "attention heads; divides n_embd", 1)
    n_positions: int = setting(2048, "longest context in tokens", 64)
    dropout: float = setting(0.0, "dropout while training", 0.0, 0.9)
    places: bool = setting(False, "tell it where each token stands and what sounds there (not for midigpt 0.4.2)")


@dataclass(frozen=True)
class WindowConfig:
    """How examples are drawn: how long, which bars to write, what is shown of the rest."""

    bars: dict[str, float] = setting(
        {}, "window length -> weight; empty: all the encoder knows, 8 most often", each=_WEIGHT
    )
    budgets: dict[str, float] = setting(
        {"512": 0.35, "1024": 0.45, "2048": 0.2}, "tokens a window may have -> weight", each=_WEIGHT
    )
    max_tracks: int = setting(16, "tracks in a window, at most", 1, 128)
    patterns: dict[str, float] = setting(
        {}, "pattern of bars to write -> weight; empty: the built-in table", each=_WEIGHT
    )
    keep_empty: float = setting(0.15, "share of tracks silent in the window that are shown all the same", 0.0, 1.0)
    shuffle_tracks: float = setting(0.5, "share of windows whose tracks come in random order", 0.0, 1.0)
    hidden: float = setting(0.12, "share of windows with hidden bars (MaskBar)", 0.0, 1.0)
    controls: float = setting(0.4, "share of windows in which some tracks carry control tokens", 0.0, 1.0)
    transpose_down: int = setting(6, "semitones a window may be moved down", 0, 24)
    transpose_up: int = setting(5, "semitones a window may be moved up", 0, 24)
    velocity_shift: int = setting(3, "velocity levels a window may be moved up or down", 0, 64)
    late_start: float = setting(
        0.1, "share of batches read from a later position, so that all positions learn", 0.0, 1.0
    )
    context_weight: float = setting(0.5, "weight in the loss of tokens given at inference (written ones: 1)", 0.0, 1.0)


@dataclass(frozen=True)
class OptimiserConfig:
    """How weights follow the loss."""

    name: str = setting("adamw", "adamw, or muon (matrices by Muon, the rest by AdamW)", choices=OPTIMISERS)
    learning_rate: float = setting(1e-3, "peak rate; Muon's updates are scaled to match AdamW's", 0.0, 1.0)
    weight_decay: float = setting(0.05, "on matrices and embeddings; norms and biases have none", 0.0, 1.0)
    beta2: float = setting(0.98, "memory of squared gradients", 0.0, 1.0)
    places_rate: float = setting(10.0, "rate of the tables of places, as a multiple of the others'", 0.0, 1000.0)
    clip: float = setting(1.0, "largest norm of the gradient (0: off)", 0.0)
    warmup_steps: int = setting(100, "steps of rising rate", 0)
    schedule: str = setting("cosine", "cosine; linear: full, then straight to zero; constant: full", choices=SCHEDULES)
    decay: float = setting(0.3, "linear: last share of the run in which the rate falls", 0.0, 1.0)
    ema: float = setting(0.0, "decay of the averaged weights, which are then what is saved (0: off)", 0.0, 0.99999)


@dataclass(frozen=True)
class MixGroup:
    """Sources drawn with one common share; a file is drawn first, then a window in it."""

    sources: tuple[str, ...] = setting(dataclasses.MISSING, "sources of the data", least=1)
    share: float = setting(1.0, "weight beside the other groups", 0.0, open_low=True)


@dataclass(frozen=True)
class RunConfig:
    """Everything a run needs besides its data."""

    model: ModelConfig = field(default_factory=ModelConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    mix: tuple[MixGroup, ...] = ()  # empty: every piece alike
    finish_mix: tuple[MixGroup, ...] = ()  # the mix of the last `finish` share of the run; empty: no change
    valid_mix: tuple[MixGroup, ...] = ()  # what the valid loss is measured on; empty: as finish_mix, or mix
    finish: float = setting(0.15, "share of the run that draws from finish_mix", 0.0, 1.0)
    permissive_only: bool = setting(False, "draw only from files of the permissive licence tier")
    steps: int = setting(1000, "optimiser steps, unless a time budget is given", 1)
    windows_per_step: int = setting(32, "windows per optimiser step, over all processes", 1)
    batch_tokens: int = setting(8192, "tokens per forward pass; more windows are accumulated", 64)
    seed: int = setting(1, "decides weights, windows and their order", 0)
    precision: str = setting("auto", "auto: bfloat16 where the device has it", choices=PRECISIONS)
    compile: bool = setting(False, "torch.compile the network")
    workers: int = setting(1, "processes that draw windows ahead (0: draw between steps)", 0, 64)
    threads: int = setting(0, "CPU threads for the network (0: torch's own choice)", 0)
    log_every: int = setting(10, "steps between log lines", 1)
    save_minutes: float = setting(5.0, "minutes between checkpoints", 0.0)
    valid_every: int = setting(200, "steps between looks at the valid split (0: only at the end)", 0)
    valid_windows: int = setting(128, "windows of the valid split, the same each time", 0)


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
    return read(RunConfig, data, where, Door(_refused))


def _refused(name: str, value: Any, problem: str, remedy: str) -> TrainingError:
    return TrainingError(sentence(name, value, problem, remedy))


def config_dict(config: RunConfig) -> dict[str, Any]:
    """The settings as plain data; `config_from` is its inverse."""
    data = dataclasses.asdict(config)
    for name in MIXES:
        data[name] = [{"sources": list(group["sources"]), "share": group["share"]} for group in data[name]]
    return data


def _toml() -> Any:
    return importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
