"""One command from nothing to a written file, against the shortest script for midigpt 0.4.2 that does the same.

    python -m benchmarks.cold [--rounds 9]

Every run is a process of its own; the contenders take turns. Both use the built-in checkpoint, the same temperature,
one attempt per step and no check that could refuse it. Compiled modules are kept in a folder of this run, written once
before the first round, as an installation writes them. `--threads 1` is for machines that put the threads of a process
on one processor while others idle: torch's threads wait for each other there, the peer's most of all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import machine, ratio, spread, table
from benchmarks.peer_weights import without_places
from benchmarks.stages import PEER

TABLE = Path(__file__).parent / "results" / "cold.md"
ROOT = Path(__file__).parents[1]
CHECKPOINT = ROOT / "midigpt_core" / "weights" / "open.safetensors"
SONG = ROOT / "samples" / "pop.mid"
TRACK, BARS = 1, (3, 4, 5, 6)  # counted from 0: the chords

Command = Callable[[int, Path], list[str]]  # seed, file to write


@dataclass
class Ran:
    """One process."""

    seconds: float
    processor: float
    peak_mb: float
    notes: int
    told: dict[str, float]  # what it said of its stages


def ours(*options: str) -> Command:
    """The command line, as its user types it."""
    bars = f"{BARS[0] + 1}-{BARS[-1] + 1}"
    where = [str(SONG), "--bars", bars, "--track", str(TRACK + 1), "--model", "open", "--quiet"]
    checks = ["--max-attempts", "1", "--no-silence-check"]

    def command(seed: int, out: Path) -> list[str]:
        return ["infill", *where, *checks, *options, "--seed", str(seed), "-o", str(out)]

    return command


def as_process(command: Command) -> Command:
    return lambda seed, out: [sys.executable, "-m", "midigpt_cli.main", *command(seed, out)]


def peer(seed: int, out: Path) -> list[str]:
    """The same request as a script for the peer."""
    request = [
        without_places(CHECKPOINT, out.parent),
        str(SONG),
        str(TRACK),
        str(BARS[0]),
        str(BARS[-1] + 1),
        str(own_temperature()),
    ]
    return [sys.executable, "-c", PEER, *request, str(seed), str(out)]


def own_temperature() -> float:
    """What the built-in checkpoint means by temperature 1; the peer has to be told."""
    with CHECKPOINT.open("rb") as file:
        meta = json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]
    return float(json.loads(meta["encoder_config"]).get("temperature", 1.0))


def run(command: list[str], out: Path, environment: dict[str, str]) -> Ran:
    """One process to its end. What it printed last may be a JSON object of its stages."""
    out.unlink(missing_ok=True)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=out.parent, env={**environment, "STARTED": str(started)}, **pipes)
    assert process.stdout is not None
    said = process.stdout.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    ended = time.monotonic()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit {process.returncode}: {command}")
    told = json.loads(said[-1]) if said and said[-1].startswith("{") else {}
    if told:
        told["the end of the process"] = ended - told.pop("last")
    return Ran(ended - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, written(out), told)


def written(file: Path) -> int:
    """Notes in the bars that were to be written."""
    from midigpt_core.score import Score

    track = Score.from_midi(file).tracks[TRACK]
    return sum(len(track.bars[bar].notes) for bar in BARS)


def staged(who: str, command: Command) -> Command:
    skip = {"ours": 0, "peer": 3}[who]
    return lambda seed, out: [sys.executable, "-m", "benchmarks.stages", who, *command(seed, out)[skip:]]


# ---- the tables ----

PLAIN = ("--echo", "0", "--harmony", "0", "--pool", "1")  # without what the peer does not have
NAMES = {
    "peer": "midigpt 0.4.2",
    "ours": "midigpt infill, --pool 1, no echo, no harmony",
    "default": "midigpt infill, as it comes (pool of 8, echo, harmony)",
    "one candidate": "midigpt infill, --pool 1",
    "same plan": "midigpt infill, --pool 1, no echo, no harmony, the peer's plan",
}


def compare(rounds: int, folder: Path, environment: dict[str, str]) -> str:
    """The contenders in turn."""
    commands = {
        "peer": peer,
        "ours": as_process(ours(*PLAIN)),
        "default": as_process(ours()),
        "one candidate": as_process(ours("--pool", "1")),
        "same plan": as_process(ours(*PLAIN, "--window", "4", "--bars-per-step", "1", "--tracks-per-step", "1")),
    }
    ran: dict[str, list[Ran]] = {name: [] for name in commands}
    for command in commands.values():
        run(command(0, folder / "warm.mid"), folder / "warm.mid", environment)
    for seed in range(1, rounds + 1):
        for name, command in commands.items():
            out = folder / f"{name.replace(' ', '_')}-{seed}.mid"
            ran[name].append(run(command(seed, out), out, environment))
        print({name: round(runs[-1].seconds, 2) for name, runs in ran.items()}, flush=True)
    theirs = [one.seconds for one in ran["peer"]]
    rows = []
    for name, runs in ran.items():
        own = [one.seconds for one in runs]
        notes = spread([one.notes for one in runs], 0)
        peak = f"{max(one.peak_mb for one in runs):.0f}"
        faster = "" if name == "peer" else ratio(theirs, own)
        rows.append((NAMES[name], spread(own), faster, spread([one.processor for one in runs]), peak, notes))
    return table(
        ("command", "wall time, s", "peer / it", "processor time, s", "peak memory, MB", "notes written"), rows
    )


def stages(rounds: int, folder: Path, environment: dict[str, str]) -> str:
    """Where the time goes in both."""
    commands = {"ours": staged("ours", ours(*PLAIN)), "peer": staged("peer", peer)}
    told: dict[str, list[Ran]] = {name: [] for name in commands}
    for seed in range(rounds):
        for name, command in commands.items():
            out = folder / f"staged-{name}-{seed}.mid"
            told[name].append(run(command(seed, out), out, environment))
    names = list(dict.fromkeys(key for name in ("ours", "peer") for one in told[name] for key in one.told))
    rows = []
    for stage in names:
        cells = [
            spread([one.told[stage] for one in told[name]], 3) if stage in told[name][0].told else ""
            for name in ("ours", "peer")
        ]
        rows.append((stage, *cells))
    sums = {"import and load": ("start", "import", "load"), "torch's import and the end": ("import: torch", "the end")}
    for what, stages_in in sums.items():
        rows.append((f"**{what}, share of the whole**", *(share(told[name], stages_in) for name in ("ours", "peer"))))
    return table(("stage", "midigpt infill, s", "midigpt 0.4.2, s"), rows)


def share(runs: list[Ran], prefixes: tuple[str, ...]) -> str:
    """Of the whole time, in the stages whose names begin so."""
    parts = [sum(s for key, s in one.told.items() if key.startswith(prefixes)) / one.seconds for one in runs]
    return spread(parts, 0, 100) + " %"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of every contender")
    parser.add_argument("--output", type=Path, default=TABLE)
    parser.add_argument("--compiled", type=Path, help="folder to keep compiled modules in (default: one of this run)")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": str(options.compiled or folder / "compiled"), "PYTHONPATH": str(ROOT)}
        environment["OMP_NUM_THREADS"] = str(options.threads)
        compared = compare(options.rounds, folder, environment)
        told = stages(options.rounds, folder, environment)
    threads = options.threads
    options.output.write_text(
        "# One command from nothing to a written file\n\n"
        f"Written by `python -m benchmarks.cold --threads {threads}`. {machine()}, threads for "
        f"every contender: {threads}; load average {load:.1f} at the start. Four bars of one "
        f"track of `samples/pop.mid` (5 tracks, 16 bars) with the built-in checkpoint, {options.rounds} rounds in "
        "which the contenders take turns, each run a process of its own; medians (quartiles), ratios of rounds. Same "
        f"temperature ({own_temperature()}), one attempt per step, no checks. The peer writes by its default plan "
        "(windows of 4 bars, bar by bar), `midigpt infill` by its own (8 bars, in one step) unless told otherwise.\n\n"
        f"{compared}\n\n## Where the time goes\n\nThe same processes, told in stages.\n\n{told}\n"
    )


if __name__ == "__main__":
    main()
