"""Write a part of a bar: what lies outside of it stays, and the model writes between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from midigpt_core.constraints.masks import (
    LEADS_TO_NOTE,
    PITCH,
    Allowed,
    Constraint,
    Cursor,
    Scheduled,
    Slot,
    token_mask,
)
from midigpt_core.fields import reader, refused
from midigpt_core.score import Bar, Note, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType

NOWHERE = range(0)


def span_ticks(span: Sequence[float], resolution: int) -> range:
    """The ticks of a bar that a span control leaves to the model."""
    return range(round(span[0] * resolution), round(span[1] * resolution))


@dataclass
class Around(Scheduled):
    """Before and after a span of the bar the notes that were there, in it whatever the model likes."""

    spans: Mapping[int, range] = field(default_factory=dict)  # cell -> ticks that are free

    def allow(self, at: Cursor) -> Allowed | None:
        schedule, span = self.by_cell.get(at.cell), self.spans.get(at.cell, NOWHERE)
        if schedule is None:
            return None
        inside = at.tick in span
        if at.pitch >= 0 and inside:
            return None
        here = next((slots for tick, slots in schedule if tick == at.tick), ())
        if not inside and (at.pitch >= 0 or at.slot < len(here)):
            return super().allow(at)
        allowed = ~self._content
        self._move(allowed, schedule, at.tick)
        self._into(allowed, schedule, at.tick, span)
        return allowed | token_mask(self.vocabulary, *PITCH, *LEADS_TO_NOTE) if inside else allowed

    def otherwise(self, at: Cursor) -> Allowed | None:
        allowed = super().otherwise(at)
        if allowed is not None:
            self._into(allowed, (), at.tick, self.spans.get(at.cell, NOWHERE))
        return allowed

    def _into(self, allowed: Allowed, schedule: Sequence[Any], tick: int, span: range) -> None:
        """Every place of the span that is still to come, unless a note that stays comes before it."""
        ahead = next((t for t, _ in schedule if t > tick), span.stop)
        start, _ = self.vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
        first = max(tick + 1, span.start)
        if ahead >= span.stop and first < span.stop:
            allowed[start + first : start + span.stop] = True


_PLACES = reader(list[float], "in quarter notes from the beginning of the bar", 0, 1000)


class Span:
    """[2, 4]: write only this part of the bar, in quarter notes from its start (the end excluded); notes that begin
    outside it stay. For single bars, in bar_controls."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        if len(_PLACES(value, where)) != 2 or value[0] >= value[1]:
            raise refused(where, value, "is not a part of a bar", "give [begin, end] in quarter notes, such as [2, 4]")
        if not span_ticks(value, encoder.resolution):
            raise refused(where, value, "is shorter than the model's grid", f"give 1/{encoder.resolution} or more")

    def constraints(self, values: Mapping[int, Any], scene: Any) -> list[Constraint]:
        resolution = scene.vocabulary.config.resolution
        spans = {cell: span_ticks(value, resolution) for cell, value in values.items()}
        kept = {cell: _kept(scene.bars[cell], span) for cell, span in spans.items()}
        return [Around(scene.vocabulary, kept, "span", spans=spans)]


def _kept(bar: Bar, span: range) -> list[tuple[int, list[Slot]]]:
    """The notes outside the span, as a schedule."""
    notes: dict[int, dict[int, Note]] = {}
    for note in bar.notes:
        if note.onset_ticks not in span:
            notes.setdefault(note.onset_ticks, {}).setdefault(note.pitch, note)
    return [
        (tick, [Slot(pitch, found[pitch].duration_ticks) for pitch in sorted(found)])
        for tick, found in sorted(notes.items())
    ]
