"""Controls at decode time, on any checkpoint: pitches, rhythm, rhythm lock, remix, as constraints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from midigpt_core.constraints.masks import (
    Allowed,
    AllowedTokens,
    Constraint,
    Schedule,
    Scheduled,
    Slot,
    TokenBias,
    token_mask,
)
from midigpt_core.fields import nearest, refused
from midigpt_core.music import GRIDS, SCALES
from midigpt_core.score import Bar, Track
from midigpt_core.tokens.config import EncoderConfig
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class Scene:
    """What a step is about, for the controls that look at it."""

    vocabulary: Vocabulary
    bars: tuple[Bar, ...]  # the target bars as they were, on the grid, in the order they are written
    seed: int
    within: Mapping[int, Allowed] = field(default_factory=dict)  # by cell, the tokens that a pitch mask leaves


class DecodeControl(Protocol):
    """One control of TrackPrompt.controls."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        """Raise RequestValidationError for a value that cannot be obeyed."""

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        """The constraints for a step; `values` holds the control's value for each cell that has one."""


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
    raise refused(where, value, "is no time signature of this checkpoint", f"use an index or a name of {known}")


class PitchMask:
    """{"pitches": [...]} or {"scale": "major", "root": 0} or {"pitch_classes": [...]}, and {"range": [low, high]};
    softly, {"shape": {"type": "normal", "mean": 60, "std": 12}} or {"type": "uniform", "min": 48, "max": 72}."""

    KEYS = ("pitches", "scale", "root", "pitch_classes", "range", "shape")

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _object(value, where, self.KEYS)
        if "scale" in value and str(value["scale"]) not in SCALES:
            raise refused(
                f"{where}.scale", value["scale"], "is not a known scale", nearest(str(value["scale"]), SCALES)
            )
        sources = [key for key in ("pitches", "scale", "pitch_classes") if key in value]
        if len(sources) > 1:
            raise refused(where, sources, "say the same thing twice", "keep one of them")
        for key, top in (("pitches", 127), ("pitch_classes", 11), ("range", 127)):
            _integers(value.get(key, []), f"{where}.{key}", 0, top)
        if "range" in value and (len(value["range"]) != 2 or value["range"][0] > value["range"][1]):
            raise refused(
                f"{where}.range", value["range"], "is not [lowest, highest]", "give two pitches, the lower first"
            )
        _integers([value.get("root", 0)], f"{where}.root", 0, 11)
        if "shape" in value:
            self._check_shape(value["shape"], f"{where}.shape")
        if not self.pitches(value):
            raise refused(where, value, "leaves no pitch", "widen it")

    def pitches(self, value: Mapping[str, Any]) -> set[int]:
        """The allowed MIDI pitches."""
        low, high = value.get("range", (0, 127))
        if "pitches" in value:
            wanted = set(value["pitches"])
        else:
            classes = set(value.get("pitch_classes", range(12)))
            if "scale" in value:
                classes = {(value.get("root", 0) + step) % 12 for step in SCALES[value["scale"]]}
            wanted = {pitch for pitch in range(128) if pitch % 12 in classes}
        shape = value.get("shape", {})
        if shape.get("type") == "uniform":
            low, high = max(low, shape.get("min", 0)), min(high, shape.get("max", 127))
        return {pitch for pitch in wanted if low <= pitch <= high}

    def _check_shape(self, shape: Any, where: str) -> None:
        _object(shape, where, ("type", "min", "max", "mean", "std"))
        if shape.get("type") not in ("uniform", "normal"):
            raise refused(f"{where}.type", shape.get("type"), "is not a known shape", "use uniform or normal")
        for key in ("min", "max", "mean", "std"):
            number = shape.get(key, 0)
            if not isinstance(number, (int, float)) or not math.isfinite(number):
                raise refused(f"{where}.{key}", number, "is not a number", "give one, in semitones")

    def _bias(self, shape: Mapping[str, Any], pitch: int) -> float:
        """What to add to the logit of a pitch; the pitches outside a uniform shape are not among `pitches`."""
        if shape["type"] == "uniform":
            return 0.0
        return float(-0.5 * ((pitch - shape.get("mean", 60.0)) / (shape.get("std", 12.0) or 1e-6)) ** 2)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        start, end = scene.vocabulary.range(TokenType.NOTE_ONSET)
        pinned, biased = {}, {}
        for cell, value in values.items():
            allowed = ~token_mask(scene.vocabulary, TokenType.NOTE_ONSET)
            allowed[[start + pitch for pitch in self.pitches(value) if start + pitch < end]] = True
            pinned[cell] = allowed
            if "shape" in value:
                bias = np.zeros(scene.vocabulary.size, dtype=np.float32)
                bias[start:end] = [self._bias(value["shape"], pitch) for pitch in range(end - start)]
                biased[cell] = bias
        return [AllowedTokens(pinned), *([TokenBias(biased, "pitch_mask.shape")] if biased else [])]


class RhythmMask:
    """{"positions": [{"pos": 0, "polyphony": 1}, ...]} (exact, grid ticks) or {"grid": {"unit": "eighth",
    "strength": 1.0}} (1: only the grid, 0: no matter)."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _object(value, where, ("positions", "grid"))
        if len(value) != 1:
            raise refused(where, sorted(value), "is not one rhythm", "give either positions or grid")
        if "grid" in value:
            self._check_grid(value["grid"], f"{where}.grid")
            return
        entries = value["positions"]
        if not isinstance(entries, list) or not entries:
            raise refused(f"{where}.positions", entries, "is not a list of positions", "give [{pos: 0, polyphony: 1}]")
        for i, entry in enumerate(entries):
            _object(entry, f"{where}.positions[{i}]", ("pos", "polyphony"))
            _integers([entry.get("pos")], f"{where}.positions[{i}].pos", 0, 16 * encoder.resolution - 1)
            _integers([entry.get("polyphony", 1)], f"{where}.positions[{i}].polyphony", 1, 32)
        if len({entry["pos"] for entry in entries}) < len(entries):
            raise refused(f"{where}.positions", None, "name a position twice", "merge them and raise their polyphony")

    def _check_grid(self, grid: Any, where: str) -> None:
        _object(grid, where, ("unit", "strength"))
        if str(grid.get("unit")) not in GRIDS:
            raise refused(
                f"{where}.unit", grid.get("unit"), "is not a known grid", nearest(str(grid.get("unit")), GRIDS)
            )
        strength = grid.get("strength", 1.0)
        if not isinstance(strength, (int, float)) or not 0 <= strength <= 1:
            raise refused(f"{where}.strength", strength, "is out of range", "use 0 to 1")

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


class RhythmLock:
    """true: the same onsets and chord sizes as the bar that is replaced, new pitches and durations."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        if not isinstance(value, bool):
            raise refused(where, value, "is not true or false", "use true to keep the rhythm")

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        locked = {}
        for cell in (cell for cell, value in values.items() if value):
            locked[cell] = [(tick, [Slot()] * len(notes)) for tick, notes in _chords(scene.bars[cell])]
        return [Scheduled(scene.vocabulary, _sounding(locked), "rhythm_lock", scene.within)] if locked else []


class Remix:
    """{"amount": 0.3, "mode": "pitch"}: change this share of the notes (at least one) and keep the rest, as far as a
    pitch mask allows them; mode "full" frees the changed notes' durations too."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _object(value, where, ("amount", "mode"))
        amount = value.get("amount")
        if not isinstance(amount, (int, float)) or isinstance(amount, bool) or not 0 < amount <= 1:
            raise refused(f"{where}.amount", amount, "is not a share of the notes", "use a number above 0, at most 1")
        if value.get("mode", "pitch") not in ("pitch", "full"):
            raise refused(f"{where}.mode", value["mode"], "is not known", "use pitch or full")

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
    "remix": Remix(),
}


def borne_on(controls: Mapping[str, Any]) -> frozenset[TokenType]:
    """The kinds of tokens that these controls of a track leave more or less of."""
    about = {"pitch_mask": TokenType.NOTE_ONSET, "rhythm_mask": TokenType.TIME_ABSOLUTE_POS}
    return frozenset(about[name] for name in controls if name in about)


def _object(value: Any, where: str, keys: tuple[str, ...]) -> None:
    if not isinstance(value, dict):
        raise refused(where, value, "is not an object", f"give keys of {', '.join(keys)}")
    for key in value:
        if key not in keys:
            raise refused(f"{where}.{key}", None, "is not a known key", nearest(str(key), keys))


def _integers(values: Any, where: str, low: int, high: int) -> None:
    whole = isinstance(values, list) and all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    if not whole or any(not low <= v <= high for v in values):
        raise refused(where, values, "is out of range", f"use integers from {low} to {high}")


def _chords(bar: Bar) -> list[tuple[int, list[Any]]]:
    """[(tick, notes there in ascending pitch)], one note per pitch, in time order."""
    by_tick: dict[int, dict[int, Any]] = {}
    for note in bar.notes:
        by_tick.setdefault(note.onset_ticks, {}).setdefault(note.pitch, note)
    return [(tick, [notes[pitch] for pitch in sorted(notes)]) for tick, notes in sorted(by_tick.items())]


def _remixed(note: Any, changed: bool, full: bool) -> Slot:
    duration = None if changed and full else note.duration_ticks
    return Slot(None, duration, other_than=note.pitch) if changed else Slot(note.pitch, duration)


def _sounding(schedules: Mapping[int, Schedule]) -> dict[int, Schedule]:
    """Without the bars that were empty: there is no rhythm to keep, the model writes them freely."""
    return {cell: schedule for cell, schedule in schedules.items() if schedule}
