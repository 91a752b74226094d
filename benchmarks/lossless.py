"""Put random notes into random bars of every file of a corpus, and let the referee say whether anything else changed.

    python benchmarks/lossless.py --corpus FOLDER --referee midi_diff.py [--seed 1] [--limit N] [--jobs 2]

The referee is a script of its own that shares no code with this project: it reads both files with mido and compares
every event and every note outside the bars that were asked for. `--peers N` also measures, on N files spread over the
corpus, how many events plain readers keep when they read a file and write it again.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import io
import json
import os
import random
import sys
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

import mido

from midigpt_core import MidiGptError, Score
from midigpt_core.score import Bar, Note

_HERE = Path(__file__).resolve().parent
_SHARED = Path(os.environ.get("MIDIGPT_SHARED", _HERE.parents[1] / "shared"))


@dataclass
class Outcome:
    """What one file came to."""

    source: str
    path: str
    fault: str = ""  # empty: nothing outside the bars changed
    figures: dict[str, int] = field(default_factory=dict)


def load_referee(path: Path) -> ModuleType:
    """The referee script as a module."""
    spec = importlib.util.spec_from_file_location("referee", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"no referee script at {path}; name it with --referee")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def put_in(score: Score, dice: random.Random) -> tuple[int, set[int]]:
    """Fill random bars of a random track with random notes, partly at pitches that sound there. Track and bars."""
    track = dice.randrange(len(score.tracks))
    bars = score.tracks[track].bars
    first = dice.randrange(len(bars))
    chosen = set(range(first, min(first + dice.randint(1, 8), len(bars)))) | {dice.randrange(len(bars))}
    pitches = [note.pitch for bar in bars for note in bar.notes]
    for index in chosen:
        bars[index].notes = random_notes(bars[index], score.resolution, pitches, dice)
    return track, chosen


def random_notes(bar: Bar, resolution: int, pitches: list[int], dice: random.Random) -> list[Note]:
    """Up to two dozen notes, some of which hold far past the end of the bar; now and then what was there stays too."""
    length = max(round(bar.beat_length * resolution), 1)
    kept = bar.notes if dice.random() < 0.2 else []
    count = dice.choice([0, 1, 4, 12, 24])
    onsets = [min(round(dice.random() * 16) * length // 16, length - 1) for _ in range(count)]
    longest = dice.choice([length // 8, length, 4 * length]) + 1
    return kept + [
        Note(dice.choice(pitches) if dice.random() < 0.7 else dice.randrange(128), dice.randint(1, 127), onset,
             dice.randrange(longest))
        for onset in onsets
    ]  # fmt: skip


def try_file(path: Path, referee: ModuleType, seed: int) -> Outcome:
    """Read, put notes in, write, compare."""
    outcome = Outcome(path.parent.name, path.name)
    dice = random.Random(zlib.crc32(f"{seed}:{outcome.source}/{path.name}".encode()))
    try:
        score = Score.from_midi(path)
    except MidiGptError as error:
        outcome.fault = f"cannot be read: {error}"
        return outcome
    track, bars = put_in(score, dice)
    wanted = sum(len(score.tracks[track].bars[bar].notes) for bar in bars)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mid"
        score.to_midi(out)
        where = f"{score.tracks[track].midi_track}:{score.tracks[track].channel}"
        spec = ",".join(str(bar + 1) for bar in sorted(bars))
        status, report = ask(referee, [str(path), str(out), "--bars", spec, "--where", where])
    outcome.figures.update(files=1, bars=len(bars), wanted=wanted, **numbers(report))
    outcome.fault = "" if status == 0 else f"--bars {spec} --where {where}: {report.strip().splitlines()[0]}"
    return outcome


def ask(referee: ModuleType, arguments: list[str]) -> tuple[int, str]:
    """The referee's verdict and what it printed."""
    said = io.StringIO()
    before, sys.argv = sys.argv, ["midi_diff", *arguments]
    try:
        with contextlib.redirect_stdout(said):
            status = referee.main()
    finally:
        sys.argv = before
    return status, said.getvalue()


def numbers(report: str) -> dict[str, int]:
    """The counts on the last line of the referee's report."""
    import ast

    counts = ast.literal_eval(report.strip().splitlines()[-1])
    return {key: counts[key] for key in ("events", "notes_outside", "notes_inside_before", "notes_inside_after")}


def _work(job: tuple[list[Path], Path, int]) -> list[Outcome]:
    paths, referee_path, seed = job
    gc.set_threshold(200_000)  # mido makes millions of small objects, none of them in a circle
    referee = load_referee(referee_path)
    return [try_file(path, referee, seed) for path in paths]


def run(paths: list[Path], options: argparse.Namespace) -> list[Outcome]:
    """Every file not in the log yet, in random order and several processes; the outcomes of all."""
    outcomes = (
        [Outcome(**json.loads(row)) for row in options.log.read_text().splitlines()] if options.log.exists() else []
    )
    done = {(outcome.source, outcome.path) for outcome in outcomes}
    left = [path for path in paths if (path.parent.name, path.name) not in done]
    random.Random(options.seed).shuffle(left)
    blocks = [(left[i : i + 20], options.referee, options.seed) for i in range(0, len(left), 20)]
    with ProcessPoolExecutor(options.jobs) as pool, options.log.open("a") as log:
        for block in pool.map(_work, blocks):
            outcomes += block
            log.writelines(json.dumps(asdict(outcome)) + "\n" for outcome in block)
            log.flush()
            faults = sum(bool(outcome.fault) for outcome in outcomes)
            print(f"\r{len(outcomes)}/{len(paths)} files, {faults} faults", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return outcomes


# ---- what other readers keep ----


def events_of(data: bytes) -> Counter[tuple[str, ...]]:
    """Every event of a file but the ends of its tracks, as (kind, tick and content), whichever chunk it stands in."""
    found: Counter[tuple[str, ...]] = Counter()
    midi = mido.MidiFile(file=io.BytesIO(data), clip=True)
    for chunk in midi.tracks:
        tick = 0
        for message in chunk:
            tick += message.time
            if message.type != "end_of_track":
                quarter = round(tick / midi.ticks_per_beat, 3)
                silent = message.type == "note_on" and message.velocity == 0
                kind = "note_off" if silent else message.type
                shown = (message.channel, message.note) if kind == "note_off" else message.copy(time=0)
                found[kind, f"{quarter} {shown}"] += 1
    return found


def through_ours(path: Path) -> bytes:
    """Read and written by this project, the first bar of the first track emptied."""
    score = Score.from_midi(path)
    out = io.BytesIO()
    score.tracks[0].bars[-1].notes.append(Note(60, 64, 0, 1))
    score.to_midi(out)
    return out.getvalue()


def through_pretty_midi(path: Path) -> bytes:
    """Read and written by pretty_midi."""
    import pretty_midi

    out = io.BytesIO()
    pretty_midi.PrettyMIDI(str(path)).write(out)
    return out.getvalue()


def through_midigpt(path: Path) -> bytes:
    """Read and written by the PyPI package midigpt, where it is installed."""
    import midigpt

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mid"
        midigpt.Score.from_midi(str(path)).to_midi(str(out))
        return out.read_bytes()


READERS: dict[str, Callable[[Path], bytes]] = {
    "midigpt-cli": through_ours,
    "midigpt 0.4.2": through_midigpt,
    "pretty_midi": through_pretty_midi,
}
_KINDS = {
    "note-ons": ("note_on",),
    "control changes, bends": ("control_change", "pitchwheel", "aftertouch", "polytouch"),
    "program changes": ("program_change",),
    "tempo changes": ("set_tempo",),
    "time and key signatures": ("time_signature", "key_signature"),
    "names, lyrics, markers, text": (
        "track_name", "instrument_name", "lyrics", "marker", "text", "copyright", "cue_marker", "device_name",
    ),
    "sysex and other meta": ("sysex", "unknown_meta", "sequencer_specific", "midi_port", "channel_prefix",
                             "smpte_offset", "sequence_number"),
}  # fmt: skip


def from_each_source(paths: list[Path], count: int) -> list[Path]:
    """So many files, drawn from every source in turn."""
    by_source: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        by_source[path.parent.name].append(path)
    spread = [group[len(group) // 2 :] + group[: len(group) // 2] for group in by_source.values()]
    return [path for turn in zip_longest(*spread) for path in turn if path][:count]


def compare_readers(paths: list[Path]) -> list[str]:
    """A table: the share of events found again, at their tick, after reading and writing."""
    kept: dict[tuple[str, str], int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    refused: Counter[str] = Counter()
    for path in paths:
        before = events_of(path.read_bytes())
        for label, kinds in _KINDS.items():
            total[label] += sum(n for (kind, _), n in before.items() if kind in kinds)
        for reader, through in READERS.items():
            try:
                after = events_of(through(path))
            except (OSError, ValueError, RuntimeError, ImportError) as error:
                refused[reader] += 1
                print(f"{reader}: {path.name}: {error!r}", file=sys.stderr)
                continue
            for (kind, content), n in (before & after).items():
                for label in (label for label, kinds in _KINDS.items() if kind in kinds):
                    kept[reader, label] += n if content else 0
    lines = [f"| event (in {len(paths)} files) | count | " + " | ".join(READERS) + " |"]
    lines.append("|---|--:" + "|--:" * len(READERS) + "|")
    for label in _KINDS:
        shares = [f"{100 * kept[reader, label] / max(total[label], 1):.1f} %" for reader in READERS]
        lines.append(f"| {label} | {total[label]:,} | " + " | ".join(shares) + " |")
    lines.append("| files refused | | " + " | ".join(str(refused[reader]) for reader in READERS) + " |")
    return lines


# ---- the table ----


def table(outcomes: list[Outcome]) -> list[str]:
    """One row per source, and the sum."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        for name in (outcome.source, "**all**"):
            rows[name].update(outcome.figures, tried=1, equal=not outcome.fault)
    heads = ["files", "equal", "share", "bars rewritten", "notes put in", "of those without a place"]
    heads += ["notes outside, kept", "other events, kept"]
    lines = ["| source | " + " | ".join(heads) + " |", "|---" + "|--:" * len(heads) + "|"]
    for name in [*sorted(set(rows) - {"**all**"}), "**all**"]:
        row = rows[name]
        homeless = row["wanted"] - row["notes_inside_after"]
        cells = [row["bars"], row["wanted"], homeless, row["notes_outside"], row["events"]]
        shown = [f"{row['tried']:,}", f"{row['equal']:,}", f"{100 * row['equal'] / row['tried']:.2f} %"]
        shown += [f"{cell:,}" for cell in cells]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpus = os.environ.get("MIDIGPT_CORPUS", str(_SHARED / "corpus" / "corpus"))
    parser.add_argument("--corpus", type=Path, default=Path(corpus), help="folder of <source>/*.mid")
    parser.add_argument("--referee", type=Path, default=_SHARED / "tools" / "midi_diff.py")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, default=0, help="only so many files, spread over the corpus")
    parser.add_argument(
        "--log", type=Path, default=Path(os.devnull), help="outcomes so far; a stopped run goes on from it"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--peers", type=int, default=0, help="files for the comparison with other readers")
    parser.add_argument("--out", type=Path, default=None, help="also write the tables here")
    options = parser.parse_args()
    paths = sorted(options.corpus.glob("*/*.mid"))
    if not paths:
        raise SystemExit(f"no <source>/*.mid under {options.corpus}; name the corpus with --corpus")
    some = paths if not options.limit else paths[:: max(len(paths) // options.limit, 1)][: options.limit]
    began = time.perf_counter()
    outcomes = run(some, options)
    faults = [outcome for outcome in outcomes if outcome.fault]
    lines = ["# Nothing lost", "", "Written by `benchmarks/lossless.py`; its first lines say how.", ""]
    tried = f"{len(outcomes):,} of {len(paths):,} files, seed {options.seed}"
    lines += [f"{tried}: {len(faults)} not equal outside the rewritten bars.", ""]
    lines += table(outcomes)
    lines += ["", *(f"- {outcome.source}/{outcome.path}: {outcome.fault}" for outcome in faults[:50])]
    if options.peers:
        lines += ["## Read and written by others", "", "Events found again, at their tick, after writing.", ""]
        lines += compare_readers(from_each_source(paths, options.peers))
    print("\n".join(lines))
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)
    if options.out:
        options.out.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
