"""What a pool of candidates costs a user who waits: python -m benchmarks.pool [--rounds 9] [--threads 2]

Whole infills in a running program, from a score to a score, with pools of several sizes in turn.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import machine, ratio, spread, table
from midigpt_core.engine import InferenceEngine
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score

TABLE = Path(__file__).parent / "results" / "pool.md"
SONG = Path(__file__).parents[1] / "samples" / "pop.mid"  # 5 tracks of 16 bars
SIZES = (1, 4, 8, 16)
TASKS: Mapping[str, Mapping[int, Sequence[int]]] = {  # bars to write, by track
    "one bar": {1: [3]},
    "four bars of a track": {1: [3, 4, 5, 6]},
    "eight bars of a track": {1: list(range(3, 11))},
    "four bars of every track": {track: [3, 4, 5, 6] for track in range(5)},
}


def seconds(engine: InferenceEngine, score: Score, cells: Mapping[int, Sequence[int]], pool: int, seed: int) -> float:
    """Wall time of one infill."""
    tracks = [{"id": track, "bars": list(cells.get(track, []))} for track in range(len(score.tracks))]
    request = GenerationRequest.from_dict({"tracks": tracks, "config": {"seed": seed, "pool": pool}})
    begun = time.perf_counter()
    engine.session(score, request).run()
    return time.perf_counter() - begun


def rows_of(engine: InferenceEngine, score: Score, name: str, rounds: int) -> list[tuple[str, int, str, str]]:
    """One row for each size of pool; the sizes take turns."""
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    for seed in range(rounds + 1):  # the first warms up
        for size in SIZES:
            score.tracks[0].instrument = (score.tracks[0].instrument + 8) % 128  # a program of another family
            taken[size].append(seconds(engine, score, TASKS[name], size, seed))
    found = {size: values[1:] for size, values in taken.items()}
    return [(name, size, spread(found[size], 3), ratio(found[size], found[1])) for size in SIZES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=TABLE)
    asked = parser.parse_args()
    os.environ["MIDIGPT_THREADS"] = str(asked.threads)
    load, score = os.getloadavg()[0], Score.from_midi(SONG)
    engine = InferenceEngine.from_pretrained("open", device="cpu")
    rows = [row for name in TASKS for row in rows_of(engine, score, name, asked.rounds)]
    where = f"{machine()}; load average {load:.1f} at the start"
    lines = [
        "# What the choice among candidates costs",
        "",
        f"Written by `python -m benchmarks.pool --threads {asked.threads}`. {where}.",
        "Whole infills of `samples/pop.mid` in a running program, defaults but for the pool. The instrument of the",
        "first track changes from one to the next, so that every prompt is read anew.",
        f"{asked.rounds} rounds in which the pools take turns; medians (quartiles), ratios of rounds.",
        "",
        table(("to write", "pool", "wall time, s", "times a pool of 1"), rows),
        "",
    ]
    asked.output.write_text("\n".join(lines))
    print(asked.output.read_text())


if __name__ == "__main__":
    main()
