"""Time encode and decode of 8-bar windows, reference, compiled and midigpt 0.4.2 in turn."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from midigpt_core import EncoderConfig, Score
from midigpt_core.attributes import AttributeTable
from midigpt_core.errors import MidiFileError
from midigpt_core.tokens import decode as reference_decode
from midigpt_core.tokens import encode as reference_encode
from midigpt_core.tokens import kernels
from midigpt_core.tokens.grid import from_grid, to_grid, with_listed_metres
from midigpt_core.tokens.tokenizer import Tokenizer
from tests.parity.token_parity import Peer, cut
from tests.support import encoders, songs

TABLE = Path(__file__).parent / "results" / "encode.md"
BARS = 8
HEAD = """# Encode and decode of 8-bar windows

Written by `python -m benchmarks.encode`: {windows} windows of {bars} bars from as many songs of the corpus, {rounds}
rounds. In each round the contenders take turns on every window; the time of a window is its best, and the figures are
means over the windows, in milliseconds. "Arrays" starts from a NoteTable, as training does, the others from (or to) a
Score.
The ratio is midigpt 0.4.2 against compiled. Attributes on: every control of the encoder is measured and written.

| encoder | task | tokens | reference | compiled | arrays | midigpt 0.4.2 | ratio | compiled, µs per token |
|---|---|---|---|---|---|---|---|---|
"""
Contenders = dict[str, Callable[[int], Any]]


def windows(count: int) -> list[Score]:
    """The first 8 bars after bar 4 of `count` songs."""
    found: list[Score] = []
    for path in songs(4 * count, 12000 // (4 * count)):
        try:
            score = Score.from_midi(path)
        except MidiFileError:
            continue
        if score.n_bars >= BARS + 4 and len(found) < count:
            found.append(cut(score, 4, 4 + BARS))
    return found


def timed(contenders: Contenders, count: int, rounds: int) -> dict[str, float]:
    """Mean over the windows of each contender's best time, in milliseconds."""
    best = {name: [float("inf")] * count for name in contenders}
    for _ in range(rounds):
        for i in range(count):
            for name, run in contenders.items():
                start = time.perf_counter()
                run(i)
                best[name][i] = min(best[name][i], time.perf_counter() - start)
    return {name: 1e3 * sum(times) / count for name, times in best.items()}


def encoding(scores: list[Score], tokenizer: Tokenizer, peer: Peer, attributes: bool) -> Contenders:
    vocabulary = tokenizer.vocabulary
    table = tokenizer.attributes if attributes else AttributeTable(())
    theirs = [peer.score(score) for score in scores]
    flat = [kernels.grid_table(score, vocabulary) for score in scores]

    def from_arrays(i: int) -> Any:
        values = kernels.measure_table(flat[i], table) if attributes else None
        return kernels.encode_table(flat[i], vocabulary, None, values)

    return {
        "reference": lambda i: reference_encode.encode(
            table.annotate(to_grid(scores[i], tokenizer.config)), vocabulary
        ),
        "compiled": lambda i: kernels.encode_score(scores[i], vocabulary, table),
        "arrays": from_arrays,
        "peer": lambda i: peer.tokenizer.encode(theirs[i], compute_attributes=attributes),
    }


def decoding(prompts: list[list[int]], tokenizer: Tokenizer, peer: Peer) -> Contenders:
    vocabulary = tokenizer.vocabulary
    return {
        "reference": lambda i: from_grid(reference_decode.decode(prompts[i], vocabulary), tokenizer.config),
        "compiled": lambda i: kernels.decode_score(prompts[i], vocabulary),
        "peer": lambda i: peer.tokenizer.decode(prompts[i]),
    }


def row(name: str, task: str, tokens: float, times: dict[str, float]) -> str:
    arrays = f"{times['arrays']:.3f}" if "arrays" in times else ""
    ratio, each = times["peer"] / times["compiled"], 1e3 * times["compiled"] / tokens
    figures = f"{times['reference']:.2f} | {times['compiled']:.3f} | {arrays} | {times['peer']:.2f} | {ratio:.0f} x"
    return f"| {name} | {task} | {tokens:.0f} | {figures} | {each:.3f} |"


def rows(name: str, scores: list[Score], rounds: int) -> list[str]:
    config = json.loads((encoders() / f"{name}_encoder.json").read_text())
    tokenizer, peer = Tokenizer(EncoderConfig.from_dict(config)), Peer.load(config)
    listed = [with_listed_metres(score, tokenizer.config) for score in scores]
    found = []
    for attributes in (True, False):
        prompts = [tokenizer.encode(score, attributes=attributes) for score in listed]
        tokens = sum(map(len, prompts)) / len(prompts)
        task = f"encode, attributes {'on' if attributes else 'off'}"
        times = timed(encoding(listed, tokenizer, peer, attributes), len(listed), rounds)
        found.append(row(name, task, tokens, times))
    found.append(row(name, "decode", tokens, timed(decoding(prompts, tokenizer, peer), len(listed), rounds)))
    return found


def main() -> None:
    """Measure and write the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--windows", type=int, default=40)
    options.add_argument("--rounds", type=int, default=7)
    asked = options.parse_args()
    scores = windows(asked.windows)
    lines = [line for name in ("yellow", "prism", "expressive") for line in rows(name, scores, asked.rounds)]
    text = HEAD.format(windows=len(scores), bars=BARS, rounds=asked.rounds) + "\n".join(lines) + "\n"
    TABLE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
