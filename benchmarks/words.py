"""How far music asked for in words comes out as asked: python benchmarks/words.py (runs the installed command)."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from midigpt_core import Score
from midigpt_core.music import bpm_of

PROMPTS = (
    "sparse funk bass in E minor, 100 bpm",
    "busy funk bass in E minor, 100 bpm",
    "sparse piano in C major at 80",
    "busy piano in C major at 80",
    "sparse drums, 120 bpm",
    "busy drums, 120 bpm",
    "violin melody in D minor, 3/4, 90 bpm",
    "flute in G major, allegro",
    "jazz trio: piano, double bass and drums in Bb major, 140 bpm",
    "legato strings in A minor, slow",
    "lead trumpet in F major, 110 bpm",
    "staccato clarinet in G minor, 132 bpm",
)
SEEDS = (1, 2)


@dataclass(frozen=True)
class Row:
    """What came out of one prompt."""

    prompt: str
    instruments: bool
    tempo: bool
    in_scale: float | None  # share of melodic notes in the scale; None where none is asked for
    key: str  # as midigpt info reads it from the notes
    per_bar: float  # notes per bar and track


def measured(prompt: str, seed: int, folder: Path) -> Row:
    """Generate through the command and look at the file."""
    file = folder / "new.mid"
    words = ["midigpt", "generate", "--prompt", prompt, "--bars", "8", "-o", str(file), "--force", "--json"]
    told = subprocess.run([*words, "--seed", str(seed)], capture_output=True, check=True, text=True).stdout
    understood = json.loads(told)["understood"]
    facts = json.loads(
        subprocess.run(["midigpt", "info", str(file), "--json"], capture_output=True, check=True, text=True).stdout
    )
    score = Score.from_midi(file)
    wanted = sorted(-1 if part["program"] is None else part["program"] for part in understood["parts"])
    found = sorted(-1 if track.track_type == "drum" else track.instrument for track in score.tracks)
    pitches = [n.pitch for t in score.tracks if t.track_type != "drum" for bar in t.bars for n in bar.notes]
    notes = sum(len(bar.notes) for track in score.tracks for bar in track.bars)
    return Row(
        prompt,
        wanted == found,
        abs(bpm_of(score.tempo) - understood["bpm"]) < 0.01,
        _share(pitches, understood["scale"]),
        str(facts["key_by_notes"] or ""),
        notes / score.n_bars / len(score.tracks),
    )


def _share(pitches: Sequence[int], scale: str | None) -> float | None:
    from midigpt_cli.parse.control_values import scale as scale_of
    from midigpt_core.constraints.controls import SCALES

    if scale is None or not pitches:
        return None
    mask = scale_of(scale)
    classes = {(mask["root"] + step) % 12 for step in SCALES[mask["scale"]]}
    return sum(pitch % 12 in classes for pitch in pitches) / len(pitches)


def main() -> None:
    """Print the table."""
    print("| prompt | seed | instruments | tempo | notes in scale | key by its notes | notes per bar and track |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for prompt in PROMPTS:
            for seed in SEEDS:
                row = measured(prompt, seed, Path(folder))
                scale = "" if row.in_scale is None else f"{row.in_scale:.0%}"
                told = (prompt, seed, _yes(row.instruments), _yes(row.tempo), scale, row.key, f"{row.per_bar:.1f}")
                print(f"| {' | '.join(map(str, told))} |", flush=True)


def _yes(right: bool) -> str:
    return "as asked" if right else "otherwise"


if __name__ == "__main__":
    main()
