"""What a token costs beside the network: grammar, constraints, echo, drawing and bookkeeping.

    python -m benchmarks.step [--rounds 5]

Whole infills as `midigpt infill` runs them; the share is what the decoding loop spends outside the network's calls,
once the prompt is read. A first run with more clocks, which cost time themselves, tells where that goes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.cold import CHECKPOINT, ROOT
from benchmarks.measure import machine, spread, table
from benchmarks.warm import random_checkpoint
from midigpt_core.engine import InferenceEngine
from midigpt_core.model.compiled_model import FastCache
from midigpt_core.model.threads import threads
from midigpt_core.request import GenerationRequest
from midigpt_core.sampling import batch as loop
from midigpt_core.sampling.lane import Lane
from midigpt_core.score import Score

TABLE = Path(__file__).parent / "results" / "step.md"
SONG = ROOT / "samples" / "pop.mid"
TRACK, TARGETS = 1, [3, 4, 5, 6]  # the chords
BIASES: dict[str, dict[str, float]] = {
    "none": {"echo": 0.0, "harmony": 0.0},
    "echo": {"echo": 2.0, "harmony": 0.0},
    "echo, harmony": {"echo": 2.0, "harmony": 1.5},
}
NETWORK, PROMPT, WHOLE = "network", "prompt", "whole"
PARTS = {
    "legal tokens": (Lane, "allowed"),
    "echo and other biases": (Lane, "bias"),
    "drawing": (loop, "draw"),
    "following the token": (Lane, "accept"),
    "the rest of the draw": (loop.Decoder, "_write"),
    "the cache's books": (FastCache, "step"),
}


class Clocks:
    """Seconds within functions, calls of one within another taken out of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._undo: list[tuple[Any, str, Any]] = []
        self._open: list[float] = []

    def timed(self, plain: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The same function with a clock on it."""

        def timed(*given: Any, **named: Any) -> Any:
            self._open.append(0.0)
            started = time.perf_counter()
            try:
                return plain(*given, **named)
            finally:
                taken = time.perf_counter() - started
                self.seconds[name] += taken - self._open.pop()
                if self._open:
                    self._open[-1] += taken

        return timed

    def put(self, owner: Any, function: str, other: Callable[..., Any]) -> None:
        """Put another function in a function's place, until `off`."""
        self._undo.append((owner, function, getattr(owner, function)))
        setattr(owner, function, other)

    def on(self, owner: Any, function: str, name: str) -> None:
        """Put a clock on a function, until `off`."""
        self.put(owner, function, self.timed(getattr(owner, function), name))

    def off(self) -> None:
        for owner, function, plain in reversed(self._undo):
            setattr(owner, function, plain)
        self._undo.clear()


@dataclass
class Found:
    """One infill: seconds by clock, tokens drawn and calls of the network."""

    seconds: dict[str, float]
    tokens: int
    calls: int

    @property
    def rest(self) -> float:
        """Share of the decoding loop outside the network, the reading of the prompt not counted."""
        loop_s = sum(seconds for name, seconds in self.seconds.items() if name != PROMPT)
        return 1 - self.seconds[NETWORK] / loop_s

    def per_call(self, name: str) -> float:
        return self.seconds[name] / self.calls


class Network:
    """Stands in the compiled decoder's place during a step, and times its calls."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self.run = run


def stepping(clocks: Clocks) -> Callable[..., Any]:
    """FastCache.step with a clock on the compiled call within it."""
    plain = FastCache.step

    def step(cache: Any, lanes: Any, ids: Any) -> Any:
        for lane in lanes:
            cache._tail_of(lane)
        decoder = cache.decoder
        cache.decoder = Network(clocks.timed(decoder.run, NETWORK))
        try:
            return plain(cache, lanes, ids)
        finally:
            cache.decoder = decoder

    return step


def infill(engine: InferenceEngine, lanes: int, biases: str, seed: int, parts: bool) -> Found:
    """One request of as many takes as lanes, timed."""
    score = Score.from_midi(SONG)
    prompts = [{"id": t, "bars": TARGETS if t == TRACK else []} for t in range(len(score.tracks))]
    config = {"seed": seed, "num_candidates": lanes, "max_attempts": 1, "silence_check": False, "pool": 1}
    config |= BIASES[biases]
    config["density_hard_limit"] = 8  # random weights would fill the model's context otherwise
    request = GenerationRequest.from_dict({"tracks": prompts, "config": config})
    engine = InferenceEngine(engine.model, engine.tokenizer, max_lanes=lanes, reserve_lanes=lanes)
    clocks = Clocks()
    clocks.on(loop.Decoder, "generate", WHOLE)
    clocks.on(FastCache, "prefill", PROMPT)
    clocks.on(loop.Decoder, "_make_room", PROMPT)
    clocks.on(FastCache, "fork", PROMPT)
    clocks.put(FastCache, "step", stepping(clocks))
    if parts:
        for name, (owner, function) in PARTS.items():
            clocks.on(owner, function, name)
    try:
        engine.session(score, request).run_takes()
    finally:
        clocks.off()
    seconds = dict(clocks.seconds)
    return Found(seconds, engine.decoder.tokens_drawn, engine.decoder.model_calls)


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        engines = {
            "built-in, 5.7 M": InferenceEngine.from_checkpoint(CHECKPOINT),
            "random, 20.6 M": InferenceEngine.from_checkpoint(random_checkpoint(folder)),
        }
    cases = [(name, lanes, biases) for name in engines for lanes in (1, 16) for biases in BIASES]
    found: dict[tuple[str, int, str], list[Found]] = {case: [] for case in cases}
    parted: dict[tuple[str, int, str], list[Found]] = {case: [] for case in cases}
    for seed in range(-1, options.rounds):
        for name, lanes, biases in cases:  # the round of seed -1 warms up, and has the clocks of the parts
            into = parted if seed < 0 else found
            into[name, lanes, biases].append(infill(engines[name], lanes, biases, max(seed, 0), seed < 0))
    shares, places = [], []
    for case in cases:
        name, lanes, word = case
        runs = found[case]
        calls = [1e3 * sum(s for key, s in one.seconds.items() if key != PROMPT) / one.calls for one in runs]
        width = statistics.median(one.tokens / one.calls for one in runs)
        net = spread([1e3 * one.per_call(NETWORK) for one in runs])
        shares.append((name, lanes, word, f"{width:.1f}", spread(calls), net, spread([100 * o.rest for o in runs], 0)))
        parts = [
            f"{1e6 * statistics.median(one.seconds.get(p, 0) / one.calls for one in parted[case]):.0f}" for p in PARTS
        ]
        other = f"{1e6 * statistics.median(one.per_call(WHOLE) for one in parted[case]):.0f}"
        places.append((name, lanes, word, *parts, other))
    options.output.write_text(
        "# A step beside the network\n\n"
        f"Written by `python -m benchmarks.step --threads {threads()}`. {machine()}, load average {load:.1f} at the "
        f"start. Four bars of a track of `samples/pop.mid` as `midigpt infill` writes them, {options.rounds} rounds; "
        "medians (quartiles). *Drawn*: tokens per call of the network, since lanes end at different times.\n\n"
        + table(
            ("model", "lanes", "biases", "drawn per step", "a step, ms", "of it the network, ms", "all else, %"), shares
        )
        + "\n\n## Where all else goes\n\nMicroseconds per step, one infill each, with more clocks (which slow it).\n\n"
        + table(("model", "lanes", "biases", *PARTS, "the loop itself"), places)
        + "\n"
    )


if __name__ == "__main__":
    main()
