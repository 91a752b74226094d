"""Many songs in one command, against a command for each, midigpt 0.4.2 in a loop, and workers of a Ray cluster.

    python -m benchmarks.many_songs CORPUS [--songs 1 64 1000]

Four bars of the first track of each song; midigpt chooses among its usual candidates. Each way is timed from its start
to its end; the slowest ways write only the first songs. Ray takes part where it is installed (extra `cluster`). Leave
OMP_NUM_THREADS unset, so that midigpt 0.4.2 uses all processors.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cold import CHECKPOINT, own_temperature
from benchmarks.measure import machine, table
from benchmarks.peer_weights import without_places
from midigpt_core.errors import MidiGptError
from midigpt_core.midi_file import read_score

TABLE = Path(__file__).parent / "results" / "many_songs.md"
FIRST, END = 4, 8  # bars, from 0
COMMAND = [sys.executable, "-m", "midigpt_cli", "infill", "--bars", f"{FIRST + 1}-{END}", "--track", "1", "--quiet"]
QUIET = {**os.environ, "MIDIGPT_HISTORY": "off"}
SAMPLED = 64  # songs that the slow ways write at most

PEER = """
import sys
from pathlib import Path
from midigpt import Score
from midigpt.inference import GenerationRequest, InferenceConfig, InferenceEngine, TrackPrompt

ckpt, temperature, first, end, out, *songs = sys.argv[1:]
engine = InferenceEngine.from_checkpoint(ckpt)
checks = dict(max_attempts=1, novelty_check=False, silence_check=False)
config = InferenceConfig(seed=1, temperature=float(temperature), **checks)
for song in songs:
    score = Score.from_midi(song)
    bars = list(range(int(first), int(end)))
    tracks = [TrackPrompt(id=i, bars=bars if i == 0 else []) for i in range(len(score.tracks))]
    try:
        written = engine.session(score, GenerationRequest(tracks=tracks, config=config)).run()
        written.to_midi(str(Path(out, Path(song).name)))
    except RuntimeError as error:
        print(song, error, file=sys.stderr)
"""


def songs_of(corpus: Path, count: int) -> list[Path]:
    """Songs of 8 to 128 bars and at most 6 tracks, the first one not drums, spread over the corpus."""
    files = sorted(corpus.rglob("*.mid"))
    step = max(1, len(files) // (count * 4))
    spread_out = [file for start in range(step) for file in files[start::step]]
    found: list[Path] = []
    for file in spread_out:
        if len(found) == count:
            break
        try:
            score = read_score(file)
        except MidiGptError:
            continue
        tracks = score.tracks
        if 8 <= score.n_bars <= 128 and 1 <= len(tracks) <= 6 and tracks[0].track_type != "drum":
            found += [file] if any(bar.notes for bar in tracks[0].bars[FIRST:END]) else []
    return found


def one_command(songs: Sequence[Path], out: Path, *options: str) -> None:
    """All songs in one command."""
    subprocess.run([*COMMAND, "--seed", "1", *map(str, songs), "-o", f"{out}/", *options], check=True, env=QUIET)


def command_each(songs: Sequence[Path], out: Path) -> None:
    """A command per song."""
    for song in songs:
        one_command([song], out)


def peer(songs: Sequence[Path], out: Path) -> None:
    """midigpt 0.4.2, loaded once, song after song."""
    with tempfile.TemporaryDirectory() as folder:
        given = [without_places(CHECKPOINT, folder), str(own_temperature()), str(FIRST), str(END), str(out)]
        subprocess.run([sys.executable, "-c", PEER, *given, *map(str, songs)], check=True, stderr=subprocess.DEVNULL)


@dataclass(frozen=True)
class Way:
    """How songs are written, and how many of them at most."""

    name: str
    write: Callable[[Sequence[Path], Path], None]
    most: int


def with_options(name: str, most: int = 1000) -> Way:
    """One command with these options."""
    return Way(f"one command, `{name}`", lambda songs, out: one_command(songs, out, *name.split()), most)


def ways() -> list[Way]:
    """All that can be tried here."""
    found = [
        Way("midigpt 0.4.2, in a loop", peer, SAMPLED),
        Way("a command for each song", command_each, SAMPLED),
        with_options("--jobs 1"),
        with_options("--jobs 2"),
        with_options("--jobs 8", SAMPLED),
    ]
    if importlib.util.find_spec("ray"):
        found.append(with_options("--cluster local --workers 2"))
    return found


def seconds(way: Way, songs: Sequence[Path]) -> float:
    """Wall time per song; the files that were written are thrown away."""
    out = Path(tempfile.mkdtemp())
    try:
        began = time.perf_counter()
        way.write(songs, out)
        spent = time.perf_counter() - began
        print(f"{way.name}: {len(list(out.iterdir()))} of {len(songs)} songs in {spent:.1f} s", flush=True)
        return spent / len(songs)
    finally:
        shutil.rmtree(out)


def rows(songs: Sequence[Path], counts: Sequence[int], rounds: int) -> list[tuple[str, ...]]:
    """A row per way: for each number of songs the best of the rounds, and its ratio to a command for each."""
    cells: dict[str, list[str]] = {way.name: [] for way in ways()}
    each = 0.0
    for count in counts:
        best: dict[str, float] = {}
        for _ in range(rounds):
            for way in ways():
                if count <= max(way.most, min(counts)):
                    best[way.name] = min(best.get(way.name, float("inf")), seconds(way, songs[:count]))
        each = best.get("a command for each song", each)
        for name, told in cells.items():
            told.append(f"{best[name]:.3f} ({each / best[name]:.1f} x)" if name in best else "")
    return [(name, *told) for name, told in cells.items()]


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--songs", type=int, nargs="+", default=[1, 64, 1000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args()
    load, found = os.getloadavg()[0], songs_of(options.corpus, max(options.songs))
    counts = sorted({min(count, len(found)) for count in options.songs})
    with tempfile.TemporaryDirectory() as folder:  # names of their own, so that all can go into one folder
        copies = [Path(shutil.copy(song, Path(folder) / f"{number:04}.mid")) for number, song in enumerate(found)]
        measured = rows(copies, counts, options.rounds)
    options.output.write_text(
        "# Many songs in one command\n\n"
        f"Written by `python -m benchmarks.many_songs`. {machine()}; load average {load:.1f} at the start; rounds: "
        f"{options.rounds}; OMP_NUM_THREADS: {os.environ.get('OMP_NUM_THREADS', 'not set')}. Bars {FIRST + 1}-{END} of "
        "the first track of each song. Wall time per song in seconds, with the start of "
        "every process, and in brackets how many times faster than a command for each song. midigpt 0.4.2 "
        "writes one candidate and checks nothing; midigpt chooses among its usual candidates. A cell is empty where "
        f"a way was not tried with so many songs; there, the ratio is to a command for each of {SAMPLED} songs.\n\n"
        + table(("way", *(f"{count} song{'s' * (count > 1)}" for count in counts)), measured)
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
