"""Find the bars of a track by what is there: silent, sounding, dense, sparse or repeated ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from midigpt_core.score import Track

DENSE, SPARSE = 1.5, 0.5  # times the notes of a usual bar of the track


def _sounding(track: Track, resolution: int) -> set[int]:
    """A note begins or is still held."""
    found, held, at = set(), 0.0, 0.0
    for number, bar in enumerate(track.bars):
        if bar.notes or held > at + 1e-6:
            found.add(number)
        held = max([held, *(at + note.onset_ticks + note.duration_ticks for note in bar.notes)])
        at += bar.beat_length * resolution
    return found


def _silent(track: Track, resolution: int) -> set[int]:
    return set(range(len(track.bars))) - _sounding(track, resolution)


def _dense(track: Track, resolution: int) -> set[int]:
    return {bar for bar, share in _shares(track).items() if share >= DENSE}


def _sparse(track: Track, resolution: int) -> set[int]:
    return {bar for bar, share in _shares(track).items() if share <= SPARSE}


def _shares(track: Track) -> dict[int, float]:
    """Of each bar with notes, how many there are beside a usual one."""
    counts = {number: len(bar.notes) for number, bar in enumerate(track.bars) if bar.notes}
    usual = median(counts.values()) if counts else 1
    return {number: count / usual for number, count in counts.items()}


def _repeated(track: Track, resolution: int) -> set[int]:
    """An earlier bar has the same notes, by onset and pitch."""
    before: set[frozenset[tuple[int, int]]] = set()
    found = set()
    for number, bar in enumerate(track.bars):
        notes = frozenset((note.onset_ticks, note.pitch) for note in bar.notes)
        if notes and notes in before:
            found.add(number)
        before.add(notes)
    return found


WHAT: Mapping[str, Callable[[Track, int], set[int]]] = {
    "silent": _silent,
    "sounding": _sounding,
    "dense": _dense,
    "sparse": _sparse,
    "repeated": _repeated,
}
