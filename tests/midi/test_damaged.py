"""Damaged and strange files end in one sentence, never in a traceback, a hang or half a file."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_cases import BEYOND_MIDO, CASES, DAMAGED, END, chunk, midi

from midigpt_core import MidiFileError, Note, Score
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.midi_file.events import TrackEvents, read_events, write_events

_GOOD = sorted((CASES | BEYOND_MIDO).values(), key=len)[:40]


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_file_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    data, word = DAMAGED[name]
    path = tmp_path / "song.mid"
    path.write_bytes(data)
    with pytest.raises(MidiFileError) as caught:
        Score.from_midi(path)
    assert str(path) in str(caught.value)
    assert word in str(caught.value)


def opened(data: bytes) -> Score | None:
    """The score in some bytes, or None where they are refused with a sentence that says whose they are."""
    try:
        return Score.from_midi(data)
    except MidiFileError as caught:
        refusal = str(caught)
    assert refusal.startswith("MIDI data")
    return None


def writes_back(data: bytes, score: Score) -> bool:
    """Whether it is written as it was; and, given a note of a pitch it does not have, with that note."""
    if score_to_bytes(score) != data or Score.from_midi(data) != score:
        return False
    unheard = next((pitch for pitch in range(128) if pitch not in data), None)
    if not score.tracks or unheard is None:
        return True
    score.tracks[0].bars[-1].notes = [Note(unheard, 80, 0, 10)]
    again = Score.from_midi(score_to_bytes(score))
    return any(note.pitch == unheard for track in again.tracks for bar in track.bars for note in bar.notes)


def read_or_refused(data: bytes) -> bool:
    score = opened(data)
    return score is None or writes_back(data, score)


@settings(max_examples=400)
@given(
    st.sampled_from(_GOOD),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 400),
)
def test_changed_bytes_are_read_or_refused(data: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    mutated = bytearray(data)
    for where, value in changes:
        mutated[where % len(mutated)] = value
    assert read_or_refused(bytes(mutated))
    assert read_or_refused(bytes(mutated[: -cut or None]))
    whole = opened(data)
    assert whole is not None
    assert writes_back(data, whole)


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_in_a_track_are_read_or_refused(body: bytes) -> None:
    assert read_or_refused(midi(chunk(b"MTrk", body)))
    assert read_or_refused(midi(chunk(b"MTrk", body + b"\0" + END)))


@pytest.mark.parametrize("size", [1, 15, 30, 60, 100])
def test_every_cut_of_a_file_is_refused(size: int) -> None:
    with pytest.raises(MidiFileError):
        Score.from_midi(CASES["format 1"][:-size])


def test_very_many_notes_are_read_in_reasonable_time() -> None:
    body = b"".join(b"\x01\x90%c\x40\x01%c\x00" % (pitch, pitch) for pitch in range(30, 80)) * 2_000
    began = time.process_time()
    score = Score.from_midi(midi(chunk(b"MTrk", body + b"\0" + END)))
    assert sum(len(bar.notes) for bar in score.tracks[0].bars) == 100_000
    assert time.process_time() - began < 6  # a tenth of a million, on a slow machine


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"nothing\.mid.*No such file"):
        Score.from_midi(tmp_path / "nothing.mid")
    with pytest.raises(MidiFileError, match="cannot be read"):
        Score.from_midi(tmp_path)
    with pytest.raises(MidiFileError, match="cannot be read"):
        Score.from_midi("a\0b.mid")


def test_what_is_no_file_is_named() -> None:
    with pytest.raises(MidiFileError, match="not int"):
        Score.from_midi(7)  # type: ignore[arg-type]
    with pytest.raises(MidiFileError, match="binary mode"):
        Score.from_midi(io.StringIO("MThd"))  # type: ignore[arg-type]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs an endless file")
def test_endless_file_is_refused() -> None:
    with pytest.raises(MidiFileError, match="MiB"):
        Score.from_midi("/dev/zero")


def test_output_that_cannot_be_placed_leaves_nothing_behind(tmp_path: Path) -> None:
    score = Score.from_midi(CASES["format 1"])
    with pytest.raises(MidiFileError, match="cannot be written"):
        score.to_midi(tmp_path / "no folder" / "out.mid")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MidiFileError, match="cannot be written"):
        score.to_midi(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_old_output_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.mid"
    out.write_bytes(b"before")
    score = Score.from_midi(CASES["format 1"])
    score.tracks[0].bars[0].notes[0].pitch = 200
    with pytest.raises(Exception, match="pitch"):
        score.to_midi(out)
    assert out.read_bytes() == b"before"


@pytest.mark.skipif(os.name == "nt", reason="permissions as on Unix")
def test_output_keeps_the_permissions_of_the_file_it_replaces(tmp_path: Path) -> None:
    out = tmp_path / "out.mid"
    out.write_bytes(b"")
    out.chmod(0o640)
    Score.from_midi(CASES["format 1"]).to_midi(out)
    assert out.stat().st_mode & 0o777 == 0o640


def test_a_damaged_data_byte_never_comes_to_begin_an_event() -> None:
    events = [(0, b"\x90\x3c\x40"), (96, b"\x80\x3c\x40"), (192, b"\x80\xff\x40")]
    body = write_events(TrackEvents(events, 192, running=True))
    assert read_events(body, "here").events == events
