"""Judge a finished attempt: not silent, not a copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from midigpt_core.plan.steps import Cell, Step
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Bar, Note, Score
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import grid_onset

Written = Mapping[Cell, Sequence[Note]]

STUCK = 8  # notes of one pitch from which bars count as hanging on it


class Check(Protocol):
    """One reason to reject an attempt."""

    def failure(self, written: Written) -> str:
        """Why the attempt is rejected, or an empty string."""


@dataclass(frozen=True)
class NotSilent:
    """The attempt has at least one note."""

    def failure(self, written: Written) -> str:
        return "" if any(written.values()) else "silence: no note in the written bars"


@dataclass(frozen=True)
class NotLike:
    """The attempt shares less than `threshold` of its notes (onset and pitch, by bar) with each reference.

    Onsets of both are to be on the model's grid.
    """

    references: Sequence[Written]
    threshold: float
    what: str  # "the original", "another take"

    def failure(self, written: Written) -> str:
        for reference in self.references:
            alike = similarity(written, reference)
            if alike >= self.threshold:
                return f"novelty: {alike:.0%} of the notes equal {self.what}"
        return ""


@dataclass(frozen=True)
class NotABarOf:
    """No written bar equals (by the same measure) any of the context bars of its track."""

    context: Mapping[int, Sequence[Sequence[Note]]]  # track -> its bars that stay and sound
    threshold: float

    def failure(self, written: Written) -> str:
        for (track, bar), notes in written.items():
            for other in self.context.get(track, ()):
                if notes and _shared([notes], [other]) >= self.threshold:
                    return f"novelty: bar {bar + 1} repeats another bar of track {track + 1} (counted from 1)"
        return ""


def similarity(a: Written, b: Written) -> float:
    """Notes shared over notes in either, by bar, onset and pitch (Jaccard, counting repeats); both empty: 1."""
    cells = sorted(set(a) | set(b))
    return _shared([a.get(cell, ()) for cell in cells], [b.get(cell, ()) for cell in cells])


def _shared(a: Iterable[Sequence[Note]], b: Iterable[Sequence[Note]]) -> float:
    first = Counter((i, n.onset_ticks, n.pitch) for i, notes in enumerate(a) for n in notes)
    second = Counter((i, n.onset_ticks, n.pitch) for i, notes in enumerate(b) for n in notes)
    union = sum((first | second).values())
    return 1.0 if union == 0 else sum((first & second).values()) / union


def checks_of(
    config: InferenceConfig, score: Score, step: Step, passed: Sequence[Written], encoder: EncoderConfig
) -> tuple[Check, ...]:
    """The checks a caller asks for, of attempts at a step of `score`, whose onsets are on the encoder's grid;
    `passed` are the attempts of other takes that passed theirs."""
    checks: list[Check] = [NotSilent()] if config.silence_check else []
    against = config.novelty_against or ["original"]
    if not config.novelty_check:
        return tuple(checks)
    if "original" in against:
        checks.append(NotLike([standing(score, step.cells, encoder)], config.novelty_threshold, "the original"))
    if "takes" in against:
        checks.append(NotLike(passed, config.novelty_threshold, "another take"))
    if "context" in against:
        staying = {
            track: [on_grid(bar, score.resolution, encoder) for bar in bars]
            for track, bars in _kept_bars(score, step).items()
        }
        checks.append(NotABarOf(staying, config.novelty_threshold))
    return tuple(checks)


def standing(score: Score, cells: Collection[Cell], encoder: EncoderConfig) -> Written:
    """What stands in these bars, onsets on the encoder's grid."""
    return {(t, b): on_grid(score.tracks[t].bars[b], score.resolution, encoder) for t, b in cells}


def stuck(written: Written, score: Score, step: Step, tracks: Collection[int]) -> bool:
    """Whether one of these tracks got eight notes or more, all of one pitch; so far, its bars have more than two."""
    for track in {track for track, _ in step.cells}:
        pitches = [note.pitch for (t, _), notes in written.items() if t == track for note in notes]
        hanging = track in tracks and len(pitches) >= STUCK and len(set(pitches)) == 1
        if hanging and len(set[int]().union(*(bar.pitches for bar in score.tracks[track].bars))) > 2:
            return True
    return False


def on_grid(bar: Bar, resolution: int, encoder: EncoderConfig) -> list[Note]:
    """Notes with their onsets as the model has them, so that a copy of a played bar is known for one."""
    return [replace(note, onset_ticks=grid_onset(note, bar, resolution, encoder)) for note in bar.notes]


def _kept_bars(score: Score, step: Step) -> dict[int, list[Bar]]:
    """The sounding bars of each target track that the step does not write."""
    staying: dict[int, list[Bar]] = {}
    for track in {track for track, _ in step.cells}:
        bars = score.tracks[track].bars
        staying[track] = [bar for b, bar in enumerate(bars) if bar.n_notes and (track, b) not in step.cells]
    return staying
