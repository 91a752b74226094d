"""Controls at decode time, on any checkpoint: pitches, rhythm, rhythm lock, remix, as constraints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any

import numpy as np

from midigpt_core.constraints.chord_controls import ChordsControl, ChordStrength
from midigpt_core.constraints.control import DecodeControl, Limit, Scene
from midigpt_core.constraints.fill import FillControl
from midigpt_core.constraints.line_controls import ContourControl, KeepContour, KeepRange, MotionControl
from midigpt_core.constraints.masks import AllowedTokens, Constraint, Schedule, Scheduled, Slot, TokenBias
from midigpt_core.constraints.pitch_mask import PitchMask
from midigpt_core.constraints.rhythm import Onsets, RhythmFrom
from midigpt_core.constraints.span import Span
from midigpt_core.constraints.swing import SwingControl
from midigpt_core.constraints.syncopation import SyncopationControl
from midigpt_core.constraints.velocity import Humanise, VelocityControl
from midigpt_core.fields import read, reader, refused, setting
from midigpt_core.music import GRIDS
from midigpt_core.score import Bar, Track
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

ONSETS = "onsets"  # value of rhythm_lock
LONGEST_BAR = 16  # quarter notes


class TimeSignature:
    """The metre shown to the model, by index or name ("3/4") in the checkpoint's list; bars keep their length."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        signature_of(value, where, encoder)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        return []  # told in the prompt


def signature_of(value: Any, where: str, encoder: EncoderConfig) -> tuple[int, int]:
    """(numerator, denominator) of a time_signature control."""
    listed = encoder.time_signatures
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(listed):
        return listed[value]
    for signature in listed:
        if value == f"{signature[0]}/{signature[1]}":
            return signature
    known = ", ".join(f"{i}: {n}/{d}" for i, (n, d) in enumerate(listed))
    raise refused(where, value, "is not a time signature of this checkpoint", f"use an index or a name of {known}")


@dataclass(frozen=True)
class RhythmPosition:
    """A place of a bar at which notes begin."""

    pos: int = setting(MISSING, "ticks of the model's grid from the beginning of the bar", 0)
    polyphony: int = setting(1, "notes that begin there", 1, 32)


@dataclass(frozen=True)
class RhythmGrid:
    """The places at which notes rather begin."""

    unit: str = setting(MISSING, "a note value", choices=tuple(GRIDS))
    strength: float = setting(1.0, "1: only on the grid, 0: anywhere", 0, 1)


@dataclass(frozen=True)
class RhythmMaskValue:
    """The keys of a rhythm mask."""

    positions: list[RhythmPosition] = setting([], "places of the bar", least=1)
    grid: RhythmGrid = field(default_factory=lambda: RhythmGrid("sixteenth", 0.0))


class RhythmMask:
    """{"positions": [{"pos": 0, "polyphony": 1}, ...]} (exact, grid ticks) or {"grid": {"unit": "eighth",
    "strength": 1.0}} (1: only the grid, 0: anywhere)."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        read(RhythmMaskValue, value, where)
        if len(value) != 1:
            raise refused(where, sorted(value), "must set one rhythm", "give either positions or grid")
        places = [entry["pos"] for entry in value.get("positions", ())]
        end = LONGEST_BAR * encoder.resolution
        if max(places, default=0) >= end:
            raise refused(f"{where}.positions", max(places), "is too large a position", f"use positions below {end}")
        if len(set(places)) < len(places):
            raise refused(f"{where}.positions", None, "name a position twice", "merge them and raise their polyphony")

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        exact: dict[int, Schedule] = {}
        pinned, biased = {}, {}
        for cell, value in values.items():
            if "positions" in value:
                ticks = scene.bars[cell].ticks(scene.vocabulary.config.resolution)
                slots = {entry["pos"]: [Slot()] * entry.get("polyphony", 1) for entry in value["positions"]}
                exact[cell] = [(tick, slots[tick]) for tick in sorted(slots) if tick < ticks]
                continue
            strength = float(value["grid"].get("strength", 1.0))
            off = self._off_grid(value["grid"]["unit"], scene.vocabulary)
            if strength >= 1.0:
                pinned[cell] = ~off
            else:
                biased[cell] = np.where(off, math.log(1.0 - strength), 0.0).astype(np.float32)
        constraints: list[Constraint] = (
            [Scheduled(scene.vocabulary, exact, "rhythm_mask", scene.within)] if exact else []
        )
        constraints += [AllowedTokens(pinned, "rhythm_mask.grid")] if pinned else []
        return constraints + ([TokenBias(biased, "rhythm_mask.grid")] if biased else [])

    def _off_grid(self, unit: str, vocabulary: Vocabulary) -> Any:
        step = max(1, round(GRIDS[unit] * vocabulary.config.resolution))
        start, end = vocabulary.range(TokenType.TIME_ABSOLUTE_POS)
        off = np.zeros(vocabulary.size, dtype=np.bool_)
        off[start:end] = np.arange(end - start) % step != 0
        return off


_LOCK = reader(bool, words={ONSETS: ONSETS})


class RhythmLock:
    """true: keep the onsets and chord sizes of the old bar, with new pitches and durations; "onsets": keep the onsets,
    with any number of notes at each."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _LOCK(value, where)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        kinds = ((True, Scheduled), (ONSETS, Onsets))
        found: list[Constraint] = []
        for wanted, kind in kinds:
            cells = [cell for cell, value in values.items() if value == wanted]
            locked = {c: [(tick, [Slot()] * len(notes)) for tick, notes in _chords(scene.bars[c])] for c in cells}
            found += [kind(scene.vocabulary, _sounding(locked), "rhythm_lock", scene.within)] if locked else []
        return found


@dataclass(frozen=True)
class RemixValue:
    """The keys of a remix."""

    amount: float = setting(MISSING, "the share of the notes that change", 0, 1, open_low=True)
    mode: str = setting("pitch", "pitch, or full for durations too", choices=("pitch", "full"))


class Remix:
    """{"amount": 0.3, "mode": "pitch"}: change this share of the notes (at least one) and keep the rest, unless a pitch
    mask forbids them; mode "full" changes durations too."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        read(RemixValue, value, where)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        random = np.random.Generator(np.random.PCG64([scene.seed, 1]))
        schedules = {}
        for cell, value in values.items():
            chords = _chords(scene.bars[cell])
            places = [(i, j) for i, (_, notes) in enumerate(chords) for j in range(len(notes))]
            count = max(1, round(value["amount"] * len(places))) if places else 0
            changed = {places[k] for k in random.permutation(len(places))[:count]}
            full = value.get("mode", "pitch") == "full"
            schedules[cell] = [
                (tick, [_remixed(note, (i, j) in changed, full) for j, note in enumerate(notes)])
                for i, (tick, notes) in enumerate(chords)
            ]
        return [Scheduled(scene.vocabulary, _sounding(schedules), "remix", scene.within)]


CONTROLS: Mapping[str, DecodeControl] = {
    "time_signature": TimeSignature(),
    "pitch_mask": PitchMask(),
    "rhythm_mask": RhythmMask(),
    "rhythm_lock": RhythmLock(),
    "rhythm_from": RhythmFrom(),
    "fill": FillControl(),
    "swing": SwingControl(),
    "syncopation": SyncopationControl(),
    "remix": Remix(),
    "span": Span(),
    "chords": ChordsControl(),
    "chord_strength": ChordStrength(),
    "velocity": VelocityControl(),
    "humanise": Humanise(),
    "motion": MotionControl(),
    "contour": ContourControl(),
    "keep_range": KeepRange(),
    "keep_contour": KeepContour(),
    "density_hard_limit": Limit("density_hard_limit"),
    "polyphony_hard_limit": Limit("polyphony_hard_limit"),
    "no_repeat_ngram": Limit("no_repeat_ngram"),
}


def borne_on(controls: Mapping[str, Any]) -> frozenset[TokenType]:
    """The kinds of tokens that these controls of a track leave more or less of."""
    about = {"pitch_mask": TokenType.NOTE_ONSET, "rhythm_mask": TokenType.TIME_ABSOLUTE_POS}
    return frozenset(about[name] for name in controls if name in about)


def _chords(bar: Bar) -> list[tuple[int, list[Any]]]:
    """[(tick, notes there in ascending pitch)], one note per pitch, in time order."""
    by_tick: dict[int, dict[int, Any]] = {}
    for note in bar.notes:
        by_tick.setdefault(note.onset_ticks, {}).setdefault(note.pitch, note)
    return [(tick, [notes[pitch] for pitch in sorted(notes)]) for tick, notes in sorted(by_tick.items())]


def _remixed(note: Any, changed: bool, full: bool) -> Slot:
    duration = None if changed and full else note.duration_ticks
    return Slot(None, duration, other_than=(note.pitch,)) if changed else Slot(note.pitch, duration)


def _sounding(schedules: Mapping[int, Schedule]) -> dict[int, Schedule]:
    """Without the bars that were empty: there is no rhythm to keep, the model writes them freely."""
    return {cell: schedule for cell, schedule in schedules.items() if schedule}
