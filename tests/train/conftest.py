"""A small data set of real songs, made once, and settings of a tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import corpus

from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.train.prepare import OPEN_ENCODER, PrepareOptions, prepare
from midigpt_core.train.shards import Shards
from midigpt_core.train.training_config import config_from

TINY: dict[str, Any] = {
    "model": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 512, "dropout": 0.1},
    "windows": {"budgets": {"256": 1.0}},
    "optimiser": {"warmup_steps": 2, "learning_rate": 0.01},
    "steps": 6,
    "windows_per_step": 3,
    "batch_tokens": 512,
    "workers": 0,
    "threads": 1,
    "log_every": 1,
    "valid_every": 0,
    "valid_windows": 4,
    "precision": "32-true",
}


@pytest.fixture(scope="session")
def songs() -> list[Path]:
    """Six short songs of real bands."""
    return sorted((corpus() / "easyrpg").glob("*.mid"))[:6]


@pytest.fixture(scope="session")
def encoder() -> EncoderConfig:
    return EncoderConfig.load(OPEN_ENCODER)


@pytest.fixture(scope="session")
def data(songs: list[Path], encoder: EncoderConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of those songs."""
    folder = tmp_path_factory.mktemp("data")
    prepare(songs, folder, encoder, PrepareOptions(processes=1, valid_share=0.2))
    return folder


@pytest.fixture(scope="session")
def shards(data: Path) -> Shards:
    return Shards(data)


@pytest.fixture
def tiny() -> Any:
    """Settings of a tiny run, as a function of what is to differ."""

    def make(**changes: Any) -> Any:
        return config_from({**TINY, **changes})

    return make
