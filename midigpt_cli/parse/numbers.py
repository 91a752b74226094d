"""Read whole numbers that people write."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"-?\d{1,9}")


def whole(word: str) -> int | None:
    """The number, or None for what is none or has more than nine digits, as no bar, track, pitch or level has."""
    return int(word) if _WHOLE.fullmatch(word) else None


def count(word: str) -> int | None:
    """The number where it is 0 or more, else None."""
    number = whole(word)
    return None if number is None or number < 0 else number
