"""Do both hands of a piano keep their registers when they are written anew at once?

    python -m benchmarks.hands CORPUS --manifest MANIFEST.csv [--ckpt FILE] [--windows 2] [--bars 4] [--echo 2 1.5 1]

Held-out songs with two piano parts, one above the other; windows of bars in which both play, both parts of them written
anew. A bar has *crossed* where the part that lies lower in the song lies higher on average. A note is *astray* where it
lies nearer to the other hand's mean in the song than to its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.consensus import takes_of
from benchmarks.measure import table
from benchmarks.on_corpus import corpus_parser, engine_of, real_songs
from midigpt_core.evaluate.metrics import Passage, measure
from midigpt_core.evaluate.tasks import EVERY, Task
from midigpt_core.score import DRUM, Score, Track

APART = 7.0  # semitones between the hands' means in the song
PIANOS = range(8)  # General MIDI programs
Hands = tuple[int, int]  # lower and upper track


def hands_of(score: Score) -> Hands | None:
    """The song's two piano parts, where it has just two and they lie apart."""
    own = [number for number, track in enumerate(score.tracks) if _is_piano(track)]
    if len(own) != 2:
        return None
    low, high = sorted(own, key=lambda number: _mean(_pitches(score.tracks[number])))
    apart = _mean(_pitches(score.tracks[high])) - _mean(_pitches(score.tracks[low]))
    return (low, high) if apart >= APART else None


def windows(files: Sequence[Path], each: int, bars: int) -> Iterator[tuple[Task, Hands]]:
    """Up to `each` windows of every song in which both hands play all `bars` bars."""
    for number, file in enumerate(sorted(files)):
        score = Score.from_midi(file)
        hands = hands_of(score)
        if hands is None:
            continue
        random = np.random.Generator(np.random.PCG64(number))
        starts = [first for first in range(len(score.tracks[0].bars) - bars + 1) if _both(score, hands, first, bars)]
        for first in sorted(random.permutation(starts)[:each].tolist()):
            cells = tuple((track, bar) for track in hands for bar in range(first, first + bars))
            yield Task(f"{bars} bars of both hands", EVERY, file.name, score, cells, number), hands


def registers(task: Task, hands: Hands, score: Score) -> tuple[list[bool], list[bool]]:
    """Of the task's cells in a score: whether each bar has crossed, whether each note is astray."""
    low, high = (_mean(_pitches(task.score.tracks[number])) for number in hands)
    crossed, astray = [], []
    for bar in sorted({bar for _, bar in task.cells}):
        below, above = ([note.pitch for note in score.tracks[number].bars[bar].notes] for number in hands)
        astray += [abs(pitch - low) > abs(pitch - high) for pitch in below]
        astray += [abs(pitch - high) > abs(pitch - low) for pitch in above]
        if below and above:
            crossed.append(_mean(below) > _mean(above))
    return crossed, astray


def row_of(name: str, tasks: Sequence[tuple[Task, Hands]], scores: Sequence[Score]) -> tuple[object, ...]:
    """Bars, crossed bars, share of notes astray, note F1 and bars that stand elsewhere."""
    crossed: list[bool] = []
    astray: list[bool] = []
    found = []
    for (task, hands), score in zip(tasks, scores, strict=True):
        bars, notes = registers(task, hands, score)
        crossed += bars
        astray += notes
        found.append(
            measure(Passage(task.score, task.cells), {(t, b): score.tracks[t].bars[b].notes for t, b in task.cells})
        )
    means = [f"{np.mean([one[key] for one in found if key in one]):.3f}" for key in ("note_f1", "copy")]
    return name, len(crossed), sum(crossed), f"{np.mean(astray):.3f}", *means


def _is_piano(track: Track) -> bool:
    return track.track_type != DRUM and track.instrument in PIANOS and bool(_pitches(track))


def _pitches(track: Track) -> list[int]:
    return [note.pitch for bar in track.bars for note in bar.notes]


def _mean(pitches: Sequence[int]) -> float:
    return float(np.mean(pitches))


def _both(score: Score, hands: Hands, first: int, bars: int) -> bool:
    return all(score.tracks[number].bars[bar].notes for number in hands for bar in range(first, first + bars))


def main() -> None:
    parser = corpus_parser(__doc__)
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--echo", type=float, nargs="+", default=[2.0, 1.5, 1.0])
    asked = parser.parse_args()
    engine = engine_of(asked)
    tasks = list(windows(real_songs(asked.corpus, asked.manifest), asked.windows, asked.bars))
    rows = [row_of("original", tasks, [task.score for task, _ in tasks])]
    for echo in asked.echo:
        rows.append(row_of(f"echo {echo:g}", tasks, [takes_of(engine, task, echo=echo)[0].score for task, _ in tasks]))
    print(f"{len(tasks)} windows of {len({task.file for task, _ in tasks})} songs\n")
    print(table(("", "bars", "crossed", "notes astray", "note F1", "stands elsewhere"), rows))


if __name__ == "__main__":
    main()
