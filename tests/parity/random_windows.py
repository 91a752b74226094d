"""Windows no composer would write: any metre, resolution, order and doubling of notes, notes past the bar line."""

from __future__ import annotations

import random
from collections.abc import Sequence

from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track

RESOLUTIONS = (1, 7, 12, 24, 96, 120, 220, 384, 480, 1000, 1024)
CHORD = 16  # of more notes at one tick the peer writes equal pitches in no decided order


def random_window(rng: random.Random, bars: int, metres: Sequence[tuple[int, int]]) -> Score:
    resolution = rng.choice(RESOLUTIONS)
    picked = [rng.choice(metres) for _ in range(bars)]
    density = rng.choice([0.3, 2, 8])
    tracks = [
        Track(
            [random_bar(rng, metre, resolution, density) for metre in picked],
            rng.randint(0, 127),
            rng.choice([MELODIC, MELODIC, DRUM]),
        )
        for _ in range(rng.randint(1, 4))
    ]
    return Score(tracks, resolution)


def random_bar(rng: random.Random, metre: tuple[int, int], resolution: int, density: float) -> Bar:
    ticks = max(1, 4 * metre[0] * resolution // metre[1])
    notes = [random_note(rng, ticks, resolution) for _ in range(min(CHORD - 2, int(rng.expovariate(1 / density))))]
    if notes and rng.random() < 0.3:
        first = notes[0]
        notes += [Note(first.pitch, rng.randint(1, 127), first.onset_ticks, 5) for _ in range(2)]
    if rng.random() < 0.5:
        notes.sort(key=lambda note: note.onset_ticks)
    return Bar(notes, metre[0], metre[1], 4 * metre[0] / metre[1])


def random_note(rng: random.Random, ticks: int, resolution: int) -> Note:
    onset = rng.choice([rng.randrange(ticks), rng.randrange(ticks) // 4 * 4, ticks + rng.randrange(10)])
    duration = rng.choice([0, 1, rng.randint(1, 4 * resolution), rng.randint(1, 40 * resolution)])
    delta = rng.choice([0, 0, rng.randint(-resolution, resolution)])
    return Note(rng.randint(0, 127), rng.randint(1, 127), onset, duration, delta)
