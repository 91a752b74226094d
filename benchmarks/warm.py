"""A program that is already running: from a score to the first token, one infill and eight takes of it, memory.

    python -m benchmarks.warm [--rounds 9]

Eight bars of a song with nine tracks; four bars of one of them are to be written, in one step. Both programs run in a
process of their own, with the same weights, and take turns. The network of 20.6 million parameters has random weights
and the built-in model's vocabulary.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cold import CHECKPOINT, ROOT
from benchmarks.measure import machine, ratio, spread, table
from benchmarks.peer_weights import without_places

TABLE = Path(__file__).parent / "results" / "warm.md"
SONG, START, BARS = "freedoom/d_dm09.mid", 8, 8  # nine tracks, all of which play here
TRACK, TARGETS = 4, [2, 3, 4, 5]
TAKES = 8
SETTINGS = {
    "model_dim": 8,
    "bars_per_step": 8,
    "tracks_per_step": 1,
    "max_attempts": 1,
    "novelty_check": False,
    "silence_check": False,
    "density_hard_limit": 8,  # random weights would fill the model's context otherwise
}

TO_FIRST_TOKEN = ("first", "again")  # tasks that end there

NAMES = {"peer": "midigpt 0.4.2", "ours": "midigpt"}

Answer = dict[str, float]
Found = dict[tuple[str, str], list[Answer]]  # by program and task
PLAIN = {"echo": 0.0, "harmony": 0.0, "pool": 1}  # ours without what the peer does not have


class Clock:
    """Notes when the first token was drawn, and the time spent in the network until then."""

    def __init__(self) -> None:
        self.network = self.drawn = self.started = 0.0
        self.stop: threading.Event | None = None

    def begin(self, stop: threading.Event | None) -> None:
        self.network, self.drawn, self.stop = 0.0, 0.0, stop
        self.started = time.perf_counter()

    def draws(self, plain: Callable[..., Any], before: bool = False) -> Callable[..., Any]:
        """The drawing of a token; the first one stops the clock (and the run, where it is to stop)."""

        def timed(*given: Any, **named: Any) -> Any:
            found = None if before else plain(*given, **named)
            if not self.drawn:
                self.drawn = time.perf_counter()
                if self.stop is not None:
                    self.stop.set()
            return plain(*given, **named) if before else found

        return timed

    def computes(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        """A call of the network."""

        def timed(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return plain(*given, **named)
            finally:
                self.network += 0.0 if self.drawn else time.perf_counter() - started

        return timed

    def answer(self, prompt: int, notes: int = 0) -> Answer:
        now = time.perf_counter()
        first = self.drawn - self.started
        return {"first": first, "network": self.network, "all": now - self.started, "prompt": prompt, "notes": notes}


def excerpt() -> dict[str, Any]:
    """The eight bars, as both programs read them."""
    from midigpt_core.score import Score
    from tests.support import corpus

    score = Score.from_midi(corpus() / SONG)
    tracks = [replace(track, bars=track.bars[START : START + BARS]) for track in score.tracks]
    data = Score(tracks=tracks, resolution=score.resolution, tempo=score.tempo).to_dict()
    for track in data["tracks"]:
        for key in ("name", "channel", "midi_track"):
            track.pop(key, None)
    return data


def wanted(tracks: int, seed: int, **more: Any) -> dict[str, Any]:
    """The request, as both programs read it."""
    prompts = [{"id": t, "bars": TARGETS if t == TRACK else []} for t in range(tracks)]
    return {"tracks": prompts, "config": {**SETTINGS, "seed": seed, **more}}


def ours(checkpoint: str, song: dict[str, Any]) -> Callable[[str, int], Answer]:
    """Answer "first" (a prompt never seen), "again" (a held one), "fill" (to the end), "takes" (eight of these)."""
    from midigpt_core.engine import InferenceEngine
    from midigpt_core.errors import CancelledError
    from midigpt_core.model.compiled_model import FastCache
    from midigpt_core.request import GenerationRequest
    from midigpt_core.sampling.lane import Lane
    from midigpt_core.score import Score
    from midigpt_core.trace import StepStarted

    clock, score = Clock(), Score.from_dict(song)
    engine = InferenceEngine.from_checkpoint(checkpoint)
    Lane.accept = clock.draws(Lane.accept, before=True)  # type: ignore[method-assign]
    FastCache.prefill = clock.computes(FastCache.prefill)  # type: ignore[method-assign]
    held = [engine]
    told = [0]

    def listen(event: object) -> None:
        if isinstance(event, StepStarted):
            told[0] = event.prompt_tokens

    def answer(task: str, seed: int) -> Answer:
        if task != "again":
            held[0] = InferenceEngine(engine.model, engine.tokenizer)
        takes = TAKES if task == "takes" else 1
        request = GenerationRequest.from_dict(wanted(len(score.tracks), seed, **PLAIN, num_candidates=takes))
        stop = threading.Event()
        clock.begin(stop if task in TO_FIRST_TOKEN else None)
        session = held[0].session(score, request)
        session.listener, session.cancel_event = listen, stop
        with contextlib.suppress(CancelledError):
            return clock.answer(told[0], sum(notes_of(take.score) for take in session.run_takes().takes))
        return clock.answer(told[0])

    return answer


def peer(checkpoint: str, song: dict[str, Any]) -> Callable[[str, int], Answer]:
    """The same for midigpt 0.4.2, which holds no prompts, and writes takes one after the other."""
    import torch
    from midigpt._types import Score
    from midigpt.inference import GenerationRequest, InferenceConfig, InferenceEngine, TrackPrompt
    from midigpt.inference.session import GenerationCancelled

    clock, score = Clock(), Score.from_dict(song)
    engine = InferenceEngine.from_checkpoint(checkpoint)
    torch.multinomial = clock.draws(torch.multinomial)
    network = type(engine._model)
    network.forward = clock.computes(network.forward)

    def answer(task: str, seed: int) -> Answer:
        stop, notes = threading.Event(), 0
        clock.begin(stop if task in TO_FIRST_TOKEN else None)
        for take in range(TAKES if task == "takes" else 1):
            data = wanted(len(score.tracks), TAKES * seed + take)
            tracks = [TrackPrompt(**prompt) for prompt in data["tracks"]]
            request = GenerationRequest(tracks=tracks, config=InferenceConfig(**data["config"]))
            session = engine.session(score, request)
            session.cancel_event = stop
            with contextlib.suppress(GenerationCancelled, RuntimeError):  # the latter: no legal token was left
                notes += notes_of(session.run())
        return clock.answer(session.context_len, notes)

    return answer


def notes_of(score: Any) -> int:
    return sum(len(score.tracks[TRACK].bars[bar].notes) for bar in TARGETS)


def attend(who: str, checkpoint: str) -> None:
    """The life of a contender: one line in, one line out."""
    song = json.loads(sys.stdin.readline())
    answer = {"ours": ours, "peer": peer}[who](checkpoint, song)
    for line in sys.stdin:
        task, seed = line.split()
        print(json.dumps({"peak": peak_mb()} if task == "peak" else answer(task, int(seed))), flush=True)


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024


class Contender:
    """A program in a process of its own."""

    def __init__(self, who: str, checkpoint: str, song: dict[str, Any], folder: str) -> None:
        command = [sys.executable, "-m", "benchmarks.warm", "--attend", who, checkpoint]
        quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(command, cwd=folder, env=environment, **quiet)  # type: ignore[call-overload]
        self._say(json.dumps(song))

    def _say(self, line: str) -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def ask(self, task: str, seed: int = 0) -> Answer:
        self._say(f"{task} {seed}")
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"no answer to {task}: {self._process.args}")
        return dict(json.loads(answer))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)


def random_checkpoint(folder: str) -> str:
    """20.6 million random parameters behind the built-in model's vocabulary."""
    import torch

    from midigpt_core.model.checkpoint import load_checkpoint, save_checkpoint
    from midigpt_core.model.gpt2 import GPT2
    from midigpt_core.model.shape import GPT2Config

    encoder = load_checkpoint(CHECKPOINT).encoder_config
    torch.manual_seed(1)
    model = GPT2(GPT2Config(load_checkpoint(CHECKPOINT).model.vocab_size, 2048, 512, 6, 8)).eval()
    path = Path(folder, "random.safetensors")
    save_checkpoint(path, model.half(), encoder)
    return str(path)


def measure(name: str, checkpoint: str, rounds: int, song: dict[str, Any], folder: str) -> tuple[list[Any], list[Any]]:
    """Rows for one checkpoint: first tokens, and whole infills with their memory."""
    weights = {"peer": without_places(checkpoint, folder), "ours": checkpoint}
    them = {who: Contender(who, weights[who], song, folder) for who in ("peer", "ours")}
    tasks = [("peer", "first"), ("ours", "first"), ("ours", "again")]
    whole = [(who, task) for task in ("fill", "takes") for who in them]
    found: dict[tuple[str, str], list[Answer]] = {task: [] for task in [*tasks, *whole]}
    for who, task in tasks:
        them[who].ask(task)
    for seed in range(rounds):
        for who, task in tasks:
            found[who, task].append(them[who].ask(task, seed))
    loaded = {who: them[who].ask("peak")["peak"] for who in them}
    for seed in range(max(3, rounds // 3)):
        for who, task in whole:
            found[who, task].append(them[who].ask(task, seed))
    peaks = {who: them[who].ask("peak")["peak"] for who in them}
    for contender in them.values():
        contender.close()
    memory = {who: f"{loaded[who]:.0f} / {peaks[who]:.0f}" for who in them}
    return _first_tokens(name, found, tasks), _infills(name, found, memory)


def _first_tokens(name: str, found: Found, tasks: Sequence[tuple[str, str]]) -> list[Any]:
    theirs = [one["first"] for one in found["peer", "first"]]
    rows = []
    for who, task in tasks:
        own = [one["first"] for one in found[who, task]]
        rest = [one["first"] - one["network"] for one in found[who, task]]
        what = NAMES[who] + (", prompt held from the request before" if task == "again" else "")
        prompt = f"{found[who, task][0]['prompt']:.0f}"
        faster = "" if who == "peer" else ratio(theirs, own)
        rows.append((what, name, prompt, spread(own, 0, 1e3), spread(rest, 1, 1e3), faster))
    return rows


def _infills(name: str, found: Found, memory: dict[str, str]) -> list[Any]:
    rows = []
    for who, held in memory.items():
        cells = []
        for task in ("fill", "takes"):
            own, theirs = found[who, task], found["peer", task]
            compared = who == "ours" and all(one["notes"] for one in theirs)
            seconds = [[one["all"] for one in several] for several in (theirs, own)]
            cells += [spread(seconds[1]), ratio(*seconds) if compared else ""]
            cells.append(spread([one["notes"] for one in own], 0))
        rows.append((NAMES[who], name, held, *cells))
    return rows


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of every contender")
    parser.add_argument("--output", type=Path, default=TABLE)
    parser.add_argument("--attend", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attend:
        attend(*options.attend)
        return
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    load, song = os.getloadavg()[0], excerpt()
    firsts, fills = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, checkpoint in (("built-in, 5.7 M", str(CHECKPOINT)), ("random, 20.6 M", random_checkpoint(folder))):
            found = measure(name, checkpoint, options.rounds, song, folder)
            firsts += found[0]
            fills += found[1]
    notes = sum(len(bar["notes"]) for track in song["tracks"] for bar in track["bars"])
    threads = options.threads
    options.output.write_text(
        "# A running program\n\n"
        f"Written by `python -m benchmarks.warm --threads {threads}`. {machine()}, threads for "
        f"every contender: {threads}; load average {load:.1f} at the start. Bars "
        f"{START + 1}-{START + BARS} of `{SONG}`: {len(song['tracks'])} tracks, {notes} notes; bars 3-6 of track "
        f"{TRACK + 1} are to be written, in one step. {options.rounds} rounds in which the programs take turns; "
        "medians (quartiles), ratios of rounds.\n\n"
        "## From a score in memory to the first token\n\n"
        "Checks, plan, prompt, the network's reading of it and one draw. *Beside the network*: all of that but the "
        "network's calls.\n\n"
        + table(("program", "model", "prompt, tokens", "first token, ms", "beside the network, ms", "ratio"), firsts)
        + "\n\n## Whole infills, and the most memory ever held\n\nOne infill, and eight takes of it: in one batch, and "
        "the peer's one after the other. Memory of the whole process, Python and torch included: after the first "
        "tokens above / at the end. No more than 8 notes a bar, so that random weights come to an end; the peer may be "
        "left without a legal token then, which it reports as an error: fewer notes.\n\n"
        + table(
            ("program", "model", "memory, MB", "an infill, s", "ratio", "notes", "eight takes, s", "ratio", "notes"),
            fills,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
