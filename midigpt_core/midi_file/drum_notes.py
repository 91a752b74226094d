"""Tell by its notes whether a part plays drums: which pitches it strikes, how long, and which of them together.

The weights are a logistic regression on 8,596 melodic and 999 drum parts of songs that say which is which, fitted
without the source that is judged. A part of a song that has no other drum part is taken for drums above `SURE`; that
finds four drum parts of five and is wrong about one melodic part in a thousand.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import sqrt

Played = tuple[int, int, int]  # onset and end in ticks, pitch

FEWEST = 16  # notes; fewer say nothing
SURE = 1.0  # log odds from which notes alone make a drum part
CONTRARY = -5.0  # log odds below which notes speak against a name that says drums
HEARD = 2000  # notes looked at

_KICKS, _SNARES = frozenset((35, 36)), frozenset((37, 38, 39, 40))
_CYMBALS = frozenset((42, 44, 46, 49, 51, 52, 53, 55, 57, 59))
_KIT = frozenset(range(34, 83))  # what General MIDI calls drums
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_SLOT = 8  # notes within an eighth of a quarter note are struck together
_SHORT = 0.3  # quarter notes

_WEIGHTS = {  # log odds per unit of each measure
    "struck": 3.04,  # share of notes on bass drum, snare and cymbals
    "families": 0.54,  # how many of these three there are, 0 to 3
    "steady": 3.19,  # share of notes that are as long as their pitch mostly is
    "short": 2.57,  # share of short notes
    "wide": -5.46,  # pitches there are, to the root of the number of notes
    "together": 5.93,  # share of onsets (at most 0.3) with a cymbal on a bass drum or snare
    "scale": -2.44,  # share of notes in the best major scale
    "outside": -3.17,  # share of notes where General MIDI has no drum
}
_ALWAYS = -3.39


def drum_log_odds(notes: Sequence[Played], division: int) -> float:
    """The log odds that these notes are a drum part's. `division` is ticks per quarter note."""
    measured = _measures(notes[:HEARD], division)
    return _ALWAYS + sum(weight * measured[name] for name, weight in _WEIGHTS.items())


def _measures(notes: Sequence[Played], division: int) -> dict[str, float]:
    count = len(notes)
    pitches = Counter(pitch for _, _, pitch in notes)
    lengths: dict[int, Counter[int]] = defaultdict(Counter)
    onsets: dict[int, set[int]] = defaultdict(set)
    for onset, end, pitch in notes:
        lengths[pitch][round((end - onset) / division * _SLOT)] += 1
        onsets[round(onset / division * _SLOT)].add(pitch)
    shares = [sum(pitches[pitch] for pitch in family) / count for family in (_KICKS, _SNARES, _CYMBALS)]
    both = sum(1 for struck in onsets.values() if struck & _CYMBALS and struck & (_KICKS | _SNARES))
    classes = Counter(pitch % 12 for _, _, pitch in notes)
    return {
        "struck": sum(shares),
        "families": sum(share > 0.02 for share in shares),
        "steady": sum(found.most_common(1)[0][1] for found in lengths.values()) / count,
        "short": sum((end - onset) / division <= _SHORT for onset, end, _ in notes) / count,
        "wide": len(pitches) / sqrt(count),
        "together": min(both / len(onsets), 0.3),
        "scale": max(sum(classes[(root + step) % 12] for step in _MAJOR) for root in range(12)) / count,
        "outside": sum(number for pitch, number in pitches.items() if pitch not in _KIT) / count,
    }
