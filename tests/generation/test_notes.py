"""What a model wrote comes back as notes of the score, at the places of the grid it was written at."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midigpt_core.generation.tokens_to_notes import _scaled
from midigpt_core.score import Bar, Note, Score, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import to_grid
from tests.tokens.test_config import open_config, without

NEAREST = EncoderConfig.from_dict(open_config())
CUTTING = EncoderConfig.from_dict(without(open_config(), "rounding"))


@pytest.mark.parametrize("config", [NEAREST, CUTTING], ids=["nearest", "cutting"])
@given(resolution=st.integers(24, 1000), quarters=st.sampled_from([4, 3, 3.5, 1.25]), data=st.data())
def test_written_notes_are_read_again_at_the_same_places(config, resolution, quarters, data) -> None:
    ticks = int(quarters * config.resolution)
    onset = data.draw(st.integers(0, ticks - 1))
    score = Score([Track([Bar(beat_length=quarters), Bar(beat_length=quarters)])], resolution=resolution)
    [note] = _scaled([Note(60, 80, onset, 3)], config, score, (0, 0))
    assert note.onset_ticks < round(quarters * resolution)
    filled = replace(score, tracks=[Track([Bar([note], beat_length=quarters)])])
    assert to_grid(filled, config).tracks[0].bars[0].notes[0].onset_ticks == onset


@given(resolution=st.integers(12, 24), onset=st.integers(0, 46))
def test_the_nearest_tick_is_the_same_place_even_where_ticks_are_few(resolution: int, onset: int) -> None:
    score = Score([Track([Bar(), Bar()])], resolution=resolution)
    [note] = _scaled([Note(60, 80, onset, 3)], NEAREST, score, (0, 0))
    filled = replace(score, tracks=[Track([Bar([note])])])
    assert to_grid(filled, NEAREST).tracks[0].bars[0].notes[0].onset_ticks == onset
