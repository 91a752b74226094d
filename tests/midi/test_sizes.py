"""A file may ask for no more than its size allows: what is too much is refused before any of it is built."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from bounded import midigpt
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_cases import BAR, BEYOND_MIDO, CASES, END, chunk, metre, midi, off, on, played, program, scale, track

from midigpt_core import MidiFileError, Score
from midigpt_core.compiled import compiled
from midigpt_core.errors import ScoreError, SongTooLargeError
from midigpt_core.midi_file import MidiSource, ReadLimits, outline
from midigpt_core.midi_file.events import read_events

BASE_MB = 200  # interpreter, numpy and the rest
of_the_compiled_scan = pytest.mark.skipif(
    compiled("outline") is None, reason="the bound is the compiled scan's; the readable reference takes more memory"
)


def many_metres(count: int, bars: int = 50_000) -> bytes:
    """A few kilobytes that ask for count x bars bars of one tick."""
    metres = [(i * bars, metre(1, 2)) for i in range(count)]
    return midi(track(*metres, *played([(count * bars, count * bars + 5, 60)])), division=1)


def test_bars_are_counted_over_all_metres_before_one_is_made(tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(many_metres(400))
    ended = midigpt("info", song)
    assert ended.code == 3
    assert "20000005 bars" in ended.err
    assert ended.peak_mb < BASE_MB


def running(notes: int) -> bytes:
    """That many notes in six bytes each."""
    body = b"\0\x90\x3c\x40\1\x3c\0" + bytes((0, 60, 64, 1, 60, 0)) * (notes - 1)
    return midi(chunk(b"MTrk", body + b"\0" + END), division=480)


@pytest.mark.parametrize("what", ["notes", "tracks", "bars", "cells"])
def test_what_is_beyond_a_limit_is_counted_while_reading(what: str) -> None:
    fine = ReadLimits(notes=100, tracks=3, bars=4, cells=16)
    most = {"notes": 101, "tracks": 4, "bars": 5, "cells": 12}
    songs = {
        "notes": running(101),
        "tracks": midi(*(track(*scale(i)) for i in range(4))),
        "bars": midi(track(*scale(), end=5 * BAR)),
        "cells": midi(track(*scale()), track(*scale(1)), track(*scale(2))),
    }
    limits = fine if what != "cells" else ReadLimits(cells=11)
    with pytest.raises(SongTooLargeError, match=r"11|100|3|4"):
        Score.from_midi(songs[what], limits=limits)
    Score.from_midi(songs[what], limits=replace(limits, **{what: most[what]}))


def test_a_score_as_json_is_counted_before_it_is_built() -> None:
    data = {"tracks": [{"bars": [{"notes": [{}] * 101}]}]}
    with pytest.raises(SongTooLargeError):
        Score.from_dict(data, ReadLimits(notes=100))
    with pytest.raises(SongTooLargeError):
        Score.from_dict({"tracks": [{"bars": [{}] * 5}]}, ReadLimits(bars=4))
    with pytest.raises(ScoreError):
        Score.from_dict({"tracks": 7}, ReadLimits())


@of_the_compiled_scan
def test_a_million_notes_are_read_in_the_memory_of_their_score(tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(running(1_000_000))
    ended = midigpt("info", song, "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["tracks"][0]["notes"] == 1_000_000
    assert ended.peak_mb < 330


def test_tracks_cost_what_they_hold(tmp_path: Path) -> None:
    """Each track used to look at all others: twice for its program, and once for the key of the piece."""
    note = track((0, on(60)), (10, off(60)))
    song = tmp_path / "song.mid"
    song.write_bytes(midi(*[note] * 10_000, *[track((0, program(5)))] * 10_000))
    assert midigpt("info", song, seconds=20).code == 0


@of_the_compiled_scan
@pytest.mark.parametrize("kind", [1, 6])  # texts and markers
def test_empty_texts_cost_nothing(tmp_path: Path, kind: int) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(midi(chunk(b"MTrk", bytes((0, 0xFF, kind, 0)) * 4_000_000 + track(*scale())[8:])))
    ended = midigpt("info", song)
    assert ended.code == 0
    assert ended.peak_mb < BASE_MB


@pytest.mark.skipif(compiled("outline") is None, reason="the compiled outline is not built")
@pytest.mark.parametrize("name", CASES | BEYOND_MIDO)
def test_the_compiled_outline_is_that_of_the_reference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (CASES | BEYOND_MIDO)[name]
    fast = MidiSource(source).outlines
    monkeypatch.setattr(outline, "compiled", lambda _: None)
    assert fast == MidiSource(source).outlines
    fast_refused = pytest.raises(SongTooLargeError) if any(part.parts for part in fast) else nullcontext()
    with fast_refused:
        _ = MidiSource(source, limits=ReadLimits(notes=0)).outlines


@settings(max_examples=300)
@given(st.binary(max_size=80))
def test_any_bytes_are_the_same_to_both_readers(body: bytes) -> None:
    kernel = compiled("outline")
    found = kernel.outline(body, outline.METAS, outline.CONTROLS, 1000) if kernel else None
    try:
        reference = outline._reference(read_events(body, "test"), 1000)
    except MidiFileError:
        reference = None
    if kernel is None:
        return
    assert (found is None) == (reference is None)
    if reference is not None:
        *head, parts = found
        assert outline.Outline(*head, {c: outline.NoteColumns(*columns) for c, columns in parts.items()}) == reference
