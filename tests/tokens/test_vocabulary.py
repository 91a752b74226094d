"""Ids follow the order of the domains; what has no id is refused by name."""

from __future__ import annotations

import pytest

from midigpt_core.errors import TokenError
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType
from tests.tokens.test_config import open_config


def vocabulary(**changes):
    return Tokenizer.from_config(open_config(**changes)).vocabulary


def test_every_id_is_its_type_and_value_again() -> None:
    found = vocabulary()
    assert [found.encode(*found.decode(token)) for token in range(found.size)] == list(range(found.size))
    assert sum(found.domain_size(kind) for kind in set(found.types)) == found.size


def test_a_range_holds_the_ids_of_its_type_and_no_others() -> None:
    found = vocabulary()
    start, end = found.range(TokenType.NOTE_ONSET)
    assert end - start == 128
    assert {token for token, kind in enumerate(found.types) if kind is TokenType.NOTE_ONSET} == set(range(start, end))
    assert found.range(TokenType.DELTA) == (-1, -1)
    assert not found.has(TokenType.DELTA)


def test_a_value_beyond_its_domain_and_a_missing_type_are_named() -> None:
    with pytest.raises(TokenError, match=r"NoteOnset.*128"):
        vocabulary().encode(TokenType.NOTE_ONSET, 128)
    with pytest.raises(TokenError, match="Delta"):
        vocabulary().encode(TokenType.DELTA, 0)
    with pytest.raises(TokenError, match="5000"):
        vocabulary().decode(5000)


def test_a_metre_that_is_not_listed_is_named() -> None:
    with pytest.raises(TokenError, match="7/16"):
        vocabulary().metre_value((7, 16))


def test_a_window_length_that_is_not_listed_is_named_with_those_that_are() -> None:
    with pytest.raises(TokenError, match=r"5 bars.*4, 8, 12, 16"):
        vocabulary().num_bars_value(5)
