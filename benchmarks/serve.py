"""Callers at once against `midigpt serve`, and against the peer's server on the same checkpoint in the same run.

    python benchmarks/serve.py --ckpt open.safetensors --callers 1 4 16 64 --out benchmarks/results/serve.md

Every caller sends one request after another: four bars of one track of an eight-bar song, a seed of its own. The two
servers take turns for each number of callers. While they work, /health is asked twenty times a second.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.peer_weights import without_places
from midigpt_core.model.checkpoint import load_checkpoint, save_checkpoint

PEERS = {
    "echo": 0.0,
    "harmony": None,
    "temperature": 1.0,
    "drum_temperature": None,
    "rounding": "down",
}  # as the peer reads them
BARS = 8
TARGETS = [2, 3, 4, 5]


def song() -> dict[str, Any]:
    """Drums, bass and chords, eight bars."""

    def bar(notes: list[tuple[int, int, int]]) -> dict[str, Any]:
        keys = ("pitch", "onset_ticks", "duration_ticks")
        return {"notes": [{**dict(zip(keys, note, strict=True)), "velocity": 90} for note in notes]}

    kit = [(36, 0, 60), (42, 240, 60), (38, 480, 60), (42, 720, 60), (36, 960, 60), (38, 1440, 60)]
    roots = [36, 41, 43, 38]
    bass = [[(roots[b % 4] + s, t, 200) for t, s in ((0, 0), (480, 7), (960, 12), (1440, 7))] for b in range(BARS)]
    chords = [[(roots[b % 4] + 24 + s, 0, 1800) for s in (0, 4, 7)] for b in range(BARS)]
    parts = [("drum", 0, [kit] * BARS), ("melodic", 33, bass), ("melodic", 0, chords)]
    tracks = [{"track_type": t, "instrument": i, "bars": [bar(notes) for notes in bars]} for t, i, bars in parts]
    return {"resolution": 480, "tempo": 500000, "tracks": tracks}


def body(seed: int, extra: dict[str, Any]) -> bytes:
    """One request; what it asks for is allowed by both servers, and neither checks what it has written."""
    checks = {"max_attempts": 1, "silence_check": False, "novelty_check": False}
    config = {"seed": seed, "model_dim": 8, "density_hard_limit": 8, **checks, **extra}
    prompts = [{"id": t, "bars": TARGETS if t == 1 else []} for t in range(3)]
    return json.dumps({"score": song(), "request": {"tracks": prompts, "config": config}}).encode()


@dataclass
class Row:
    """One server under one number of callers."""

    server: str
    callers: int
    seconds: list[float]
    elapsed: float
    failed: int
    health: list[float]
    peak_mb: float

    @property
    def bars_per_second(self) -> float:
        return len(self.seconds) * len(TARGETS) / self.elapsed

    @property
    def p50(self) -> float:
        return statistics.median(self.seconds or [0.0])

    @property
    def p95(self) -> float:
        ordered = sorted(self.seconds or [0.0])
        return ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]


class Running:
    """A server in a process of its own."""

    def __init__(self, name: str, command: list[str], **own: Any) -> None:
        """own: settings that this server alone knows, and is sent."""
        with socket.socket() as line:
            line.bind(("127.0.0.1", 0))
            self.port = line.getsockname()[1]
        self.name, self.own = name, own
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._folder = tempfile.TemporaryDirectory()  # the peer leaves a log of refusals where it was started
        self.process = subprocess.Popen([*command, "--port", str(self.port)], cwd=self._folder.name, **quiet)
        until = time.monotonic() + 180
        while time.monotonic() < until:
            try:
                self.get("/health")
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit(f"{name} did not start")

    def get(self, path: str) -> float:
        """Seconds until the answer."""
        started = time.perf_counter()
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        line.request("GET", path)
        line.getresponse().read()
        line.close()
        return time.perf_counter() - started

    def ask(self, request: bytes) -> float | None:
        """Seconds until the notes are there; None for a refusal."""
        started = time.perf_counter()
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3600)
        line.request("POST", "/generate", request, {"Content-Type": "application/json"})
        answer = line.getresponse()
        answer.read()
        line.close()
        return time.perf_counter() - started if answer.status == 200 else None

    def peak_mb(self) -> float:
        """Most memory held since the last call, in megabytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        peak = next(line for line in text.splitlines() if line.startswith("VmHWM"))
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return int(peak.split()[1]) / 1024

    def load(self, callers: int, rounds: int, extra: dict[str, Any]) -> Row:
        """`callers` at once, each sending `rounds` requests."""
        self.peak_mb()
        health: list[float] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                health.append(self.get("/health"))

        watcher = threading.Thread(target=watch)
        watcher.start()
        started = time.perf_counter()
        with ThreadPoolExecutor(callers) as pool:
            chains = pool.map(
                lambda c: [self.ask(body(1000 * c + r, {**extra, **self.own})) for r in range(rounds)], range(callers)
            )
            answers = [seconds for chain in chains for seconds in chain]
        elapsed = time.perf_counter() - started
        over.set()
        watcher.join()
        good = [seconds for seconds in answers if seconds is not None]
        return Row(self.name, callers, good, elapsed, len(answers) - len(good), health, self.peak_mb())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._folder.cleanup()


def plain(ckpt: str, folder: str) -> str:
    """The checkpoint without settings of its own, so that both servers read and draw alike."""
    loaded = load_checkpoint(ckpt)
    file = Path(folder, Path(ckpt).name)
    save_checkpoint(file, loaded.model, replace(loaded.encoder_config, **PEERS))
    return str(file)


def servers(ckpt: str, threads: int) -> list[Running]:
    """Ours, and the peer's where it is installed."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    ours = [sys.executable, "-m", "midigpt_cli.main", "serve", "--ckpt", ckpt, "--max-queue", "256"]
    found = [Running("midigpt serve", [*ours, "--log-level", "WARNING"], pool=1)]
    peer = shutil.which("midigpt-http")
    if peer:
        weights = without_places(ckpt, Path(ckpt).parent)
        command = [peer, "--ckpt", weights, "--host", "127.0.0.1", "--max-queue", "256"]
        found.append(Running("midigpt-http 0.4.2", command))
    return found


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    head = (
        "| callers | server | bars/s | p50 s | p95 s | failed | peak MB | /health p50 ms | /health p95 ms | requests |"
    )
    lines = [head, "|" + "--:|:--|" + "--:|" * 8]
    for row in rows:
        probes = sorted(row.health) or [0.0]
        middle, high = (1000 * probes[min(len(probes) - 1, round(share * len(probes)))] for share in (0.5, 0.95))
        speed = f"{row.bars_per_second:.2f} | {row.p50:.2f} | {row.p95:.2f}"
        rest = f"{row.failed} | {row.peak_mb:.0f} | {middle:.1f} | {high:.1f} | {len(row.seconds)}"
        lines.append(f"| {row.callers} | {row.server} | {speed} | {rest} |")
    return "\n".join(lines)


def verdict(rows: list[Row]) -> str:
    """How the two servers compare."""
    ours = {row.callers: row for row in rows if row.server == "midigpt serve"}
    theirs = {row.callers: row for row in rows if row.server != "midigpt serve"}
    lines = [
        f"- {n} callers: {ours[n].bars_per_second / theirs[n].bars_per_second:.1f} times the peer's bars per second"
        for n in ours
        if n in theirs and theirs[n].seconds
    ]
    if 16 in ours and 1 in theirs and theirs[1].seconds:
        ratio = ours[16].p95 / theirs[1].p50
        lines.append(f"- p95 at 16 callers: {ratio:.2f} times the peer's median with a single caller")
    return "\n".join(lines)


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ckpt", required=True)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--same-plan", action="store_true", help="both write bar by bar, as the peer does by default")
    parser.add_argument("--out")
    asked = parser.parse_args()
    extra = {"bars_per_step": 1, "tracks_per_step": 1} if asked.same_plan else {}
    rows = []
    folder = tempfile.TemporaryDirectory()
    running = servers(plain(asked.ckpt, folder.name), asked.threads)
    try:
        for server in running:
            server.ask(body(1, {**extra, **server.own}))
        for callers in asked.callers:
            for server in running:
                rows.append(server.load(callers, asked.rounds, extra))
                print(table(rows[-1:]).splitlines()[-1], flush=True)
    finally:
        for server in running:
            server.stop()
        folder.cleanup()
    plan = "both bar by bar" if asked.same_plan else "each server's own default"
    where = f"{platform.machine()}, {os.cpu_count()} processors, {asked.threads} threads"
    note = (
        f"Checkpoint {Path(asked.ckpt).name}; steps: {plan}; {where}; load average at the end {os.getloadavg()[0]:.1f}."
    )
    text = f"{note}\n\n{table(rows)}\n\n{verdict(rows)}\n"
    print(text)
    if asked.out:
        with open(asked.out, "a", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
