"""Tokens, attribute values and decoded scores are those of midigpt 0.4.2 for its published encoders and for ours."""

from __future__ import annotations

import random
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest

from midigpt_core.errors import MidiFileError
from midigpt_core.score import Score
from tests.parity.random_windows import random_window
from tests.parity.token_parity import Comparison, plain_config
from tests.support import encoders, songs

PUBLISHED = ("yellow", "prism", "expressive")
MANY = (430, 28)  # songs, and how far apart they lie in the corpus


def config_path(name: str) -> Path:
    if name == "open":
        return Path(str(files("midigpt_core.tokens") / "open_encoder.json"))
    return encoders() / f"{name}_encoder.json"


@cache
def read(path: Path) -> Score | None:
    try:
        return Score.from_midi(path)
    except MidiFileError:
        return None


def compare(name: str, paths: list[Path], every_length: bool) -> Comparison:
    pytest.importorskip("midigpt._core", reason="needs the package midigpt 0.4.2")
    comparison = Comparison(plain_config(config_path(name)))
    lengths = comparison.tokenizer.config.num_bars_map
    for i, path in enumerate(paths):
        rng = random.Random(path.stem)
        score = read(path)
        if score is not None:
            comparison.song(score, lengths if every_length else [lengths[i % len(lengths)]], rng, path.name)
    return comparison


@pytest.mark.parametrize(("name", "count"), [*((name, 25) for name in PUBLISHED), ("open", 8)])
def test_windows_and_prompts_of_real_songs_are_token_for_token_the_same(name: str, count: int) -> None:
    comparison = compare(name, songs(count, 487), every_length=False)
    assert comparison.windows >= 0.6 * count
    assert comparison.differences == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PUBLISHED, "open"])
def test_windows_of_every_length_from_hundreds_of_songs_are_the_same(name: str) -> None:
    comparison = compare(name, songs(*MANY), every_length=True)
    assert comparison.files >= 300
    assert comparison.differences == []


def compare_random(name: str, count: int) -> Comparison:
    pytest.importorskip("midigpt._core", reason="needs the package midigpt 0.4.2")
    comparison = Comparison(plain_config(config_path(name)))
    config, rng = comparison.tokenizer.config, random.Random(count)
    for i in range(count):
        window = random_window(rng, rng.choice(config.num_bars_map), config.time_signatures)
        comparison.window(window, rng, f"random window {i}")
    return comparison


@pytest.mark.parametrize("name", [*PUBLISHED, "open"])
def test_windows_no_composer_would_write_are_the_same(name: str) -> None:
    assert compare_random(name, 6).differences == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PUBLISHED, "open"])
def test_hundreds_of_windows_no_composer_would_write_are_the_same(name: str) -> None:
    assert compare_random(name, 300).differences == []
