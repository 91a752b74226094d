"""Render known MIDI to audio, transcribe it, and count how many notes come back: python benchmarks/transcribe.py

Samples and, where MIDIGPT_CORPUS names the corpus, pieces from it; the first 30 seconds of each. Drums are rendered or
left out, as the column says, and never counted as notes. Writes benchmarks/results/transcribe.md.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from midigpt_core.audio.find_soundfont import find_soundfont
from midigpt_core.audio.mixer import play
from midigpt_core.audio.performance import DRUMS, Performance, perform
from midigpt_core.audio.pitch_model import RATE
from midigpt_core.audio.soundfont import SoundFont
from midigpt_core.audio.transcribe import TranscribeSettings, Transcription, transcribe_samples
from midigpt_core.midi_file import MidiSource

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 30.0
TOLERANCE = 0.05  # seconds an onset may be off, as in mir_eval
PIECES = (
    "nottingham/ashover1.mid",
    "pop909/001.mid",
    "pop909/048.mid",
    "openscore-quartets/Arriaga__Juan_Crisostomo_de__String_Quartet_No.1_in_D_minor_sq13744399.mid",
    "openscore-lieder/Abbott__Just_for_Today__lc6583477.mid",
    "mutopia/AbtF__Vocalise1__Vocalise1.mid",
    "elvis-madrigals/02_Deh_quant_e_dolc_amor.mid",
    "easyrpg/Castle_1.mid",
    "simutrans/01-Simutrans-Main-Theme.mid",
    "freedoom/d_dm01.mid",
)


class Row(NamedTuple):
    """One piece."""

    name: str
    drums: str
    notes: int
    precision: float
    recall: float
    f1: float
    onset_error_ms: float  # median of the matched notes, without their sign
    bpm: str
    speed: float  # seconds of audio per second


def onsets_by_pitch(notes: list[tuple[float, int]]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for start, pitch in sorted(notes):
        found[pitch].append(start)
    return found


def matches(reference: list[tuple[float, int]], heard: list[tuple[float, int]]) -> list[float]:
    """Onset errors of as many pairs of equal pitch within TOLERANCE as there can be, each note used once."""
    errors = []
    others = onsets_by_pitch(heard)
    for pitch, starts in onsets_by_pitch(reference).items():
        mine, theirs, j = starts, others.get(pitch, []), 0
        for start in mine:
            while j < len(theirs) and theirs[j] < start - TOLERANCE:
                j += 1
            if j < len(theirs) and theirs[j] <= start + TOLERANCE:
                errors.append(abs(theirs[j] - start))
                j += 1
    return errors


def judge(song: Path, font: SoundFont, with_drums: bool) -> Row:
    whole = perform(MidiSource(song.read_bytes(), song.name))
    parts = [p for p in whole.parts if with_drums or p.notes[0].bank != DRUMS]
    sound = play(Performance(parts, whole.seconds), font, RATE)[: round(SECONDS * RATE)].mean(axis=1)
    sound = (sound / max(np.abs(sound).max(), 1e-9) * 0.9).astype(np.float32)
    began = time.perf_counter()
    found = transcribe_samples(sound, TranscribeSettings())
    took = time.perf_counter() - began
    edge = min(SECONDS, whole.seconds) - 0.2
    reference = [(n.start, n.pitch) for p in parts for n in p.notes if n.bank != DRUMS and n.start < edge]
    heard = [(n.start, n.pitch) for n in found.notes if n.start < edge]
    errors = matches(reference, heard)
    precision, recall = len(errors) / max(len(heard), 1), len(errors) / max(len(reference), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    drums = "-" if all(p.notes[0].bank != DRUMS for p in whole.parts) else "with" if with_drums else "without"
    error = 1000 * float(np.median(errors)) if errors else 0.0
    tempo = tempi(song, found)
    return Row(song.stem[:34], drums, len(reference), precision, recall, f1, error, tempo, len(sound) / RATE / took)


def tempi(song: Path, found: Transcription) -> str:
    """The file's first tempo and the one estimated."""
    from midigpt_core.midi_file import read_score

    return f"{60e6 / read_score(song).tempo:.1f} / {found.pulse.bpm:.1f}"


def pieces(corpus: Path | None) -> Iterator[Path]:
    yield from sorted((ROOT / "samples").glob("*.mid"))
    if corpus:
        yield from (corpus / name for name in PIECES if (corpus / name).is_file())


def table(rows: list[Row], font: str) -> str:
    lines = [
        "# Transcription of rendered MIDI",
        "",
        f"First {SECONDS:.0f} s of each piece, rendered by the built-in engine with {font}, transcribed with default "
        f"settings. A note counts as found when its pitch is right and its onset within {1000 * TOLERANCE:.0f} ms "
        "(offsets are not judged); drum hits are never counted. Tempo: the file's first / estimated, in beats per "
        "minute. Speed: seconds of audio per second, one thread where the row was measured.",
        "",
        "| piece | drums | notes | precision | recall | F1 | onset error, ms | tempo | speed |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        lines.append(
            f"| {r.name} | {r.drums} | {r.notes} | {r.precision:.2f} | {r.recall:.2f} | {r.f1:.2f} "
            f"| {r.onset_error_ms:.0f} | {r.bpm} | {r.speed:.0f}x |"
        )
    mean = np.mean([[r.precision, r.recall, r.f1] for r in rows], axis=0)
    lines.append(f"| **mean of {len(rows)}** | | | {mean[0]:.2f} | {mean[1]:.2f} | {mean[2]:.2f} | | | |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "transcribe.md")
    corpus = os.environ.get("MIDIGPT_CORPUS")
    font = SoundFont(find_soundfont())
    rows = []
    for song in pieces(Path(corpus) if corpus else None):
        has_drums = any(n.bank == DRUMS for p in perform(MidiSource(song.read_bytes())).parts for n in p.notes)
        only_drums = all(n.bank == DRUMS for p in perform(MidiSource(song.read_bytes())).parts for n in p.notes)
        for with_drums in (True, False) if has_drums else (True,):
            if not only_drums:
                rows.append(judge(song, font, with_drums))
                print(rows[-1], flush=True)
    parser.parse_args().out.write_text(table(rows, font.path.name), encoding="utf-8")


if __name__ == "__main__":
    main()
