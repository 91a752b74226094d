"""Songs a second: many songs in one command, side by side or one by one, against a command for each song.

    python benchmarks/many_songs.py CORPUS --songs 1 16 64 --out benchmarks/results/many_songs.md

Four bars of the first melodic track of each song, a pool of eight candidates. Every command is the installed one, from
its start to its end; the ways take turns for each number of songs, and each is told as a ratio to a command per song.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from midigpt_core.errors import MidiGptError
from midigpt_core.midi_file import read_score

COMMAND = [sys.executable, "-m", "midigpt_cli", "infill", "--bars", "5-8", "--track", "melodic", "--seed", "1", "-q"]
QUIET = {**os.environ, "MIDIGPT_HISTORY": "off"}


def songs_of(corpus: Path, count: int) -> list[Path]:
    """Songs of 8 to 128 bars with one melodic track and drums or another one, spread over the corpus."""
    files = sorted(corpus.rglob("*.mid"))
    found: list[Path] = []
    for file in files[:: max(1, len(files) // (count * 8))]:
        try:
            score = read_score(file)
        except MidiGptError:
            continue
        melodic = [track for track in score.tracks if track.track_type != "drum"]
        if 8 <= score.n_bars <= 128 and 1 <= len(melodic) <= 4 and any(bar.notes for bar in melodic[0].bars[4:8]):
            found.append(file)
        if len(found) == count:
            break
    return found


def one_command(songs: Sequence[Path], out: Path, *options: str) -> None:
    """All songs in one command."""
    subprocess.run([*COMMAND, *map(str, songs), "-o", f"{out}/", *options], check=True, env=QUIET)


def command_each(songs: Sequence[Path], out: Path) -> None:
    """A command per song."""
    for song in songs:
        one_command([song], out)


WAYS: dict[str, Callable[[Sequence[Path], Path], None]] = {
    "a command each": command_each,
    "--jobs 1": lambda songs, out: one_command(songs, out, "--jobs", "1"),
    "--jobs 8": lambda songs, out: one_command(songs, out, "--jobs", "8"),
}


def seconds(way: Callable[[Sequence[Path], Path], None], songs: Sequence[Path]) -> float:
    """Wall time of one way; the files it writes are thrown away."""
    out = Path(tempfile.mkdtemp())
    try:
        began = time.perf_counter()
        way(songs, out)
        return time.perf_counter() - began
    finally:
        shutil.rmtree(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--songs", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = songs_of(options.corpus, max(options.songs))
    with tempfile.TemporaryDirectory() as folder:  # names of their own, so that all can go into one folder
        copies = [Path(shutil.copy(song, Path(folder) / f"{number:04}.mid")) for number, song in enumerate(found)]
        lines = table(copies, options.songs, options.rounds)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


def table(songs: Sequence[Path], counts: Sequence[int], rounds: int) -> list[str]:
    """The table, a row per number of songs."""
    cores = os.cpu_count()
    lines = [
        "# Many songs in one command",
        "",
        f"{platform.processor() or platform.machine()}, {cores} cores, Python {platform.python_version()}; "
        f"`benchmarks/many_songs.py`, {rounds} round(s); wall time per song in seconds, and in brackets how many times "
        "cheaper than a command each.",
        "",
        "| songs | " + " | ".join(WAYS) + " |",
        "|--:|" + "--:|" * len(WAYS),
    ]
    for count in counts:
        spent = {name: min(seconds(way, songs[:count]) for _ in range(rounds)) / count for name, way in WAYS.items()}
        base = spent["a command each"]
        cells = [f"{value:.3f} ({base / value:.1f})" for value in spent.values()]
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
