"""How fast songs become audio, and how loud they are: python benchmarks/render.py

Samples and, where MIDIGPT_CORPUS names the corpus, long and dense pieces from it, with every engine found here. Seconds
are processor seconds (fluidsynth: of its own process), so that a busy machine does not change them much. Writes
benchmarks/results/render.md.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from midigpt_core.audio.fluidsynth import fluidsynth_command
from midigpt_core.audio.levels import AudioFacts
from midigpt_core.audio.performance import perform
from midigpt_core.audio.synthesis import render_audio
from midigpt_core.midi_file import MidiSource

ROOT = Path(__file__).resolve().parents[1]
PIECES = (
    "freedoom/d_dm01.mid",
    "freedoom/d_bunny.mid",
    "simutrans/01-Simutrans-Main-Theme.mid",
    "easyrpg/Castle_1.mid",
    "pop909/001.mid",
    "openscore-quartets/Bartok__Bela__String_Quartet_No.1__Op.7__Sz.40__sq7295726.mid",
)


class Row(NamedTuple):
    """One song with one engine."""

    name: str
    tracks: int
    notes: int
    facts: AudioFacts
    cpu: float


def measured(song: Path, engine: str, folder: Path) -> Row:
    parts = perform(MidiSource(song.read_bytes(), song.name)).parts
    before = os.times()
    facts = render_audio(song, folder / f"{engine}.wav", engine=engine)
    after = os.times()
    cpu = sum(after[:4]) - sum(before[:4])
    return Row(song.stem[:34], len(parts), sum(len(part.notes) for part in parts), facts, cpu)


def table(rows: list[Row]) -> str:
    lines = [
        "# Rendering",
        "",
        "To 16-bit stereo .wav at 44,100 Hz, one process, writing included; speed is seconds of music per processor "
        "second. Every file is brought to a peak of -1 dBFS; clipped counts samples at full scale.",
        "",
        "| song | channels | notes | engine | seconds | processor s | speed | peak dBFS | RMS dBFS | clipped |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        f = r.facts
        lines.append(
            f"| {r.name} | {r.tracks} | {r.notes} | {f.engine} | {f.seconds:.1f} | {r.cpu:.1f} "
            f"| {f.seconds / max(r.cpu, 1e-3):.0f}x | {f.peak_dbfs:.1f} | {f.rms_dbfs:.1f} | {f.clipped} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    corpus = os.environ.get("MIDIGPT_CORPUS")
    songs = sorted((ROOT / "samples").glob("*.mid"))
    songs += [Path(corpus) / name for name in PIECES if (Path(corpus) / name).is_file()] if corpus else []
    engines = ["builtin"] + (["fluidsynth"] if fluidsynth_command() else [])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for song in songs:
            for engine in engines:
                rows.append(measured(song, engine, Path(folder)))
                print(rows[-1], flush=True)
    (ROOT / "benchmarks" / "results" / "render.md").write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
