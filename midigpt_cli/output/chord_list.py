"""The chords heard in a song, as JSON and in a line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from midigpt_core.score import Score

UNSURE = 0.5  # confidence below which a chord is told with a question mark
SHOWN = 16  # bars in a line


def chord_facts(score: Score, bars: Collection[int] | None = None) -> list[dict[str, Any]]:
    """The chords of these bars, counted from 0, or of all; in the facts bars and beats count from 1."""
    from midigpt_core.harmony.chord_recognition import heard_chords

    return [
        {"bar": heard.bar + 1, "beat": heard.quarter + 1, "chord": heard.name, "confidence": heard.confidence}
        for heard in heard_chords(score)
        if bars is None or heard.bar in bars
    ]


def chord_line(facts: Sequence[dict[str, Any]], most: int = SHOWN) -> str:
    """ "1 Am, 2 F C, 3 G?": the chords of each bar, those that are unsure with a question mark."""
    by_bar: dict[int, list[str]] = {}
    for fact in facts:
        by_bar.setdefault(fact["bar"], []).append(fact["chord"] + ("?" if fact["confidence"] < UNSURE else ""))
    words = [f"{bar} {' '.join(names)}" for bar, names in by_bar.items()]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more bars" if len(words) > most else "")
