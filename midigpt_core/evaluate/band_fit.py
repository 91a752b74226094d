"""Whether written bars fit the band: chord tones and clashes with the other tracks, leaps over the seams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from midigpt_core.plan.steps import Cell, runs
from midigpt_core.score import DRUM, Note, Score

SLOTS = 4  # places per quarter note at which it is asked what sounds
Written = Mapping[Cell, Sequence[Note]]
Roll = npt.NDArray[np.bool_]  # (slots of the piece, 12): pitch classes that sound


def fit_with_band(score: Score, written: Written) -> dict[str, float]:
    """Measures of the notes written into melodic cells of `score`; those that do not apply are left out.

    Over all sixteenths in which a new note sounds together with another melodic track: "chord_tone", the share where
    its pitch class sounds there too; "clash", the share where it does not, but lies a semitone from one that does.
    "leap": see `leaps`.
    """
    tonal = [cell for cell in sorted(written) if score.tracks[cell[0]].track_type != DRUM]
    rolls = {t: _roll(score, t, written) for t, track in enumerate(score.tracks) if track.track_type != DRUM}
    starts = _starts(score)
    tones = clashes = together = 0
    for track in sorted({t for t, _ in tonal}):
        others = np.logical_or.reduce([np.zeros_like(rolls[track]), *(r for t, r in rolls.items() if t != track)])
        near = np.roll(others, 1, axis=1) | np.roll(others, -1, axis=1)
        for bar in (b for t, b in tonal if t == track):
            for note in written[track, bar]:
                span, pitch_class = _span(note, starts[bar], score.resolution), note.pitch % 12
                together += int(others[span].any(axis=1).sum())
                tones += int(others[span, pitch_class].sum())
                clashes += int((near & ~others)[span, pitch_class].sum())
    found = {"chord_tone": tones / together, "clash": clashes / together} if together else {}
    over = [size for track in sorted({t for t, _ in tonal}) for size in leaps(score, written, track)]
    return found | ({"leap": float(np.mean(over))} if over else {})


def leaps(score: Score, written: Written, track: int) -> Iterator[int]:
    """Semitones over each seam between a run of written bars and the bars beside it, where both sound.

    From the last onset before to the first one after, each by its highest note.
    """
    bars = score.tracks[track].bars
    for first, end in runs(bar for t, bar in written if t == track):
        before = bars[first - 1].notes if first > 0 else ()
        after = bars[end].notes if end < len(bars) else ()
        for left, right in ((before, written[track, first]), (written[track, end - 1], after)):
            if left and right:
                last, next_one = max(n.onset_ticks for n in left), min(n.onset_ticks for n in right)
                yield abs(_top(left, last) - _top(right, next_one))


def _top(notes: Sequence[Note], onset: int) -> int:
    return max(note.pitch for note in notes if note.onset_ticks == onset)


def _roll(score: Score, track: int, written: Written) -> Roll:
    """What sounds on a track, with the written bars in their places."""
    starts = _starts(score)
    roll = np.zeros((starts[-1], 12), dtype=np.bool_)
    for b, bar in enumerate(score.tracks[track].bars):
        for note in written.get((track, b), bar.notes):
            roll[_span(note, starts[b], score.resolution), note.pitch % 12] = True
    return roll


def _starts(score: Score) -> list[int]:
    """The first slot of every bar, and the one after the last."""
    lengths = [bar.beat_length * SLOTS for bar in score.tracks[0].bars]
    return [round(start) for start in np.concatenate([[0.0], np.cumsum(lengths)])]


def _span(note: Note, start: int, resolution: int) -> slice:
    """The slots in which a note of a bar that begins at slot `start` sounds, at least one."""
    first = start + round(note.onset_ticks * SLOTS / resolution)
    last = start + round((note.onset_ticks + note.duration_ticks) * SLOTS / resolution)
    return slice(first, max(first + 1, last))
