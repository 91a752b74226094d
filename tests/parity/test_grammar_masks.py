"""Legal-token masks along real windows are the peer's, but for the differences listed in docs/differences.md."""

from __future__ import annotations

import pytest

from midigpt_core.tokens.tokenizer import Tokenizer
from tests.parity.mask_parity import Peer, compare_autoregressive, compare_density, compare_infill, load

MANY = pytest.param(400, marks=pytest.mark.slow)
COMMON = {"a position is followed by a note", "position 0 needs no token"}
OWN_LENGTH = "a bar to fill in has its own length"


@pytest.fixture(params=["yellow", "prism", "expressive"], scope="module")
def both(request: pytest.FixtureRequest) -> tuple[Tokenizer, Peer]:
    return load(request.param)


@pytest.mark.parametrize("count", [12, MANY])
def test_masks_in_infill_steps_are_the_peers(both, count: int) -> None:
    found = compare_infill(*both, count)
    assert found.wrong == []
    assert found.compared > 30 * count
    assert set(+found.count) - {OWN_LENGTH} == {*COMMON, "the next fill begins at once"}


@pytest.mark.parametrize("count", [8, MANY])
@pytest.mark.parametrize("history", [False, True])
def test_masks_in_autoregressive_steps_are_the_peers(both, history: bool, count: int) -> None:
    found = compare_autoregressive(*both, count, history)
    assert found.wrong == []
    assert found.compared > 20 * count
    assert {*COMMON, "a bar has a metre", "the metre is the piece's"} <= set(+found.count)


@pytest.mark.parametrize("count", [8, MANY])
def test_masks_under_a_density_limit_are_the_peers(both, count: int) -> None:
    assert compare_density(*both, count, limit=3).wrong == []
