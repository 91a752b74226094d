"""Time planning, cutting and the grammar against midigpt 0.4.2, and write the table: python -m benchmarks.planning."""

from __future__ import annotations

import copy
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from midigpt_core.plan.cut_paste import cut
from midigpt_core.plan.steps import PlanOptions, plan_steps
from midigpt_core.score import Score
from midigpt_core.tokens.grammar import Grammar, GrammarOptions
from midigpt_core.tokens.grid import with_listed_metres
from midigpt_core.tokens.targets import targets_in
from tests.parity.mask_parity import WINDOW, load, windows
from tests.support import songs

TABLE = Path(__file__).parent / "results" / "planning.md"
ROUNDS = 3
HEAD = """# Planning, cutting and the grammar against midigpt 0.4.2

Written by `python -m benchmarks.planning`: processor time, both sides in one run, turn and turn about, median of 3
rounds. "Cut": what each side does to the song before it encodes a step; the peer copies all of it.

| what | midigpt 0.4.2 | this project | ratio |
|---|---|---|---|
"""
Job = Callable[[], object]


def interleaved(theirs: Job, ours: Job) -> tuple[float, float]:
    """Median processor seconds of both, run turn and turn about."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for taken, job in zip(times, (theirs, ours), strict=True):
            begin = time.process_time()
            job()
            taken.append(time.process_time() - begin)
    return statistics.median(times[0]), statistics.median(times[1])


def row(what: str, theirs: float, ours: float, unit: str, scale: float) -> str:
    line = f"| {what} | {theirs * scale:,.2f} {unit} | {ours * scale:,.2f} {unit} | {theirs / ours:.1f} |"
    print(line, flush=True)
    return line


def planning(score: Score, targets: set[tuple[int, int]]) -> tuple[float, float]:
    """All steps of a request, two bars and one track at a time."""
    from midigpt.inference import planner

    tracks, bars = len(score.tracks), score.n_bars
    selected = [[(track, bar) in targets for bar in range(bars)] for track in range(tracks)]
    options = PlanOptions(window=8, bars_per_step=2, tracks_per_step=1)

    def theirs() -> object:
        steps = planner.plan(selected, [False] * tracks, [False] * tracks, 8, 2, 1)
        return [step.to_core(tracks, bars, set()) for step in steps]

    return interleaved(theirs, lambda: plan_steps(targets, bars, options))


def cutting(score: Score, targets: set[tuple[int, int]]) -> tuple[float, float]:
    """The windows of all steps; the peer copies the song for each, as its session does before it encodes."""
    from midigpt._converters import to_cpp

    peer_score = as_peers(score)
    steps = plan_steps(targets, score.n_bars, PlanOptions(window=8, bars_per_step=2, tracks_per_step=1))[:3]

    def theirs() -> object:
        return [to_cpp(copy.deepcopy(peer_score)) for _ in steps]

    return interleaved(theirs, lambda: [cut(score, step, step.pending) for step in steps])


def as_peers(score: Score) -> object:
    from midigpt._types import Score as PeerScore

    data = score.to_dict()
    for track in data["tracks"]:
        for key in ("name", "channel", "midi_track"):
            del track[key]
    return PeerScore.from_dict(data)


def grammar() -> tuple[float, float]:
    """One token of an infill step: which are legal, and following the one drawn."""
    tokenizer, peer = load("yellow")
    rng, taken = random.Random(1), ([], [])
    for window, _ in windows(tokenizer, 12, 5):
        cells = {(0, 1), (len(window.tracks) - 1, 2)}
        session = peer.session(window, cells, False)
        targets = targets_in(window, cells, tokenizer.vocabulary)
        ours = Grammar(tokenizer.vocabulary, targets, GrammarOptions(ascending_pitches=False))
        ours.prime(session.context_tokens())
        for _ in range(60):
            if ours.finished:
                break
            begin = time.perf_counter()
            theirs_legal = session.logit_mask()
            middle = time.perf_counter()
            legal = ours.legal()
            end = time.perf_counter()
            both = np.flatnonzero(legal & np.array(theirs_legal))
            token = int(rng.choice(both if len(both) else np.flatnonzero(legal)))
            start = time.perf_counter()
            session.advance(token)
            half = time.perf_counter()
            ours.advance(token)
            taken[0].append(middle - begin + half - start)
            taken[1].append(end - middle + time.perf_counter() - half)
    return statistics.median(taken[0]), statistics.median(taken[1])


def main() -> int:
    """Write the table."""
    tokenizer, _ = load("yellow")
    scores = [Score.from_midi(path) for path in songs(60, 197)]
    longest = sorted((s for s in scores if len(s.tracks) >= 4), key=lambda s: s.n_bars)[-6::2]
    lines = []
    for score in longest:
        score = with_listed_metres(score, tokenizer.config)
        targets = {(track, bar) for track in range(3) for bar in range(score.n_bars)}
        name = f"{len(score.tracks)} tracks, {score.n_bars} bars"
        lines.append(row(f"plan {name}, 3 tracks to write", *planning(score, targets), "ms", 1e3))
        lines.append(row(f"cut 3 windows of {name}", *cutting(score, targets), "ms", 1e3))
    lines.append(row(f"legal tokens and one step on, {WINDOW}-bar infill", *grammar(), "µs", 1e6))
    TABLE.write_text(HEAD + "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
