"""Fill in random bars of many songs with random options, in one process, and check every file that comes out.

    python benchmarks/infill_corpus.py [--corpus FOLDER] [--referee midi_diff.py] [--songs 220] [--seed 1] [--out FILE]

Each song runs the whole command (`midigpt infill ...`) with a tiny random model. Afterwards, on the notes of the
written file: the referee finds nothing changed outside the bars asked for, the bars asked for are new, silence and
novelty checks hold, pitches, scales, grids, locked rhythms, remixed shares and hard limits hold, exit codes are those
promised, and the memory of the process does not grow from song to song.
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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parent))

from infill_rules import Case, broken_rules

from midigpt_cli.exit_codes import DONE, NO_MODEL, REJECTED, UNREADABLE, USAGE
from midigpt_cli.main import run
from midigpt_core import Score
from midigpt_core.midi_file.midi_bytes import take

_BESIDE = Path(__file__).resolve().parents[2] / "shared"
CORPUS = Path(os.environ.get("MIDIGPT_CORPUS", _BESIDE / "corpus" / "corpus"))
REFEREE = Path(os.environ.get("MIDIGPT_REFEREE", _BESIDE / "tools" / "midi_diff.py"))
TABLE = Path(__file__).resolve().parent / "results" / "infill_corpus.md"
MAX_BYTES = 80_000  # of a song
MEMORY_EVERY = 20  # songs

Make = Callable[[random.Random], list[str]]

OPTIONS: dict[str, Make] = {
    "--mask-mode": lambda r: [
        "--mask-mode",
        r.choice(["token", "attention", "attention_approx", "attention_skip", "remove"]),
    ],
    "--window": lambda r: ["--window", r.choice(["4", "8", "12", "16", "auto"])],
    "--takes": lambda r: ["--takes", "2", "--keep-best", "1"],
    "--temperature": lambda r: ["--temperature", f"{r.uniform(0.6, 1.4):.2f}", "--temperature-escalation", "1.1"],
    "--top-p": lambda r: ["--top-p", f"{r.uniform(0.5, 1):.2f}"],
    "--top-k": lambda r: ["--top-k", str(r.randint(4, 200)), "--mask-k", "2"],
    "--mask-p": lambda r: ["--mask-p", f"{r.uniform(0, 0.4):.2f}"],
    "--max-density": lambda r: ["--max-density", str(r.randint(1, 8))],
    "--max-polyphony": lambda r: ["--max-polyphony", str(r.randint(1, 4))],
    "--pitch-range": lambda r: ["--pitch-range", f"{r.randint(30, 50)}-{r.randint(60, 90)}"],
    "--scale": lambda r: [
        "--scale",
        f"{r.choice(['C', 'D', 'Eb', 'F#', 'A'])}:{r.choice(['major', 'minor', 'blues', 'dorian'])}",
    ],
    "--grid": lambda r: ["--grid", r.choice(["quarter", "eighth", "sixteenth", "eighth_triplet"])],
    "--rhythm-lock": lambda r: ["--rhythm-lock"],
    "--remix": lambda r: ["--remix", f"{r.uniform(0.1, 1):.2f}"],
    "--novelty": lambda r: ["--novelty", "--novelty-threshold", "0.5", "--novelty-against", "original"],
    "--no-repeat": lambda r: ["--no-repeat", str(r.randint(3, 5))],
    "--bars-per-step": lambda r: ["--bars-per-step", str(r.randint(1, 4))],
    "--tracks-per-step": lambda r: ["--tracks-per-step", "1", "--shuffle"],
    "--attribute": lambda r: ["--attribute", f"note_density={r.randint(0, 9)}", "--guidance", "1.5"],
    "--attribute-source": lambda r: ["--attribute-source", "original"],
    "--ignore-track": lambda r: ["--ignore-track", "1"],
}
CLASHES = ({"--grid", "--rhythm-lock", "--remix"}, {"--novelty", "--remix", "--rhythm-lock"}, {"--top-k", "--top-p"})
ONLY_MELODIC = {"--pitch-range", "--scale"}


@dataclass
class Tally:
    """What was found so far."""

    songs: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    options: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)  # rule -> songs it was checked on
    problems: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory: list[tuple[int, float]] = field(default_factory=list)  # songs, MiB


def chosen_songs(corpus: Path, count: int, seed: int) -> list[Path]:
    """Songs of moderate size from every folder of the corpus, in random order."""
    found = [file for file in sorted(corpus.glob("*/*.mid")) if file.stat().st_size <= MAX_BYTES]
    random.Random(seed).shuffle(found)
    by_folder: dict[str, list[Path]] = {}
    for file in found:
        by_folder.setdefault(file.parent.name, []).append(file)
    turns = [files[turn] for turn in range(len(found)) for files in by_folder.values() if turn < len(files)]
    return turns[:count]


def make_model(folder: Path) -> Path:
    """A tiny model with random weights and the built-in vocabulary."""
    import torch

    import midigpt_core.tokens
    from midigpt_core.model.checkpoint import save_checkpoint
    from midigpt_core.model.gpt2 import GPT2
    from midigpt_core.model.shape import GPT2Config
    from midigpt_core.tokens.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_config(Path(midigpt_core.tokens.__file__).parent / "open_encoder.json")
    torch.manual_seed(0)
    file = folder / "tiny.safetensors"
    save_checkpoint(file, GPT2(GPT2Config(tokenizer.vocab_size, 2048, 32, 2, 2)), tokenizer.config)
    return file


def random_case(file: Path, rng: random.Random) -> Case | None:
    """Tracks, bars and options for one song; None where it has no bars to fill in."""
    score = Score.from_midi(file)
    sounding = [number for number, track in enumerate(score.tracks) if any(bar.notes for bar in track.bars)]
    if not sounding or score.n_bars < 2:
        return None
    tracks = sorted(rng.sample(sounding, min(len(sounding), rng.choice([1, 1, 2, 3]))))
    first = rng.randrange(score.n_bars)
    bars = list(range(first, min(score.n_bars, first + rng.randint(1, 4))))
    names = set(rng.sample(sorted(OPTIONS), rng.randint(0, 3)))
    for clash in CLASHES:
        for name in sorted(names & clash)[1:]:
            names.discard(name)
    if all(score.tracks[number].track_type == "drum" for number in tracks):
        names -= ONLY_MELODIC
    if 0 in tracks or len(score.tracks) < 2:
        names.discard("--ignore-track")
    options = {name: OPTIONS[name](rng) for name in sorted(names)}
    return Case(file, score, tracks, bars, options)


def fill_in(case: Case, model: Path, out: Path, seed: int) -> tuple[int, dict[str, object]]:
    """The command's exit code and its JSON."""
    words = ["infill", str(case.file), "--bars", f"{case.bars[0] + 1}-{case.bars[-1] + 1}", "-m", str(model)]
    words += [word for track in case.tracks for word in ("--track", str(track + 1))]
    words += [word for option in case.options.values() for word in option]
    words += ["--seed", str(seed), "-o", str(out), "--json", "-q", "--max-attempts", "3"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        code = run(words)
    text = said.getvalue()
    return code, json.loads(text) if text else {}


def judge(case: Case, code: int, out: Path, referee: ModuleType, tally: Tally) -> Iterator[str]:
    """What is wrong with one result."""
    if code == REJECTED:
        if out.exists():
            yield "a rejected attempt was written"
        return
    if code != DONE:
        yield f"exit code {code}"
        return
    where = [f"{case.score.tracks[t].midi_track}:{case.score.tracks[t].channel}" for t in case.tracks]
    words = [str(case.file), str(out), "--bars", ",".join(str(bar + 1) for bar in case.bars), "--where", *where]
    verdict, words_said = ask_referee(referee, words)
    tally.rules["the referee finds nothing else changed"] += 1
    if verdict != 0:
        yield f"the referee says {words_said[:300]}"
    yield from broken_rules(case, Score.from_midi(out), tally.rules)


def ask_referee(referee: ModuleType, words: list[str]) -> tuple[int, str]:
    """The referee's exit status, and what it printed."""
    before, said = sys.argv, io.StringIO()
    sys.argv = ["midi_diff", *words]
    try:
        with contextlib.redirect_stdout(said):
            return referee.main(), said.getvalue()
    finally:
        sys.argv = before


def wrong_usage(case: Case, model: Path, out: Path) -> Iterator[str]:
    """Requests that cannot be met give the promised exit codes and write nothing."""
    data = take(case.file).data
    broken = out.with_name("broken.mid")
    broken.write_bytes(data[: len(data) // 3])
    trials = (
        ([str(case.file), "--bars", str(case.score.n_bars + 1), "-m", str(model)], {USAGE}),
        ([str(case.file), "--bars", "1", "--attribute", "loudness=3", "-m", str(model)], {USAGE}),
        ([str(broken), "--bars", "1", "-m", str(model)], {UNREADABLE, DONE, REJECTED, USAGE}),  # cut songs may be songs
        ([str(case.file), "--bars", "1", "-m", str(out.with_name("none.safetensors"))], {NO_MODEL}),
    )
    for words, codes in trials:
        out.unlink(missing_ok=True)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            code = run(["infill", *words, "-o", str(out), "-q"])
        if code not in codes or (out.exists() and code != DONE):
            yield f"exit code {code} instead of {sorted(codes)} for {words[1:-2]}"
    out.unlink(missing_ok=True)


def memory() -> float:
    """Resident memory of this process in MiB; 0 where the system does not tell."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def go(corpus: Path, referee_file: Path, count: int, seed: int) -> Tally:
    """Run every song."""
    spec = importlib.util.spec_from_file_location("midi_diff", referee_file)
    assert spec is not None
    assert spec.loader is not None
    referee = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(referee)
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        model, out = make_model(Path(folder)), Path(folder) / "out.mid"
        for number, file in enumerate(chosen_songs(corpus, count * 2, seed)):
            if tally.songs == count:
                break
            one_song(file, random.Random(seed * 100_003 + number), (model, out, referee), tally)
            if tally.songs % MEMORY_EVERY == 0 and (not tally.memory or tally.memory[-1][0] != tally.songs):
                tally.memory.append((tally.songs, memory()))
                print(tally.songs, f"{tally.memory[-1][1]:.0f} MiB", len(tally.problems), "problems", flush=True)
    return tally


def one_song(file: Path, rng: random.Random, tools: tuple[Path, Path, ModuleType], tally: Tally) -> None:
    """Fill in one song and judge the result."""
    model, out, referee = tools
    case = random_case(file, rng)
    if case is None:
        return
    out.unlink(missing_ok=True)
    started = time.perf_counter()
    code, _ = fill_in(case, model, out, rng.randrange(1 << 30))
    tally.seconds.append(time.perf_counter() - started)
    tally.songs += 1
    tally.codes[code] += 1
    tally.options.update(list(case.options))
    wrong = list(judge(case, code, out, referee, tally))
    if tally.songs % 10 == 0:
        wrong += wrong_usage(case, model, out)
    for problem in wrong:
        words = " ".join(word for option in case.options.values() for word in option)
        place = f"{file.parent.name}/{file.name}, bars {case.bars[0] + 1}-{case.bars[-1] + 1}"
        tally.problems.append(f"{place}, tracks {[t + 1 for t in case.tracks]}, {words}: {problem}")
        print(tally.problems[-1], flush=True)


def table(tally: Tally, seed: int) -> str:
    """The result as a page of Markdown."""
    codes = ", ".join(f"{code}: {count}" for code, count in sorted(tally.codes.items()))
    lines = [
        "# Filling in a corpus",
        "",
        f"`python benchmarks/infill_corpus.py --songs {tally.songs} --seed {seed}`: one process, a tiny random model.",
        f"Exit codes {codes}. Problems: {len(tally.problems)}. Median {median(tally.seconds):.2f} s a song.",
        "",
        "| rule | songs it was checked on |",
        "|---|---|",
        *(f"| {rule} | {count} |" for rule, count in sorted(tally.rules.items())),
        "",
        "| option | songs |",
        "|---|---|",
        *(f"| `{option}` | {count} |" for option, count in sorted(tally.options.items())),
        "",
        "| songs so far | resident memory, MiB |",
        "|---|---|",
        *(f"| {songs} | {mib:.0f} |" for songs, mib in tally.memory),
        *(["", "Problems:", ""] if tally.problems else []),
        *(f"- {problem}" for problem in tally.problems),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the table; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--referee", type=Path, default=REFEREE)
    parser.add_argument("--songs", type=int, default=220)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    tally = go(asked.corpus, asked.referee, asked.songs, asked.seed)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(table(tally, asked.seed))
    return int(bool(tally.problems))


if __name__ == "__main__":
    raise SystemExit(main())
