"""Rather the notes of given chords: a player who holds the chord of the moment takes the place of the other tracks.

What the harmony knows of intervals (`midigpt_core/harmony/pitches.py`) is told of a roll in which every note of the
chord sounds in every octave; a bass hears its bass note alone where a chord begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from midigpt_core.chords import Change, Chord
from midigpt_core.harmony.band import PITCHES, Band, Roll
from midigpt_core.harmony.pitches import WEIGHTS
from midigpt_core.plan.roles import role
from midigpt_core.plan.steps import Cell, Step
from midigpt_core.score import Score
from midigpt_core.tokens.grid import grid_ticks

# The features of a pitch (`WEIGHTS`) as they count here: a tone of the chord is preferred to any other.
CHORD_WEIGHTS = {**dict.fromkeys(WEIGHTS, 0.0), "unison": 8.0, "semitone": -1.5, "semitone soon": -0.5}


def chord_band(score: Score, step: Step, chords: Mapping[Cell, Sequence[Change]], resolution: int) -> Band:
    """The player of these chords beside each track that has some, in the window of a step."""
    bars = score.tracks[0].bars
    lengths = [grid_ticks(bar.beat_length, resolution) for bar in bars[step.start_bar : step.end_bar]]
    starts = np.cumsum([0, *lengths])
    others: dict[int, Roll] = {}
    for (track, bar), changes in chords.items():
        if track not in others:
            others[track] = np.zeros((int(starts[-1]), PITCHES), dtype=np.int16)
        place = bar - step.start_bar
        bass = role(score.tracks[track], 0, score.n_bars) == "bass"
        _hold(others[track][starts[place] : starts[place + 1]], changes, resolution, bass)
    return Band(others, {bar: int(starts[i]) for i, bar in enumerate(range(step.start_bar, step.end_bar))}, resolution)


def _hold(roll: Roll, changes: Sequence[Change], beat: int, bass: bool) -> None:
    """Let the chords of a bar sound in its part of the roll."""
    begins = [round(change.quarter * beat) for change in changes]
    for change, begin, end in zip(changes, begins, [*begins[1:], len(roll)], strict=True):
        if change.chord is not None:
            roll[begin:end, _pitches(change.chord.classes)] = 1
            if bass:
                first = slice(begin, min(begin + beat, end))
                roll[first] = 0
                roll[first, _pitches({change.chord.bass})] = 1


def _pitches(classes: Iterable[int]) -> list[int]:
    wanted = set(classes)
    return [pitch for pitch in range(PITCHES) if pitch % 12 in wanted]


def fitting(notes: Iterable[tuple[int, int]], changes: Sequence[Change], beat: int) -> float:
    """Share of notes (onset in ticks of the bar, pitch) that are of the chord of their moment; of no notes, 1.

    beat: ticks per quarter note.
    """
    found = [(chord_at(changes, onset / beat), pitch) for onset, pitch in notes]
    judged = [chord is None or pitch % 12 in chord.classes for chord, pitch in found]
    return sum(judged) / len(judged) if judged else 1.0


def chord_at(changes: Sequence[Change], quarter: float) -> Chord | None:
    """The chord that sounds at a quarter of its bar."""
    return next((change.chord for change in reversed(changes) if change.quarter <= quarter + 1e-9), None)
