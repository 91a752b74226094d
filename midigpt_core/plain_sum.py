"""Add floats one after the other, so that every Python writes the same notes: from 3.12 on, sum() rounds otherwise."""

from __future__ import annotations

from collections.abc import Iterable


def plain_sum(values: Iterable[float]) -> float:
    """The sum, rounded after each term."""
    total = 0.0
    for value in values:
        total += value
    return total
