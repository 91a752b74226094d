"""What the model reads before it writes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """What the model reads before it writes."""

    tokens: tuple[int, ...]
    hidden_spans: tuple[tuple[int, int], ...] = ()  # [start, end) positions nobody may listen to
    masking: str = "attention"
