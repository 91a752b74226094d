"""The field's measures of written bars: against the notes they replace, and against the music around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from midigpt_core.evaluate.band_fit import fit_with_band
from midigpt_core.music import MAJOR_PROFILE, MINOR_PROFILE
from midigpt_core.plan.steps import Cell
from midigpt_core.score import DRUM, Note, Score
from midigpt_core.tokens.grid import nearest_tick

GRID = 4  # positions per quarter note on which onsets are compared
Shape = frozenset[tuple[int, int]]
Written = Mapping[Cell, Sequence[Note]]
Vector = npt.NDArray[np.float64]

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))


@dataclass(frozen=True)
class Passage:
    """A task's surroundings."""

    score: Score  # the excerpt with the original notes
    cells: tuple[Cell, ...]

    def original(self) -> dict[Cell, list[Note]]:
        """The notes the cells held."""
        return {(t, b): self.score.tracks[t].bars[b].notes for t, b in self.cells}

    def context(self, track: int) -> list[list[Note]]:
        """The sounding bars of a track that stay."""
        taken = set(self.cells)
        return [
            bar.notes for b, bar in enumerate(self.score.tracks[track].bars) if bar.notes and (track, b) not in taken
        ]

    def is_drum(self, cell: Cell) -> bool:
        return self.score.tracks[cell[0]].track_type == DRUM


def measure(passage: Passage, written: Written) -> dict[str, float]:
    """Every metric of one task. Keys that do not apply (pitch measures on drums alone) are left out."""
    original = passage.original()
    found = {
        "note_f1": note_f1(passage, written, original),
        "groove": _mean([groove(passage, cell, written[cell], original[cell]) for cell in passage.cells]),
        "covered": _mean([float(bool(written[cell])) for cell in passage.cells if original[cell]]),
        "collapse": float(stuck(passage, written)),
        "copy": copy_rate(passage, written),
        "notes": float(sum(map(len, written.values()))),
    }
    tonal = [cell for cell in passage.cells if not passage.is_drum(cell)]
    if tonal:
        found["pce_diff"] = abs(_entropy(_pooled(written, tonal)) - _entropy(_pooled(original, tonal)))
        sounding = [cell for cell in tonal if original[cell]]
        found["chroma"] = _mean([_cosine(chroma(written[cell]), chroma(original[cell])) for cell in sounding])
        in_key = in_key_rate(passage, written, tonal)
        if in_key is not None:
            found["in_key"] = in_key
        found["in_range"] = in_range_rate(passage, written, tonal)
        found |= fit_with_band(passage.score, written)
    return {key: value for key, value in found.items() if value == value}


def note_f1(passage: Passage, written: Written, original: Written) -> float:
    """Share of notes found again (onset on the sixteenth grid, and pitch), as F1 over all cells."""

    def placed(notes: Written) -> Counter[tuple[Cell, int, int]]:
        step = passage.score.resolution / GRID
        return Counter((cell, round(n.onset_ticks / step), n.pitch) for cell in passage.cells for n in notes[cell])

    a, b = placed(written), placed(original)
    total = sum(a.values()) + sum(b.values())
    return 2 * sum((a & b).values()) / total if total else 1.0


def groove(passage: Passage, cell: Cell, written: Sequence[Note], original: Sequence[Note]) -> float:
    """1 minus the share of grid positions where one bar has an onset and the other has none."""
    length = max(1, passage.score.tracks[cell[0]].bars[cell[1]].ticks(GRID))
    step = passage.score.resolution / GRID
    a, b = np.zeros(length, bool), np.zeros(length, bool)
    for onsets, notes in ((a, written), (b, original)):
        for note in notes:
            onsets[min(length - 1, round(note.onset_ticks / step))] = True
    return 1.0 - float(np.mean(a ^ b))


def chroma(notes: Sequence[Note]) -> Vector:
    """Sounding time per pitch class, (12,)."""
    found = np.zeros(12)
    for note in notes:
        found[note.pitch % 12] += max(1, note.duration_ticks)
    return found


def key_of(score: Score, cells: Sequence[Cell] = ()) -> tuple[int, int] | None:
    """(tonic pitch class, 0 major or 1 minor) of the notes outside `cells`; None where none sounds."""
    taken = set(cells)
    total = np.zeros(12)
    for t, track in enumerate(score.tracks):
        if track.track_type != DRUM:
            for b, bar in enumerate(track.bars):
                if (t, b) not in taken:
                    total += chroma(bar.notes)
    if not total.any():
        return None
    fits = [
        (float(np.corrcoef(np.roll(profile, tonic), total)[0, 1]), tonic, mode)
        for mode, profile in enumerate((MAJOR_PROFILE, MINOR_PROFILE))
        for tonic in range(12)
    ]
    _, tonic, mode = max(fits)
    return tonic, mode


def in_key_rate(passage: Passage, written: Written, cells: Sequence[Cell]) -> float | None:
    """Share of notes in the scale of the key of the surroundings."""
    key = key_of(passage.score, passage.cells)
    pitches = [note.pitch for cell in cells for note in written[cell]]
    if key is None or not pitches:
        return None
    scale = {(key[0] + step) % 12 for step in _SCALES[key[1]]}
    return _mean([float(pitch % 12 in scale) for pitch in pitches])


def in_range_rate(passage: Passage, written: Written, cells: Sequence[Cell]) -> float:
    """Share of the sounding bars whose mean pitch lies between the lowest and highest note of their track's context."""
    ranges = {}
    for track in {t for t, _ in cells}:
        pitches = [note.pitch for bar in passage.context(track) for note in bar]
        if pitches:
            ranges[track] = min(pitches), max(pitches)
    means = [
        (ranges[cell[0]], _mean([n.pitch for n in written[cell]]))
        for cell in cells
        if written[cell] and cell[0] in ranges
    ]
    return _mean([float(low <= mean <= high) for (low, high), mean in means])


def stuck(passage: Passage, written: Written) -> bool:
    """Stuck: eight notes or more of one track, all of one pitch, where its context has more than two."""
    for track in {t for t, _ in passage.cells}:
        notes = [note for cell in passage.cells if cell[0] == track for note in written[cell]]
        usual = {note.pitch for bar in passage.context(track) for note in bar}
        if len(notes) >= 8 and len({note.pitch for note in notes}) == 1 and len(usual) > 2:
            return True
    return False


def copy_rate(passage: Passage, written: Written) -> float:
    """Share of the sounding written bars that equal (onset and pitch) a bar of their track's context."""
    known: dict[int, set[Shape]] = {}
    for track in {t for t, _ in passage.cells}:
        known[track] = {shape for bar in passage.context(track) for shape in _shapes(passage, bar)}
    sounding = [cell for cell in passage.cells if written[cell]]
    return _mean([float(_shapes(passage, written[cell])[0] in known[cell[0]]) for cell in sounding])


def _shapes(passage: Passage, notes: Sequence[Note]) -> tuple[Shape, Shape]:
    """Onsets and pitches, onsets moved to the nearest twelfth of a quarter note, and to the one before.

    Models read played music in one of these two ways; what they copy is known for a copy by either.
    """
    resolution = passage.score.resolution
    nearest = frozenset((nearest_tick(n.onset_ticks, resolution, 12), n.pitch) for n in notes)
    return nearest, frozenset((12 * n.onset_ticks // resolution, n.pitch) for n in notes)


def _pooled(notes: Written, cells: Sequence[Cell]) -> Vector:
    found = np.zeros(12)
    for cell in cells:
        for note in notes[cell]:
            found[note.pitch % 12] += 1
    return found


def _entropy(counts: Vector) -> float:
    """Bits."""
    shares = counts[counts > 0] / max(1.0, counts.sum())
    return float(-(shares * np.log2(shares)).sum())


def _cosine(a: Vector, b: Vector) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
