"""Set constraints (chords, loudness, motion, what is kept of old bars) and measure how far new notes meet them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from midigpt_core.chords import chord_of
from midigpt_core.constraints.line import KINDS, kind_of, line_at
from midigpt_core.constraints.line_controls import CONTOURS
from midigpt_core.constraints.velocity import loudness, place_of
from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.judge import Tell, request_for
from midigpt_core.evaluate.measured import Measured, OldAndNew
from midigpt_core.evaluate.rhythm_constraints import RHYTHM_CONSTRAINTS
from midigpt_core.evaluate.tasks import Task
from midigpt_core.generation.candidate_consensus import note_f1
from midigpt_core.music import sixteenth_of
from midigpt_core.request import GenerationRequest, InferenceConfig
from midigpt_core.score import DRUM, Score
from midigpt_core.voices.remarks import remarks_on

ROOTS = ("C", "Dm7", "Eb", "E7", "F", "Gm", "Am7", "Bb")
FEWEST = 5  # notes of a line that tell its motion
NEAR = 8  # of a velocity, as near to an accent as one hears it
LOUD = {"low": 60, "high": 80}
SHARES = {"steps": 0.6, "leaps": 0.2}
BAR_BY_BAR = {"passes": "bars", "retry_unchanged": True}
DISTANCES = [0.1, 0.3], [0.2, 0.6], [0.3, 0.5], [0.5, 0.7], [0.7, 0.9]
ROUNDED = 0.01  # of a distance, that played onsets may come to between the model's grid and the sixteenths


def _chords(value: Sequence[str], passage: OldAndNew) -> float | None:
    tones = [chord.classes if (chord := chord_of(name)) else frozenset(range(12)) for name in value]
    hits = [n.pitch % 12 in classes for classes, bar in zip(tones, passage.new, strict=False) for n in bar.notes]
    return float(np.mean(hits)) if hits else None


def _loud(value: Mapping[str, int], passage: OldAndNew) -> float | None:
    hits = [value["low"] <= note.velocity <= value["high"] for bar in passage.new for note in bar.notes]
    return float(np.mean(hits)) if hits else None


def _own(_: Any, passage: OldAndNew) -> float | None:
    usual = loudness({"velocity": "own"}, passage.kept, passage.resolution)
    accents = usual.accents if usual else {}
    notes = [(n, place_of(n, passage.resolution)) for bar in passage.new for n in bar.notes]
    near = [abs(note.velocity - accents[place]) <= NEAR for note, place in notes if place in accents]
    return float(np.mean(near)) if near else None


def _motion(value: Mapping[str, float], passage: OldAndNew) -> float | None:
    pitches = [pitch for bar in passage.new for _, pitch in passage.line(bar)]
    kinds = [kind_of(after - before) for before, after in pairwise(pitches)]
    if len(kinds) < FEWEST:
        return None
    return 1 - max(abs(kinds.count(kind) / len(kinds) - value[kind]) for kind in KINDS if kind in value)


def _contour(value: str, passage: OldAndNew) -> float | None:
    lengths = [bar.ticks(passage.resolution) for bar in passage.new]
    count = len(lengths)
    line = [
        ((i + tick / lengths[i]) / count, pitch)
        for i, bar in enumerate(passage.new)
        for tick, pitch in passage.line(bar)
    ]
    if len(line) < FEWEST:
        return None
    if len({pitch for _, pitch in line}) == 1:
        return 0.0
    heights = [pitch for _, pitch in line]
    alike = {name: np.corrcoef([curve(x) for x, _ in line], heights)[0, 1] for name, curve in CONTOURS.items()}
    return float(max(alike, key=lambda name: alike[name]) == value)


def _range(_: Any, passage: OldAndNew) -> float | None:
    hits = []
    for old, new in zip(passage.old, passage.new, strict=True):
        pitches = [note.pitch for note in old.notes]
        hits += [min(pitches) <= note.pitch <= max(pitches) for note in new.notes if pitches]
    return float(np.mean(hits)) if hits else None


def _sketch(_: Any, passage: OldAndNew) -> float | None:
    hits = []
    for old, new in zip(passage.old, passage.new, strict=True):
        before = passage.line(old)
        for (tick, pitch), (after, other) in pairwise(passage.line(new)) if before else ():
            rise = line_at(before, after) - line_at(before, tick)
            hits.append((other - pitch) * rise > 0 or (rise == 0 and abs(other - pitch) <= 2))
    return float(np.mean(hits)) if hits else None


def _distance(value: Mapping[str, Sequence[float]], passage: OldAndNew) -> float:
    low, high = value["distance"]
    old, new = ({(0, i): bar.notes for i, bar in enumerate(bars)} for bars in (passage.old, passage.new))
    distance = 1 - note_f1([old, new], passage.resolution)[0, 1]
    return float(low - ROUNDED <= distance <= high + ROUNDED)


def _new(_: Any, passage: OldAndNew) -> float | None:
    """Share of the bars with other notes than before."""
    old, new = (
        [{(sixteenth_of(n.onset_ticks, passage.resolution), n.pitch) for n in bar.notes} for bar in bars]
        for bars in (passage.old, passage.new)
    )
    hits = [before != after for before, after in zip(old, new, strict=True) if before or after]
    return float(np.mean(hits)) if hits else None


def _free_of_remarks(value: Mapping[str, Any], passage: OldAndNew) -> float:
    return float(not remarks_on(passage.after, passage.task.cells, InferenceConfig(**value)))


def _any_distance(random: np.random.Generator, _: Task) -> dict[str, Any]:
    return {"distance": DISTANCES[random.integers(len(DISTANCES))]}


CONSTRAINTS = (
    Measured("chords", "chords", lambda random, _: [str(name) for name in random.permutation(ROOTS)], _chords),
    Measured("velocity 60-80", "velocity", lambda *_: LOUD, _loud, drums=True),
    Measured("velocity own", "velocity", lambda *_: "own", _own, drums=True),
    Measured("motion", "motion", lambda *_: SHARES, _motion),
    Measured("contour", "contour", lambda random, _: str(random.choice(list(CONTOURS))), _contour),
    Measured("keep_range", "keep_range", lambda *_: True, _range),
    Measured("keep_contour", "keep_contour", lambda *_: True, _sketch),
    Measured("distance", "", _any_distance, _distance, drums=True),
    Measured("voice leading", "", lambda *_: {"voice_leading": True}, _free_of_remarks),
    Measured("playable", "", lambda *_: {"playable": True}, _free_of_remarks),
    Measured("passes: every bar new", "", lambda *_: BAR_BY_BAR, _new, drums=True),
    *RHYTHM_CONSTRAINTS,
)


def constraints_met(
    engine: InferenceEngine, tasks: Sequence[Task], config: InferenceConfig | None = None, tell: Tell | None = None
) -> list[dict[str, float | str]]:
    """Per constraint: {"wish", "n", "met", "unasked"}: how far the bars meet it, and how far where it is not set."""
    rows: list[dict[str, float | str]] = []
    config = config or InferenceConfig()
    plain: dict[int, Score] = {}
    for number, constraint in enumerate(CONSTRAINTS):
        random, found, unasked = np.random.Generator(np.random.PCG64(number)), [], []
        for i, task in enumerate(tasks):
            if task.score.tracks[task.cells[0][0]].track_type == DRUM and not constraint.drums:
                continue
            value, request = constraint.ask(random, task), request_for(task, config)
            if value is None:
                continue
            if i not in plain:
                plain[i] = engine.session(task.score, request).run_takes().takes[0].score
            met = constraint.found(
                value, _passage(task, _written(engine, task, _asking(task, request, constraint, value)))
            )
            before = constraint.found(value, _passage(task, plain[i]))
            if met is not None and before is not None:
                found.append(met)
                unasked.append(before)
        if found:
            shares = {"met": float(np.mean(found)), "unasked": float(np.mean(unasked))}
            rows.append({"wish": constraint.name, "n": len(found), **shares})
        if tell:
            tell(number + 1, len(CONSTRAINTS))
    return rows


def _written(engine: InferenceEngine, task: Task, request: GenerationRequest) -> Score:
    return engine.session(task.score, request).run_takes().takes[0].score


def _asking(task: Task, request: GenerationRequest, constraint: Measured, value: Any) -> GenerationRequest:
    if not constraint.control:
        return replace(request, config=replace(request.config, **value))
    track = task.cells[0][0]
    bars = sorted(bar for t, bar in task.cells if t == track)
    each = {bar: {constraint.control: value[i]} for i, bar in enumerate(bars)} if isinstance(value, list) else {}
    prompts = list(request.tracks)
    prompts[track] = replace(prompts[track], controls={} if each else {constraint.control: value}, bar_controls=each)
    return replace(request, tracks=prompts)


def _passage(task: Task, after: Score) -> OldAndNew:
    track = task.cells[0][0]
    bars = sorted(bar for t, bar in task.cells if t == track)
    old, new = task.score.tracks[track].bars, after.tracks[track].bars
    kept = [bar for i, bar in enumerate(old) if i not in bars]
    return OldAndNew([old[bar] for bar in bars], [new[bar] for bar in bars], kept, after.resolution, task, after)
