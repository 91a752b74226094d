"""What stands between a score and its prompt, for longer and longer pieces: python -m benchmarks.long_pieces.

One orchestral score is cut to so many bars; eight bars in the middle are to be written, of one track and of every
track. All of it is the product's own code on the way to the first token, except the network.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import machine, spread
from midigpt_core.engine import InferenceEngine
from midigpt_core.generation.fit_context import narrowed
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import Score
from tests.support import corpus

TABLE = Path(__file__).parent / "results" / "long_pieces.md"
SONG = "openscore-orchestra/Beethoven__Ludwig_van__Symphony_No.9__Op.125__4__Beethoven_Op.125_4.mid"
LENGTHS = (60, 120, 240, 480, 940)
BARS = 8
ROUNDS = 7
HEAD = f"""# From a score to its prompt, by the length of the piece

Written by `python -m benchmarks.long_pieces`. {{machine}}, one thread. The first bars of
`{Path(SONG).name}` ({{tracks}} tracks); {BARS} bars in the middle are written, of one track or of every track.
Milliseconds, medians of {ROUNDS} runs (quartiles). *Cells*: bars of the first step, of all. *Plan*: the steps of
the request. *Prompt*: the first step cut, encoded, and tracks left out until it fits. *Memory of the piece*: which bars
the echo may say again and how likely each is, and the tracks' styles.

| bars | written | cells | steps | plan | prompt | memory of the piece |
|--:|---|--:|--:|--:|--:|--:|
"""


def shortened(score: Score, bars: int) -> Score:
    """The first bars of a score."""
    return replace(score, tracks=[replace(track, bars=track.bars[:bars]) for track in score.tracks], source=None)


def row(engine: InferenceEngine, score: Score, tracks: range, name: str) -> str:
    """One line of the table."""
    first, model = score.n_bars // 2, engine.model
    bars = list(range(first, first + BARS))
    prompts = [TrackPrompt(t, bars if t in tracks else []) for t in range(len(score.tracks))]
    request = GenerationRequest(prompts, InferenceConfig(seed=1))
    cells = [(t, bar) for t in tracks for bar in bars]
    taken: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):
        marks = [time.perf_counter()]
        steps = fitting_plan(request, score, cells, engine.tokenizer, 0, model.n_positions)
        marks.append(time.perf_counter())
        prompt, _ = narrowed(engine.tokenizer, score, steps[0], request, (), model.n_positions)
        marks.append(time.perf_counter())
        assert prompt.known.repeatable
        assert prompt.known.styles
        marks.append(time.perf_counter())
        for times, begin, end in zip(taken, marks, marks[1:], strict=False):
            times.append(1e3 * (end - begin))
    line = f"| {score.n_bars} | {name} | {len(prompt.cells)} of {len(cells)} | {len(steps)} | "
    return line + " | ".join(spread(times, 1) for times in taken) + " |"


def main() -> int:
    """Write the table."""
    engine = InferenceEngine.from_pretrained("open", device="cpu")
    whole = Score.from_midi(corpus() / SONG)
    lines = []
    for bars in LENGTHS:
        score = shortened(whole, bars)
        for tracks, name in ((range(1), "one track"), (range(len(score.tracks)), "every track")):
            lines.append(row(engine, score, tracks, name))
            print(lines[-1], flush=True)
    head = HEAD.replace("{machine}", machine()).replace("{tracks}", str(len(whole.tracks)))
    TABLE.write_text(head + "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
