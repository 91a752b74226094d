"""How many bars other programs count in the files of a corpus, and how many we do.

    python benchmarks/bar_counts.py --corpus FOLDER [--files 250] [--music21 60] [--out results/bar_counts.md]

Counted by: midigpt-cli (all bars, and those up to the last in which a note begins), pretty_midi (its downbeats),
symusic (bars of its time signatures up to `end()`), music21 (measures of its longest part), MIDI-GPT 0.4.2 (bars of its
score). Those that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import table
from midigpt_core import MidiGptError, Score

Count = Callable[[Path], int]


def by_pretty_midi(path: Path) -> int:
    import pretty_midi

    return len(pretty_midi.PrettyMIDI(str(path)).get_downbeats())


def by_symusic(path: Path) -> int:
    import symusic

    song = symusic.Score(str(path))
    signs = [(s.time, s.numerator, s.denominator) for s in song.time_signatures]
    changes = sorted({time: (upper, lower) for time, upper, lower in signs}.items())
    if not changes or changes[0][0] > 0:
        changes.insert(0, (0, (4, 4)))
    bars, end = 0, song.end()
    for number, (start, (upper, lower)) in enumerate(changes):
        stop = changes[number + 1][0] if number + 1 < len(changes) else max(end, start)
        bars += -(-(stop - start) * lower // (song.ticks_per_quarter * 4 * upper))
    return bars


def by_music21(path: Path) -> int:
    from music21 import converter

    song = converter.parse(path, format="midi", forceSource=True)
    return max(len(part.getElementsByClass("Measure")) for part in song.parts)


def by_peer(path: Path) -> int:
    import midigpt

    return max(len(track.bars) for track in midigpt.Score.from_midi(str(path)).tracks)


OTHERS: dict[str, tuple[str, Count]] = {
    "pretty_midi": ("pretty_midi", by_pretty_midi),
    "symusic": ("symusic", by_symusic),
    "music21": ("music21", by_music21),
    "MIDI-GPT 0.4.2": ("midigpt", by_peer),
}


def compare(name: str, count: Count, files: list[Path]) -> list[object]:
    """One row: how many bars fewer or more the other counts than we do."""
    differences: Counter[str] = Counter()
    for file in files:
        try:
            ours = Score.from_midi(file)
        except MidiGptError:
            continue
        try:
            theirs = count(file)
        except Exception as error:  # noqa: BLE001  (whatever breaks another program is a row of the table)
            differences["cannot read it"] += 1
            print(f"{name}: {file.name}: {error!r}"[:160], file=sys.stderr)
            continue
        differences[_words(theirs - ours.n_bars)] += 1
        differences["heard"] += theirs == ours.heard_bars
    kinds = ("more than one fewer", "one fewer", "the same", "one more", "more than one more", "cannot read it")
    return [name, len(files), *(differences[kind] for kind in kinds), differences["heard"]]


def _words(difference: int) -> str:
    if difference == 0:
        return "the same"
    number = "one" if abs(difference) == 1 else "more than one"
    return f"{number} {'more' if difference > 0 else 'fewer'}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path, default=Path(os.environ.get("MIDIGPT_CORPUS", ".")))
    parser.add_argument("--files", type=int, default=250, help="spread over the corpus")
    parser.add_argument("--music21", type=int, default=60, help="files of those that music21 reads: it is slow")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    every = sorted(options.corpus.glob("*/*.mid"))
    files = every[:: max(1, len(every) // options.files)][: options.files]
    head = ["counted by", "files", "2 or more fewer", "1 fewer", "same as ours", "1 more", "2 or more more"]
    head += ["cannot read it", "same as our bars up to the last note that begins"]
    rows = []
    for name, (module, count) in OTHERS.items():
        if importlib.util.find_spec(module):
            chosen = files[:: max(1, len(files) // options.music21)] if module == "music21" else files
            rows.append(compare(name, count, chosen))
    text = "# Bars that other programs count\n\nWritten by `benchmarks/bar_counts.py`; its first lines say how.\n\n"
    text += table(head, rows) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
