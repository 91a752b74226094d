"""Time the decoder against midigpt 0.4.2 and write the table: python -m benchmarks.decode [--quick] [--checkpoint F].

Every figure is a median over rounds in which the contenders take turns, so that a busy machine is busy for all of them;
a ratio is the median of the rounds' ratios, with its quartiles.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.measure import machine, ratio
from midigpt_core.model.compiled_model import fast_cache
from midigpt_core.model.gpt2 import GPT2
from midigpt_core.model.shape import GPT2Config
from midigpt_core.model.threads import threads
from midigpt_core.model.torch_cache import TorchCache

TABLE = Path(__file__).parent / "results" / "decode.md"
VOCABULARY = 647
SIZES = {"20M": (512, 6, 8), "88M": (768, 12, 12), "350M": (1024, 27, 16)}
ROUNDS = {"20M": 15, "88M": 9, "350M": 3}
BATCHED = {"20M": 16, "88M": 16, "350M": 4}  # lanes up to which the peer's batched call is timed
TOKENS = 12  # per timing
PAUSE = 0.02  # seconds before each timing: threads of the contender before, which wait awake, go to sleep

Timed = Callable[[], None]


class Peer:
    """midigpt 0.4.2's network, driven as its sampling loop drives it."""

    def __init__(self, config: GPT2Config, weights: dict[str, torch.Tensor]) -> None:
        from midigpt.inference.model.gpt2 import GPT2Config as PeerConfig
        from midigpt.inference.model.gpt2 import GPT2LMHeadModel

        shape = (config.vocab_size, config.n_positions, config.n_embd, config.n_layer, config.n_head)
        self.model = GPT2LMHeadModel(PeerConfig(*shape)).eval()
        self.model.load_state_dict(weights)

    @torch.no_grad()
    def prefill(self, ids: list[int], lanes: int = 1) -> tuple:
        """The cache after a prompt; for several lanes repeated, which is cheaper than the peer's own way."""
        _, past = self.model(torch.tensor([ids]), self.model.make_empty_kv())
        return past if lanes == 1 else tuple((k.repeat(lanes, 1, 1, 1), v.repeat(lanes, 1, 1, 1)) for k, v in past)

    @torch.no_grad()
    def decode(self, past: tuple, lanes: int = 1) -> None:
        for token in range(TOKENS):
            _, past = self.model(torch.full((lanes, 1), token), past)


def ours(cache: object, ids: list[int], lanes: int = 1) -> Timed:
    """A timing of TOKENS steps from the end of the prompt, all lanes at once."""
    cache.prefill(0, ids)
    cache.fork(0, range(1, lanes))
    ends = [cache.length(lane) for lane in range(lanes)]

    def run() -> None:
        for token in range(TOKENS):
            cache.step(range(lanes), [token] * lanes)
        for lane, end in enumerate(ends):
            cache.truncate(lane, end)

    return run


def take_turns(contenders: dict[str, Timed], rounds: int) -> dict[str, list[float]]:
    """Seconds per contender and round."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender()
    for _ in range(rounds):
        for name, contender in contenders.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            contender()
            times[name].append(time.perf_counter() - start)
    return times


def milliseconds(times: list[float], per: int = 1) -> str:
    return f"{1e3 * statistics.median(times) / per:.2f}"


def network(size: str, n_positions: int) -> tuple[GPT2, Peer]:
    """The same random weights in both programs."""
    width, layers, heads = SIZES[size]
    torch.manual_seed(1)
    model = GPT2(GPT2Config(VOCABULARY, n_positions, width, layers, heads)).eval()
    return model, Peer(model.config, model.state_dict())


def prompt(length: int) -> list[int]:
    dice = random.Random(length)
    return [dice.randrange(VOCABULARY) for _ in range(length)]


def one_lane(size: str, lengths: list[int], rounds: int) -> list[str]:
    """Rows of the table of one lane: prompt reading and tokens, against the peer and our own reference."""
    lines = []
    model, peer = network(size, max(lengths) + 64)
    for length in lengths:
        ids = prompt(length)
        fast, reference = fast_cache(model, 1, length + 64), TorchCache(model, 1, length + 64)

        def read(cache: object = fast, ids: list[int] = ids) -> None:
            cache.truncate(0, 0)
            cache.prefill(0, ids)

        past = peer.prefill(ids)
        read_times = take_turns({"peer": lambda ids=ids: peer.prefill(ids) and None, "fast": read}, max(3, rounds // 3))
        step_times = take_turns(
            {"peer": lambda past=past: peer.decode(past), "reference": ours(reference, ids), "fast": ours(fast, ids)},
            rounds,
        )
        lines.append(
            f"| {size} | {length} | {milliseconds(read_times['peer'])} | {milliseconds(read_times['fast'])} "
            f"| {ratio(read_times['peer'], read_times['fast'])} | {milliseconds(step_times['peer'], TOKENS)} "
            f"| {milliseconds(step_times['reference'], TOKENS)} | {milliseconds(step_times['fast'], TOKENS)} "
            f"| {ratio(step_times['peer'], step_times['fast'])} |"
        )
        print(lines[-1], flush=True)
    return lines


def many_lanes(size: str, counts: list[int], length: int, rounds: int) -> list[str]:
    """Rows of the table of takes: lanes that share one prompt, against the peer's batch and its takes in a row."""
    lines = []
    model, peer = network(size, length + 64)
    ids = prompt(length)
    single = peer.prefill(ids)
    for lanes in counts:
        cache = fast_cache(model, lanes, length + 64)
        contenders = {"single": lambda: peer.decode(single), "fast": ours(cache, ids, lanes)}
        if lanes <= BATCHED[size]:
            batch = peer.prefill(ids, lanes)
            contenders["batch"] = lambda batch=batch, lanes=lanes: peer.decode(batch, lanes)
        times = take_turns(contenders, rounds)
        in_a_row = [t * lanes for t in times["single"]]
        together = ratio(times["batch"], times["fast"]) if "batch" in times else ""
        rate = lanes * TOKENS / statistics.median(times["fast"])
        lines.append(
            f"| {size} | {lanes} | {milliseconds(times['fast'], TOKENS)} | {rate:.0f} "
            f"| {ratio(in_a_row, times['fast'])} | {together} |"
        )
        print(lines[-1], flush=True)
    return lines


def bandwidth() -> float:
    """Bytes per second at which memory can be read, as torch's sum reads it."""
    block = torch.ones(1 << 26)
    times = take_turns({"read": lambda: block.sum() and None}, 7)["read"]
    return float(block.numel() * 4 / min(times))


def fidelity(path: str, count: int) -> str:
    """One sentence: agreement of the fast path with float32 on real prompts."""
    from midigpt_core.model.checkpoint import load_checkpoint
    from midigpt_core.tokens.tokenizer import Tokenizer
    from tests.model.fidelity import compare, openings
    from tests.support import songs

    loaded = load_checkpoint(path)
    found = compare(loaded, openings(songs(2 * count, stride=41), Tokenizer(loaded.encoder_config), 2048)[:count])
    return (
        f"Fidelity, {found.prompts} real prompts, {found.tokens:,} tokens: the likeliest token is the same as in "
        f"float32 for {100 * found.agreement:.3f} %; mean negative log-likelihood differs by "
        f"{100 * found.nll_change:.5f} %; no log-probability by more than {found.largest:.4f}.\n"
    )


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 M parameters only, few lengths, few rounds")
    parser.add_argument("--sizes", default=",".join(SIZES), help="of " + ", ".join(SIZES))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--checkpoint", help="trained checkpoint for the fidelity line (default: none)")
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rounds = {size: 5 if options.quick else count for size, count in ROUNDS.items()}
    sizes = ["20M"] if options.quick else options.sizes.split(",")
    lengths = [256, 1270] if options.quick else [256, 512, 1270, 2048, 4096]
    counts = [1, 8, 16] if options.quick else [1, 2, 4, 8, 16, 32, 64]
    load = os.getloadavg()[0]
    turns = (
        f"{', '.join(str(rounds[size]) for size in sizes)} rounds ({', '.join(sizes)}; a third for prompts, at least 3)"
    )
    faithful = "\n" + fidelity(options.checkpoint, 20 if options.quick else 200) if options.checkpoint else ""
    singles = [line for size in sizes for line in one_lane(size, lengths, rounds[size])]
    takes = [line for size in sizes for line in many_lanes(size, counts, 1270, rounds[size])]
    options.output.write_text(
        f"# Decoding against midigpt 0.4.2\n\n"
        f"Written by `python -m benchmarks.decode`. {machine()}, threads for every contender: {threads()}; load "
        f"average {load:.1f} at the start, memory read at {bandwidth() / 1e9:.0f} GB/s. "
        f"Random weights, vocabulary {VOCABULARY}; the peer runs in float32. Medians of {turns} in which contenders "
        "take turns; ratios are medians of the rounds' ratios (quartiles).\n\n"
        "## One lane, milliseconds\n\n"
        "| model | prompt | read it: peer | fast | ratio | a token: peer | reference | fast | ratio |\n"
        "|---|---|---|---|---|---|---|---|---|\n" + "\n".join(singles) + "\n\n"
        "## Takes of one 1,270-token prompt\n\n"
        "One step of all lanes; the peer's takes one after the other, and its batched call (to 16 lanes, 350M: 4).\n\n"
        "| model | lanes | ms per step | tokens per second | against takes in a row | against its batch |\n"
        "|---|---|---|---|---|---|\n" + "\n".join(takes) + "\n" + faithful
    )


if __name__ == "__main__":
    main()
