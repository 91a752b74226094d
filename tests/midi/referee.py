"""Ask whether two files differ only in the notes of certain bars: the referee script, and our own eye."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from midigpt_core.midi_file.chunks import split
from midigpt_core.midi_file.events import read_events
from midigpt_core.midi_file.pair_notes import pair_notes

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "tools" / "midi_diff.py"


def referee_main():  # type: ignore[no-untyped-def]
    """The referee's `main`; skips the test where the script is not there."""
    path = Path(os.environ.get("MIDIGPT_REFEREE", _DEFAULT))
    if not path.is_file():
        pytest.skip(f"set MIDIGPT_REFEREE to run this: {path} is not there")
    spec = importlib.util.spec_from_file_location("midi_diff", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def verdict(main, original: Path, out: Path, bars: set[int], where: str) -> int:  # type: ignore[no-untyped-def]
    """The referee's exit status; bars count from 0 here."""
    before = sys.argv
    sys.argv = ["midi_diff", str(original), str(out), "--bars", ",".join(str(bar + 1) for bar in sorted(bars))]
    sys.argv += ["--where", where]
    try:
        return main()
    finally:
        sys.argv = before


def not_notes(data: bytes) -> list[list[tuple[int, bytes]]]:
    """Per track chunk, every event that is neither a note-on nor a note-off, and the stray and hanging ones."""
    found = []
    for body in split(data, "test").tracks:
        events = read_events(body, "test").events
        found.append([item for item in events if item[1][0] & 0xE0 != 0x80])
    return found


def notes_outside(data: bytes, chunk: int, channel: int, spans: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Every note, hanging note and stray note-off of the file but the notes of one place that begin in the spans."""
    found: list[tuple[int, ...]] = []
    for index, body in enumerate(split(data, "test").tracks):
        for played_on, part in pair_notes(read_events(body, "test").events).items():
            notes = [note[:4] for note in part.notes] + [(tick, -1, pitch, 0) for tick, pitch, _, _ in part.hanging]
            if (index, played_on) == (chunk, channel):
                notes = [note for note in notes if not any(a <= note[0] < b for a, b in spans)]
            found += [(index, played_on, *note) for note in notes]
            found += [(index, played_on, tick, pitch) for tick, pitch in part.stray]
    return sorted(found)
