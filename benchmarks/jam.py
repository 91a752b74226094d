"""Does a jam stay in time? Real websocket players in another process, against `midigpt serve`.

    python benchmarks/jam.py --ckpt open.safetensors --minutes 10 --out benchmarks/results/jam.md

Every player starts a jam of four parts, 4/4, one-bar chunks, in real time, and notes when each bar came. A bar is late
when it came after its place on the bar clock (which starts with the first bar) or when the server sent a stand-in for
it. After the long run with one player, short ones with 1, 2, 4 and 8 at once show how many one machine keeps in time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

PARTS = [{"drums": True}, {"instrument": "electric bass"}, {"instrument": "electric piano"}, {"instrument": "strings"}]


@dataclass
class Row:
    """What came of a number of players at once."""

    players: int
    bars: int
    stand_ins: int  # bars the server did not have in time
    overdue: int  # bars, stand-ins included, that came after their place on the clock
    in_time: int  # players without either
    write: list[float]  # seconds to write a bar
    spare: list[float]  # seconds between a bar's arrival and its place
    first: list[float]  # seconds from start to the first bar


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values) or [float("nan")]
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# ---- the players, in a process of their own ----


def play(port: int, seconds: float, start: dict[str, Any]) -> dict[str, Any]:
    """One player: arrivals of its bars, as seen here."""
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{port}/ws/jam", max_size=None) as line:
        asked = time.perf_counter()
        line.send(json.dumps({"type": "start", **start}))
        told = json.loads(line.recv())
        if told["type"] != "started":
            raise SystemExit(f"refused: {told}")
        arrivals, chunks, places = [], [], told["chunk_seconds"]
        while not arrivals or arrivals[-1] - arrivals[0] < seconds:
            message = json.loads(line.recv())
            if message["type"] != "chunk":
                raise SystemExit(f"unexpected: {message}")
            arrivals.append(time.perf_counter())
            chunks.append(message)
        line.send('{"type": "stop"}')
    crossing = sum(on + length > c["ticks"] for c in chunks for t in c["tracks"] for _, _, on, length in t["notes"])
    return {
        "first": arrivals[0] - asked,
        "spare": [arrivals[0] + c["index"] * places - at for c, at in zip(chunks, arrivals, strict=True)][1:],
        "write": [c["latency_ms"] / 1000 for c in chunks if not c["late"]],
        "stand_ins": sum(bool(c["late"]) + c["skipped"] for c in chunks),
        "bars": chunks[-1]["index"] + 1,
        "crossing": crossing,
    }


def players(port: int, count: int, seconds: float, bpm: float) -> None:
    """Run `count` players and print what they saw."""
    found: list[dict[str, Any]] = []
    threads = []
    for number in range(count):
        start = {"bpm": bpm, "metre": "4/4", "tracks": PARTS, "seed": 1000 * number + 1}
        threads.append(threading.Thread(target=lambda s=start: found.append(play(port, seconds, s))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    print(json.dumps(found))


# ---- the server and the table ----


class Server:
    """`midigpt serve` in a process of its own."""

    def __init__(self, ckpt: str, threads: int) -> None:
        with socket.socket() as line:
            line.bind(("127.0.0.1", 0))
            self.port = line.getsockname()[1]
        command = [sys.executable, "-m", "midigpt_cli.main", "serve", "--ckpt", ckpt, "--port", str(self.port)]
        command += ["--threads", str(threads), "--max-jams", "64", "--max-lanes", "16", "--log-level", "ERROR"]
        self.process = subprocess.Popen(command)
        until = time.monotonic() + 180
        while time.monotonic() < until:
            try:
                urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).read()
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit("the server did not start")

    def run(self, count: int, seconds: float, bpm: float) -> Row:
        words = ["--players", str(count), "--port", str(self.port), "--minutes", str(seconds / 60), "--bpm", str(bpm)]
        done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout)
        if len(found) != count or any(one["crossing"] for one in found):
            raise SystemExit(f"{len(found)} of {count} players; notes over the end: {[o['crossing'] for o in found]}")
        late = [sum(spare < 0 for spare in one["spare"]) for one in found]
        return Row(
            count,
            sum(one["bars"] for one in found),
            sum(one["stand_ins"] for one in found),
            sum(late),
            sum(not n and not one["stand_ins"] for n, one in zip(late, found, strict=True)),
            [w for one in found for w in one["write"]],
            [s for one in found for s in one["spare"]],
            [one["first"] for one in found],
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


HEAD = (
    "| players at once | minutes | bars | late bars | stand-ins | players in time "
    "| first bar s (worst) | bar written in s: p50 | p99 | arrived before its place s: p50 | least |"
)


def table_row(row: Row, seconds: float) -> str:
    return (
        f"| {row.players} | {seconds / 60:.1f} | {row.bars} | {row.overdue} | {row.stand_ins} "
        f"| {row.in_time} of {row.players} | {max(row.first):.2f} "
        f"| {percentile(row.write, 0.5):.2f} | {percentile(row.write, 0.99):.2f} "
        f"| {percentile(row.spare, 0.5):.2f} | {min(row.spare, default=0.0):.2f} |"
    )


def page(asked: argparse.Namespace, rows: list[tuple[Row, float]]) -> str:
    model = Path(asked.ckpt).name
    lines = [
        "# Jams in real time",
        "",
        f"`python benchmarks/jam.py --ckpt {model} --minutes {asked.minutes:g} --each {asked.each:g}`: four parts, "
        f"4/4, {asked.bpm:g} bpm, chunks of one bar ({240 / asked.bpm:.2f} s), written at most two ahead; players over "
        "websockets in another process. No note crossed the end of its chunk.",
        "",
        f"{os.cpu_count()} cores ({platform.machine()}), load average at the end {os.getloadavg()[0]:.1f}.",
        "",
        HEAD,
        "|" + "---:|" * (HEAD.count("|") - 1),
        *(table_row(row, seconds) for row, seconds in rows),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--ckpt", default="open.safetensors")
    reader.add_argument("--minutes", type=float, default=10.0, help="of the run with one player")
    reader.add_argument("--each", type=float, default=1.0, help="minutes of the runs with several")
    reader.add_argument("--together", type=int, nargs="*", default=[1, 2, 4, 8])
    reader.add_argument("--bpm", type=float, default=120.0)
    reader.add_argument("--threads", type=int, default=0, help="of the server; 0: as many as there are cores")
    reader.add_argument("--out", type=Path)
    reader.add_argument("--players", type=int, help=argparse.SUPPRESS)
    reader.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = reader.parse_args()
    if asked.players:
        players(asked.port, asked.players, asked.minutes * 60, asked.bpm)
        return
    server, rows = Server(asked.ckpt, asked.threads), []
    try:
        for count, minutes in [(1, asked.minutes), *((n, asked.each) for n in asked.together)]:
            if minutes > 0:
                rows.append((server.run(count, minutes * 60, asked.bpm), minutes * 60))
                print(table_row(*rows[-1]), flush=True)
    finally:
        server.stop()
    text = page(asked, rows)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
