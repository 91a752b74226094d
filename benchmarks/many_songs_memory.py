"""Memory of one command on many songs, as its manifest grows.

    python -m benchmarks.many_songs_memory CORPUS [--jobs 8] [--pool 8] [--songs 2000] [--seconds 210]

Prints the columns of results/many_songs_memory.md; a command that takes longer than --seconds is ended there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import machine, table

COMMAND = [
    sys.executable,
    "-m",
    "midigpt_cli",
    "infill",
    "--bars",
    "5-8",
    "--track",
    "melodic",
    "--seed",
    "1",
    "--quiet",
]
STEP = 100  # songs between two rows
LOOK_SECONDS = 0.1


def megabytes(process: int, what: str) -> int | None:
    """VmRSS (now) or VmHWM (at most) of a process; nothing once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith(what)), None)


def spread_over(corpus: Path, count: int) -> list[str]:
    """Songs spread over the corpus."""
    files = sorted(corpus.rglob("*.mid"))
    return [str(file) for file in files[:: max(1, len(files) // count)][:count]]


def measured(words: list[str], manifest: Path, seconds: float) -> tuple[list[tuple[str, str]], int]:
    """A row per hundred songs, and the most; how many songs were gone through."""
    rows, done, most = [], 0, 0
    running = subprocess.Popen(words, stderr=subprocess.DEVNULL, env={**os.environ, "MIDIGPT_HISTORY": "off"})
    end = time.monotonic() + seconds
    while running.poll() is None and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
        now, most = megabytes(running.pid, "VmRSS"), megabytes(running.pid, "VmHWM") or most
        done = manifest.read_bytes().count(b"\n") if manifest.is_file() else 0
        if now and done >= STEP * (len(rows) + 1):
            rows.append((str(STEP * (len(rows) + 1)), str(now)))
    running.terminate()
    running.wait()
    return [*rows, ("most", str(most))], done


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--pool", type=int, default=8)
    parser.add_argument("--songs", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=210)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder, "made.jsonl")
        words = [*COMMAND, *spread_over(options.corpus, options.songs), "-o", f"{folder}/out/", "--force"]
        words += ["--filename", "{stem}.{take}.mid", "--jobs", str(options.jobs), "--pool", str(options.pool)]
        rows, done = measured([*words, "--manifest", str(manifest)], manifest, options.seconds)
        written = manifest.read_text(encoding="utf-8").count('"ok": true')
    asked = f"--jobs {options.jobs} --pool {options.pool}"
    print(f"{machine()}; {asked}; {done} songs gone through, {written} of them written\n")
    print(table(("songs", "MB"), rows))


if __name__ == "__main__":
    main()
