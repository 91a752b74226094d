"""Constraints on rhythm, and how far written notes meet them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from midigpt_core.constraints.drum_parts import DRUM_PARTS
from midigpt_core.constraints.swing import Swing
from midigpt_core.constraints.syncopation import syncopated
from midigpt_core.evaluate.measured import Measured, OldAndNew
from midigpt_core.evaluate.tasks import Task
from midigpt_core.score import DRUM, Bar, Note

FEWEST = 5  # onsets that tell a share
GRID = 12  # places of a quarter note at which onsets are the same


def _places(notes: Iterable[Note], resolution: int) -> set[int]:
    return {round(note.onset_ticks * GRID / resolution) for note in notes}


def _same_onsets(_: Any, passage: OldAndNew) -> float | None:
    """Onsets in both the old and the new bars, of those in either; bars that were empty are free."""
    both = either = 0
    for old, new in zip(passage.old, passage.new, strict=True):
        if old.notes:
            before, now = _places(old.notes, passage.resolution), _places(new.notes, passage.resolution)
            both, either = both + len(before & now), either + len(before | now)
    return both / either if either else None


def _source(_: np.random.Generator, task: Task) -> dict[str, Any] | None:
    """The kick of the drums, or for drums the track that plays most notes in the bars."""
    own, bars = task.cells[0][0], [bar for track, bar in task.cells if track == task.cells[0][0]]
    tracks, written = task.score.tracks, {track for track, _ in task.cells}
    counts = {i: sum(t.bars[bar].n_notes for bar in bars) for i, t in enumerate(tracks) if i not in written}
    drums = [i for i in counts if tracks[i].track_type == DRUM and _kicks(tracks[i].bars[bar] for bar in bars)]
    if drums and tracks[own].track_type != DRUM:
        return {"track": drums[0], "part": "kick"}
    best = max(counts, key=lambda i: counts[i], default=own)
    return {"track": best} if counts.get(best) else None


def _kicks(bars: Iterable[Bar]) -> bool:
    return any(note.pitch in DRUM_PARTS["kick"] for bar in bars for note in bar.notes)


def _called(value: Mapping[str, Any], passage: OldAndNew) -> float | None:
    """The share of onsets at which the source has one too, in the bars where it sounds."""
    hits = []
    part, source = DRUM_PARTS.get(value.get("part", "all")), passage.task.score.tracks[value["track"]].bars
    for place, new in zip(passage.places, passage.new, strict=True):
        heard = [note for note in source[place].notes if part is None or note.pitch in part]
        there = _places(heard, passage.task.score.resolution)
        hits += [onset in there for onset in _places(new.notes, passage.resolution) if there]
    return float(np.mean(hits)) if hits else None


def _swung(value: float, passage: OldAndNew) -> float | None:
    """The share of onsets between the second and third sixteenth of a beat that are where the swing puts offbeats."""
    late, near = Swing(value).offbeat, 1.5 / passage.resolution
    bars = [bar for bar in passage.new if bar.ts_denominator <= 4]
    places = [note.onset_ticks / passage.resolution % 1 for bar in bars for note in bar.notes]
    hits = [abs(place - late) <= near for place in places if 0.45 < place < 0.7]
    return float(np.mean(hits)) if hits else None


def _syncopated(value: float, passage: OldAndNew) -> float | None:
    """How near the share of syncopated onsets is to the one asked for."""
    bars = [(_places(bar.notes, passage.resolution), bar.ticks(GRID)) for bar in passage.new]
    count = sum(len(onsets) for onsets, _ in bars)
    found = sum(len(syncopated(onsets, GRID, ticks)) for onsets, ticks in bars)
    return 1 - abs(found / count - value) if count >= FEWEST else None


def _drums(task: Task) -> bool:
    return task.score.tracks[task.cells[0][0]].track_type == DRUM


def _filled(_: Any, passage: OldAndNew) -> float | None:
    """Whether the last bar has more hits than those before, and its last two quarter notes toms, snare or crash in at
    least half of theirs."""
    if len(passage.new) < 2:
        return None
    *before, last = passage.new
    end = last.ticks(passage.resolution) - 2 * passage.resolution
    hits = [note.pitch for note in last.notes if note.onset_ticks >= end]
    filling = frozenset().union(*(DRUM_PARTS[part] for part in ("toms", "snare", "crash")))
    share = np.mean([pitch in filling for pitch in hits]) if hits else 0.0
    return float(last.n_notes > np.mean([bar.n_notes for bar in before]) and share >= 0.5)


RHYTHM_CONSTRAINTS = (
    Measured("rhythm_lock", "rhythm_lock", lambda *_: True, _same_onsets, drums=True),
    Measured("rhythm_lock onsets", "rhythm_lock", lambda *_: "onsets", _same_onsets, drums=True),
    Measured("rhythm_from", "rhythm_from", _source, _called, drums=True),
    Measured("fill", "fill", lambda _, task: "end" if _drums(task) else None, _filled, drums=True),
    Measured("swing", "swing", lambda random, _: float(random.choice((0.4, 0.7, 1.0))), _swung, drums=True),
    Measured("syncopation", "syncopation", lambda random, _: float(random.choice((0.3, 0.5))), _syncopated),
)
