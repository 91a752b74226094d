"""What a file holds is made into bars and notes when it is asked for, and writing touches nothing else."""

from __future__ import annotations

import pickle
from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from bounded import midigpt
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_cases import BAR, BEYOND_MIDO, CASES, END, chunk, midi, off, on, played, program, scale, track

from midigpt_core import MidiFileError, Note, Score
from midigpt_core.compiled import compiled
from midigpt_core.midi_file import MidiSource, paired_columns, score_to_bytes, weave
from midigpt_core.midi_file.events import read_events
from midigpt_core.midi_file.weave import Edit
from midigpt_core.score import Bar, Track

of_the_compiled_scan = pytest.mark.skipif(
    compiled("weave") is None, reason="the bound is the compiled scan's; the readable reference takes more memory"
)


def many_notes(notes: int) -> bytes:
    """One chunk of so many notes, a tick each, in six bytes each."""
    body = b"\0\x90\x3c\x40\1\x3c\0" + bytes((0, 60, 64, 1, 60, 0)) * (notes - 1)
    return midi(chunk(b"MTrk", body + b"\0" + END), division=480)


def made(score: Score) -> tuple[int, int]:
    """How many tracks have bars, and how many bars have notes, that somebody asked for."""
    tracks = [track for track in score.tracks if track.part is None]
    return len(tracks), sum(bar.stretch is None and bool(bar.notes) for track in tracks for bar in track.bars)


# ---- bars and notes ----


def test_reading_makes_no_bar_and_no_note() -> None:
    score = Score.from_midi(CASES["format 1"])
    assert (score.n_bars, score.heard_bars) == (score.tracks[0].n_bars, score.tracks[0].heard_bars)
    assert "notes" in repr(score)
    assert made(score) == (0, 0)


@pytest.mark.parametrize("name", CASES | BEYOND_MIDO)
def test_what_is_told_of_unmade_bars_is_what_they_hold(name: str) -> None:
    data = (CASES | BEYOND_MIDO)[name]
    late, early = Score.from_midi(data), Score.from_midi(data)
    for lazy, track_ in zip(late.tracks, early.tracks, strict=True):
        bars = track_.bars
        for first in range(len(bars) + 1):
            for end in range(first, len(bars) + 2):
                assert lazy.count_notes(first, end) == sum(len(bar.notes) for bar in bars[first:end])
                assert lazy.excerpt(first, end) == bars[first:end]
        assert lazy.n_bars == len(bars)
        assert lazy.heard_bars == max((i for i, bar in enumerate(bars, 1) if bar.notes), default=0)
        assert lazy.part is not None
    for lazy, track_ in zip(late.tracks, early.tracks, strict=True):
        for bar, made_bar in zip(lazy.bars, track_.bars, strict=True):
            assert (bar.n_notes, list(bar.pitches)) == (len(made_bar.notes), [note.pitch for note in made_bar.notes])
            assert bar.stretch is None or made_bar.notes
    assert late == early


def test_a_bar_can_be_given_notes_before_its_own_are_made() -> None:
    bar = Score.from_midi(midi(track(*scale()))).tracks[0].bars[0]
    assert bar.stretch is not None
    bar.notes = [Note(1, 2, 3, 4)]
    assert bar.stretch is None
    assert bar.notes == [Note(1, 2, 3, 4)]


@pytest.mark.parametrize("again", [copy, deepcopy, lambda thing: pickle.loads(pickle.dumps(thing)), replace])
def test_copies_of_a_score_are_equal_to_it(again) -> None:
    score, other = Score.from_midi(CASES["format 1"]), Score.from_midi(CASES["format 1"])
    assert again(score) == other
    assert [again(track) for track in Score.from_midi(CASES["format 1"]).tracks] == other.tracks
    bars = Score.from_midi(CASES["format 1"]).tracks[0].bars
    assert [again(bar) for bar in bars] == other.tracks[0].bars


def test_what_a_bar_never_had_is_missing_as_ever() -> None:
    bar = Score.from_midi(midi(track(*scale()))).tracks[0].bars[0]
    with pytest.raises(AttributeError, match="nots"):
        _ = bar.nots  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        _ = Bar.__new__(Bar).notes
    with pytest.raises(TypeError, match="did you mean 'notes'"):
        Bar(nots=[])  # type: ignore[call-arg]


# ---- writing ----


def test_writing_changed_bars_makes_no_note_of_the_others() -> None:
    score = Score.from_midi(many_notes(50_000))
    score.tracks[0].bars[3].notes = [Note(62, 90, 0, 100)]
    again = Score.from_midi(score_to_bytes(score))
    assert made(score) == (1, 1)
    assert again.tracks[0].bars[3].notes == [Note(62, 90, 0, 100)]
    assert [bar.n_notes for bar in again.tracks[0].bars] == [
        1 if i == 3 else bar.n_notes for i, bar in enumerate(Score.from_midi(many_notes(50_000)).tracks[0].bars)
    ]


def test_writing_one_track_makes_no_bar_of_the_others() -> None:
    score = Score.from_midi(midi(*(track(*scale(i % 12)) for i in range(300))))
    before = score.tracks[7].bars[0].n_notes
    score.tracks[7].bars[0].notes = []
    again = Score.from_midi(score_to_bytes(score))
    assert made(score) == (1, 0)
    counts = [track_.count_notes(0, track_.n_bars) for track_ in again.tracks[6:8]]
    assert counts[0] - counts[1] == before > 0


def test_bars_moved_to_another_place_are_written_there() -> None:
    """The bar still knows where it was in the file; that is not where it is now."""
    data = midi(track(*played([(0, 9, 60), (BAR, BAR + 9, 40)]), end=2 * BAR))
    score = Score.from_midi(data)
    bars = score.tracks[0].bars
    bars[0], bars[1] = bars[1], bars[0]
    again = Score.from_midi(score_to_bytes(score))
    assert [note.pitch for note in again.tracks[0].bars[0].notes] == [40]


def test_a_program_put_in_first_takes_no_note_of_another_channel_with_it() -> None:
    """Counted behind the new program, the event that was taken out was the one before the right one."""
    data = midi(
        track(*played([(0, 50, 60), (BAR, BAR + 50, 62)], channel=2), (BAR + 60, on(50, channel=1)), end=2 * BAR)
    )
    score = Score.from_midi(data)
    [melody] = score.tracks
    melody.bars[1].notes = []
    bars = [Bar([Note(70, 80, 0, 10)]), Bar()]
    score.tracks.append(Track(bars, instrument=33, channel=1, midi_track=0))
    again = Score.from_midi(score_to_bytes(score))
    assert [(track_.channel, [n.pitch for bar in track_.bars for n in bar.notes]) for track_ in again.tracks] == [
        (1, [70]),
        (2, [60]),
    ]


# ---- the compiled twin ----

_ANY_CASE = CASES | BEYOND_MIDO
_EVENTS = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.sampled_from(
            [on(60), on(60, 0), off(60), on(61, 5, 3), off(61, 3), program(4), b"\xb0\x07\x70", b"\xf0\1\xf7"]
        ),
    ),
    max_size=30,
)
_NEW = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 4), st.sampled_from([on(50), off(50), program(9), b"\xff\1\1a"])),
    max_size=8,
)


def both(monkeypatch: pytest.MonkeyPatch, module, task) -> tuple[object, object]:
    """What a task gives with the compiled twin, and with the reference."""
    fast = task()
    with monkeypatch.context() as patched:
        patched.setattr(module, "compiled", lambda _: None)
        return fast, task()


@of_the_compiled_scan
@pytest.mark.parametrize("name", _ANY_CASE)
def test_the_compiled_pairing_is_that_of_the_reference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in MidiSource(_ANY_CASE[name]).layout.tracks:
        fast, slow = both(monkeypatch, paired_columns, lambda body=body: paired_columns.paired(body, "here"))
        assert fast == slow


@of_the_compiled_scan
@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=60), _EVENTS.map(lambda events: track(*events)[8:])))
def test_any_bytes_are_paired_as_they_are_read(body: bytes) -> None:
    found = compiled("weave").paired(body)
    try:
        events = read_events(body, "here")
    except MidiFileError:
        events = None
    if events is None:
        assert found is None
    else:
        reference = paired_columns._reference(events)
        assert (found[1], found[2]) == (reference.silent_offs, reference.running)
        assert {channel: paired_columns._part(*kinds) for channel, kinds in found[0].items()} == reference.parts


@of_the_compiled_scan
@settings(max_examples=300)
@given(_EVENTS, _NEW, st.sets(st.integers(0, 29)), st.booleans(), st.booleans(), st.binary(max_size=3))
def test_a_chunk_is_woven_as_the_reference_does(events, new, removed, running, mark, tail) -> None:
    body = track(*events, mark=mark)[8:] + (tail if mark else b"")
    removed = {index for index in removed if index < len(events)}
    with pytest.MonkeyPatch.context() as patched:
        fast, slow = both(patched, weave, lambda: weave.weave(body, "here", Edit(removed, list(new)), running))
    assert fast == slow
    assert fast.body == slow.body


@of_the_compiled_scan
def test_a_pause_longer_than_a_file_can_hold_is_refused_by_both() -> None:
    body = track((0, on(60)), (1, off(60)))[8:]
    with pytest.raises(MidiFileError, match="longer than a MIDI file can hold"):
        weave.weave(body, "here", Edit(set(), [(1 << 28 | 1, 0, on(60))]), False)


# ---- from end to end ----


@of_the_compiled_scan
def test_infill_in_a_million_notes_takes_less_than_300_mb(tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(many_notes(1_000_000))
    ended = midigpt("infill", song, "--bars", "5-8", "--track", "1", "--seed", "1", "-o", tmp_path / "out.mid")
    assert ended.code == 0, ended.err
    assert ended.peak_mb < 300


@of_the_compiled_scan
def test_infill_in_65535_tracks_takes_less_than_450_mb(tmp_path: Path) -> None:
    """15 bars each: nearly a million cells, of which a hundred tracks' are looked at."""
    bars = [(BAR * bar, BAR * bar + 10, 60) for bar in range(15)]
    song = tmp_path / "song.mid"
    song.write_bytes(midi(*[track(*played(bars))] * 65_535))
    ended = midigpt("infill", song, "--bars", "5-8", "--track", "1", "--seed", "1", "-o", tmp_path / "out.mid")
    assert ended.code == 0, ended.err
    assert ended.peak_mb < 450
