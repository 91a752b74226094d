"""What was understood of a prompt: parts, tempo, metre, key, feels, and what became of each word."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PromptPart:
    """One track that is named."""

    word: str  # as it is spelt in the table
    program: int | None  # General MIDI program from 0; None: drums
    feels: Mapping[str, str] = field(default_factory=dict)  # aspect -> option value, see table.FEELS


@dataclass(frozen=True)
class Said:
    """One word or phrase of the prompt, and what became of it."""

    text: str
    became: str


@dataclass(frozen=True)
class Understood:
    """A prompt, read."""

    text: str
    parts: tuple[PromptPart, ...] = ()
    styles: tuple[str, ...] = ()
    bpm: float | None = None
    metre: str | None = None
    scale: str | None = None  # ROOT:SCALE
    grid: str | None = None  # UNIT[:STRENGTH]
    bars: int | None = None
    feels: Mapping[str, str] = field(default_factory=dict)  # those of every part
    said: tuple[Said, ...] = ()
    unknown: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    named: bool = False  # the parts stand in the prompt, not only in its style

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)

    def lines(self) -> list[str]:
        """What is told to people: each word with what became of it, then what was not known."""
        lines = [", ".join(f"{word.text}: {word.became}" for word in self.said)] if self.said else []
        lines += [f"not known: {', '.join(self.unknown)}"] if self.unknown else []
        return [*lines, *self.contradictions]
