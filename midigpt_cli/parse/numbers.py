"""Read numbers that people write."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"-?\d{1,9}")
_SHARE = r"(\d(?:\.\d{1,9})?|\.\d{1,9})"
_SHARES = re.compile(rf"{_SHARE}\s*(?:\.\.|-)\s*{_SHARE}")


def whole(word: str) -> int | None:
    """The number, or None for what is none or has more than nine digits, as no bar, track, pitch or level has."""
    return int(word) if _WHOLE.fullmatch(word) else None


def count(word: str) -> int | None:
    """The number where it is 0 or more, else None."""
    number = whole(word)
    return None if number is None or number < 0 else number


def share_range(word: str) -> list[float] | None:
    """[lowest, highest] of 0.2..0.6 or 0.2-0.6, or None."""
    found = _SHARES.fullmatch(word.strip())
    return None if found is None else [float(found[1]), float(found[2])]
