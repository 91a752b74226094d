"""Tell the sections that a song names, each by the words that `--bars` takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from midigpt_core.midi_file.sections import sections
from midigpt_core.score import Score


def section_facts(score: Score) -> list[dict[str, Any]]:
    """Per section its name, its bars from 1, and what `--bars` calls it: Chorus#2 for the second of that name."""
    found = sections(score)
    all_of = Counter(section.name.lower() for section in found)
    so_far: Counter[str] = Counter()
    facts = []
    for section in found:
        so_far[section.name.lower()] += 1
        number = so_far[section.name.lower()]
        called = f'"{section.name}"' if "," in section.name else section.name
        called += f"#{number}" if all_of[section.name.lower()] > 1 else ""
        facts.append({"name": section.name, "first": section.first + 1, "last": section.end, "select": called})
    return facts


def section_line(facts: Sequence[dict[str, Any]], most: int) -> str:
    """Intro 1-4, Verse 5-12, and so on."""
    words = [f"{fact['select']} {_bars(fact['first'], fact['last'])}" for fact in facts[:most]]
    return ", ".join(words) + (f" and {len(facts) - most} more" if len(facts) > most else "")


def _bars(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
