"""What is told of a file's notes side by side is what its bars, made one by one, would tell."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from midigpt_core import Score
from midigpt_core.harmony.chord_recognition import heard_chords
from midigpt_core.midi_file.file_notes import FileNotes
from midigpt_core.midi_file.song_facts import song_facts
from midigpt_core.tokens.file_table import file_table
from midigpt_core.tokens.grid import to_grid
from midigpt_core.tokens.note_table import NoteTable
from midigpt_core.tokens.tokenizer import Tokenizer

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.mid"))


def edges() -> bytes:
    """A note up to a bar line, a silent bar, a note a tick before a line, one of three ticks; 480 a quarter note."""
    body = b"\0\x90\x3c\x40\x8f\0\x80\x3c\x40" + b"\x9d\x7f\x90\x3e\x40\1\x80\x3e\x40"
    body += b"\0\x90\x40\x40\3\x80\x40\x40" + b"\x8f\0\xff\x2f\0"
    return b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk" + len(body).to_bytes(4, "big") + body


@pytest.fixture(params=[*SAMPLES, None], ids=lambda path: path.stem if path else "edges")
def song(request) -> Score:
    return Score.from_midi(request.param) if request.param else Score.from_bytes(edges())


def asked(score: Score) -> Score:
    """The same song, its bars all made."""
    made = Score.from_bytes(score.source.data)
    assert all(bar.notes is not None for track in made.tracks for bar in track.bars)
    assert FileNotes.of(made) is None
    return made


def test_the_facts_of_tracks_are_those_of_their_bars(song) -> None:
    made = asked(song)
    assert song_facts(song) == song_facts(made)
    assert FileNotes.of(song) is not None, "the facts asked for bars"


def test_the_chords_are_those_of_the_bars(song) -> None:
    made = asked(song)
    assert heard_chords(song) == heard_chords(made)
    assert heard_chords(song, [0]) == heard_chords(made, [0])
    assert FileNotes.of(song) is not None, "the chords asked for bars"


def test_the_arrays_are_those_of_the_score_on_the_grid(song) -> None:
    config = Tokenizer.from_config(str(files("midigpt_core.tokens") / "open_encoder.json")).config
    found = file_table(song, config)
    right = NoteTable.from_score(to_grid(asked(song), config))
    assert found is not None
    for name in ("notes", "cell_start", "cells", "quarters", "track_start", "tracks"):
        np.testing.assert_array_equal(getattr(found, name), getattr(right, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(right, name).dtype
    assert found.resolution == right.resolution


def test_a_note_of_no_length_on_a_bar_line_sounds_in_the_bar_it_begins_in() -> None:
    body = b"\x8f\x00\x90\x3c\x40\0\x80\x3c\x40\0\x90\x3e\x40\x8f\x00\x80\x3e\x40\0\xff\x2f\0"
    score = Score.from_bytes(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk" + len(body).to_bytes(4, "big") + body)
    assert song_facts(score).tracks[0].sounding == (1,)
    assert song_facts(score) == song_facts(asked(score))


def test_a_score_with_a_bar_that_was_asked_for_goes_by_its_bars() -> None:
    score = Score.from_midi(SAMPLES[0])
    score.tracks[0].bars[0].notes.clear()
    assert FileNotes.of(score) is None
    assert song_facts(score).tracks[0].notes == sum(len(bar.notes) for bar in score.tracks[0].bars)
