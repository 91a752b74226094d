"""Onsets that are given, with any number of notes at each: those of the old bar, or of another track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any

from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.drum_parts import DRUM_PARTS
from midigpt_core.constraints.masks import (
    LEADS_TO_NOTE,
    Allowed,
    Constraint,
    Cursor,
    Schedule,
    Scheduled,
    Slot,
    token_mask,
)
from midigpt_core.fields import read, refused, setting
from midigpt_core.score import DRUM, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import grid_onset

ALL = "all"  # notes of the source
RHYTHMS = ("rhythm_mask", "rhythm_lock", "rhythm_from", "remix", "span")  # controls that say where notes begin


@dataclass
class Onsets(Scheduled):
    """Notes begin at the ticks of a schedule and nowhere else, as many at each as the model likes."""

    optional: frozenset[int] = frozenset()  # cells that may pass over some of the ticks

    def allow(self, at: Cursor) -> Allowed | None:
        schedule = self.by_cell.get(at.cell)
        if schedule is None or at.pitch >= 0:
            return None
        here, passing = any(tick == at.tick for tick, _ in schedule), self.otherwise(at)
        allowed = ~self._content
        if at.cell in self.optional and passing is not None:
            allowed |= passing
        elif not here or at.slot:
            self._move(allowed, schedule, at.tick)
        if here:
            pitches = self._pitches([Slot()] * (at.slot + 1), at)
            allowed |= pitches | token_mask(self.vocabulary, *(LEADS_TO_NOTE if pitches.any() else ()))
        return allowed


@dataclass(frozen=True)
class RhythmSource:
    """The track whose onsets are taken."""

    track: int = setting(MISSING, "its index in the score")
    part: str = setting(ALL, "a part of a drum kit", choices=(ALL, *DRUM_PARTS))
    every: bool = setting(False, "whether a note begins at each of its onsets")


class RhythmFrom:
    """{"track": 4, "part": "kick", "every": true}: begin notes only where another track of the score does; part:
    kick, snare, hats, toms, crash or ride of a drum track (default: all); every: at each of these onsets. Bars in which
    the other track is silent are free."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        read(RhythmSource, value, where)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        found: dict[int, Schedule] = {}
        for cell, value in values.items():
            ticks = _onsets_of(value, scene, cell)
            if ticks:
                found[cell] = [(tick, [Slot()]) for tick in ticks]
        optional = frozenset(cell for cell in found if not values[cell].get("every", False))
        return [Onsets(scene.vocabulary, found, "rhythm_from", scene.within, optional)] if found else []


def check_source(value: Mapping[str, Any], where: str, tracks: list[Track], own: int) -> None:
    """Refuse a source of rhythm that this score has not."""
    number, part = value["track"], value.get("part", ALL)
    if not 0 <= number < len(tracks) or number == own:
        problem = "is the track itself" if number == own else f"is not a track of this score of {len(tracks)}"
        raise refused(f"{where}.track", number, problem, "name another one")
    if part != ALL and tracks[number].track_type != DRUM:
        raise refused(f"{where}.part", part, f"is for drums; track {number + 1} is melodic", "leave it out")


def _onsets_of(value: Mapping[str, Any], scene: Scene, cell: int) -> list[int]:
    """The grid ticks at which the source has an onset in the bar of a cell."""
    assert scene.score is not None
    config, bar = scene.vocabulary.config, scene.score.tracks[value["track"]].bars[scene.cells[cell][1]]
    part = DRUM_PARTS.get(value.get("part", ALL))
    notes = [note for note in bar.notes if part is None or note.pitch in part]
    last = scene.bars[cell].ticks(config.resolution) - 1
    return sorted({min(grid_onset(note, bar, scene.score.resolution, config), last) for note in notes})
