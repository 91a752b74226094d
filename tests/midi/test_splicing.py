"""Bars put into a file leave every other event of it at its tick."""

from __future__ import annotations

import io
import random
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from midi_cases import BAR, BEYOND_MIDO, CASES, SCALE, control, midi, off, on, played, track
from referee import not_notes, notes_outside, referee_main, verdict
from support import songs

from midigpt_core import Note, Score, ScoreError, Track
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.midi_file.bars import bar_of
from midigpt_core.score import Bar

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "samples").glob("*.mid"))


def fill(score: Score, dice: random.Random) -> tuple[int, set[int]]:
    """Random notes, mostly at pitches that sound there, in random bars of a random track."""
    number = dice.randrange(len(score.tracks))
    bars = score.tracks[number].bars
    chosen = {dice.randrange(len(bars)) for _ in range(dice.randint(1, 4))}
    pitches = [note.pitch for bar in bars for note in bar.notes]
    for index in chosen:
        length = round(bars[index].beat_length * score.resolution)
        bars[index].notes = [
            Note(
                dice.choice(pitches) if dice.random() < 0.8 else dice.randrange(128),
                dice.randint(1, 127),
                dice.choice([0, length - 1, dice.randrange(length)]),
                dice.choice([0, 1, length, dice.randrange(3 * length)]),
            )
            for _ in range(dice.choice([0, 1, 6, 20]))
        ]
    return number, chosen


def check_filled(data: bytes, seed: int) -> tuple[bytes, set[int], str]:
    """Fill random bars of a file and compare by our own eye; returns what the referee needs."""
    score = Score.from_midi(data)
    number, bars = fill(score, random.Random(seed))
    track = score.tracks[number]
    out = score_to_bytes(score)
    assert not_notes(out) == not_notes(data)
    lines = line_ticks(score)
    spans = [(lines[bar], lines[bar + 1]) for bar in bars]
    place = (track.midi_track or 0, track.channel or 0)
    assert notes_outside(out, *place, spans) == notes_outside(data, *place, spans)
    return out, bars, f"{place[0]}:{place[1]}"


def line_ticks(score: Score) -> list[int]:
    lines = [0]
    for bar in score.tracks[0].bars:
        lines.append(lines[-1] + round(bar.beat_length * score.resolution))
    return lines


PLAYING = {name: data for name, data in (CASES | BEYOND_MIDO).items() if Score.from_midi(data).tracks}


@pytest.mark.parametrize("name", CASES | BEYOND_MIDO)
def test_unchanged_score_gives_the_same_bytes(name: str) -> None:
    data = (CASES | BEYOND_MIDO)[name]
    assert score_to_bytes(Score.from_midi(data)) == data


@pytest.mark.parametrize("name", PLAYING)
def test_other_bars_and_events_stay_in_strange_files(name: str) -> None:
    for seed in range(25):
        check_filled(PLAYING[name], seed)


def test_referee_agrees_on_strange_files(tmp_path: Path) -> None:
    main = referee_main()
    original, result = tmp_path / "a.mid", tmp_path / "b.mid"
    for name, data in CASES.items():
        original.write_bytes(data)
        for seed in range(4 if name in PLAYING else 0):
            out, bars, where = check_filled(data, seed)
            result.write_bytes(out)
            assert verdict(main, original, result, bars, where) == 0, (name, seed)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_referee_agrees_on_samples(sample: Path, tmp_path: Path) -> None:
    main = referee_main()
    for seed in range(3):
        out, bars, where = check_filled(sample.read_bytes(), seed)
        (tmp_path / "b.mid").write_bytes(out)
        assert verdict(main, sample, tmp_path / "b.mid", bars, where) == 0


def test_referee_agrees_on_real_files(tmp_path: Path) -> None:
    main = referee_main()
    short = [song for song in songs(1200, 10) if song.stat().st_size < 8_000]
    for seed, song in enumerate(short[:200]):
        out, bars, where = check_filled(song.read_bytes(), seed)
        (tmp_path / "b.mid").write_bytes(out)
        assert verdict(main, song, tmp_path / "b.mid", bars, where) == 0, song


def put(data: bytes, bar: int, *notes: tuple[int, int, int]) -> Score:
    """The file read again after notes (onset, duration, pitch) replaced a bar of its first track."""
    score = Score.from_midi(data)
    score.tracks[0].bars[bar].notes = [Note(pitch, 99, onset, duration) for onset, duration, pitch in notes]
    return Score.from_midi(score_to_bytes(score))


def shape(score: Score, bar: int) -> list[tuple[int, int, int]]:
    return [(n.onset_ticks, n.duration_ticks, n.pitch) for n in score.tracks[0].bars[bar].notes]


def test_note_held_over_the_bar_line_is_kept() -> None:
    data = midi(track(*played([(300, 500, 60), (800, 900, 60)])))
    again = put(data, 1, (200, 50, 60))
    assert shape(again, 0) == [(300, 200, 60)]
    assert shape(again, 1) == [(200, 50, 60)]


def test_new_note_under_a_held_one_ends_with_it() -> None:
    data = midi(track(*played([(300, 700, 60), (800, 900, 60)])))
    again = put(data, 1, (0, 50, 60))
    assert shape(again, 0) == [(300, 400, 60)]
    assert shape(again, 1) == [(0, 700 - BAR, 60)]


def test_new_note_held_past_its_bar_ends_where_the_next_old_one_begins() -> None:
    data = midi(track(*played([(0, 90, 60), (800, 900, 60)])))
    again = put(data, 0, (0, 5000, 60), (96, 5000, 62))
    assert shape(again, 0) == [(0, 800, 60), (96, 5000, 62)]
    assert shape(again, 2) == [(800 - 2 * BAR, 100, 60)]


def test_new_note_through_another_new_one_ends_where_that_begins() -> None:
    again = put(midi(track(*played(SCALE))), 1, (0, 300, 70), (96, 20, 70))
    assert shape(again, 1) == [(0, 96, 70), (96, 20, 70)]


def test_new_note_is_not_cut_by_a_stray_note_off() -> None:
    data = midi(track(*played([(0, 90, 50)]), (500, off(60)), end=800))
    again = put(data, 1, (50, 200, 60), (300, 50, 60))
    assert shape(again, 1) == [(50, 500 - BAR - 50, 60), (300, 50, 60)]


def test_note_that_is_never_ended_stays_so(caplog: pytest.LogCaptureFixture) -> None:
    data = midi(track((0, on(60)), *played([(400, 500, 62)])))
    again = put(data, 1, (0, 50, 60), (0, 50, 64))
    assert shape(again, 1) == [(0, 50, 64)]
    assert "1 notes left out" in caplog.text


def test_never_ended_note_of_a_rewritten_bar_goes_with_it() -> None:
    data = midi(track(*played([(0, 90, 62)]), (400, on(60)), end=700))
    assert shape(put(data, 1, (0, 50, 60)), 1) == [(0, 50, 60)]


def test_end_of_track_moves_later_only_where_a_note_needs_it() -> None:
    data = midi(track(*played(SCALE)), track(*played(SCALE, 1)))
    score = Score.from_midi(data)
    score.tracks[0].bars[3].notes = [Note(60, 80, 0, 2 * BAR)]
    again = Score.from_midi(score_to_bytes(score))
    assert again.n_bars == 5
    score.tracks[0].bars[3].notes = []
    assert Score.from_midi(score_to_bytes(score)).n_bars == 4


def test_note_offs_are_written_the_way_the_track_does() -> None:
    silent = midi(track(*((i * 48, on(60, 0 if i % 2 else 70)) for i in range(24))))
    score = Score.from_midi(silent)
    score.tracks[0].bars[1].notes = [Note(72, 80, 0, 96)]
    assert b"\x80" not in {event[:1] for item in split_events(score_to_bytes(score)) for _, event in item}


def split_events(data: bytes) -> list[list[tuple[int, bytes]]]:
    from midigpt_core.midi_file.source import MidiSource

    return [chunk.events for chunk in MidiSource(data).read_tracks()]


def test_control_at_the_same_tick_comes_before_the_new_note() -> None:
    data = midi(track((BAR, control(64, 127)), *played([(400, 500, 60)])))
    score = Score.from_midi(data)
    score.tracks[0].bars[1].notes = [Note(60, 80, 0, 96)]
    kinds = [event[0] & 0xF0 for tick, event in split_events(score_to_bytes(score))[0] if tick == BAR]
    assert kinds == [0xB0, 0x90]


# ---- more than the file had ----


def test_new_bars_extend_the_file() -> None:
    data = CASES["pickup bar"]
    score = Score.from_midi(data)
    before = deepcopy(score)
    for part in score.tracks:
        part.bars += [Bar([Note(60, 80, 0, 96)], 3, 4, 3.0), Bar([], 3, 4, 3.0)]
    again = Score.from_midi(score_to_bytes(score))
    assert again.n_bars == before.n_bars + 2
    assert again.tracks[0].bars == score.tracks[0].bars
    assert not_notes(score_to_bytes(score)) == not_notes(data)


def test_new_bars_may_change_the_metre() -> None:
    score = Score.from_midi(CASES["format 1"])
    score.tracks[0].bars += [Bar([Note(60, 80, 0, 96)], 7, 8, 3.5), Bar([], 7, 8, 3.5), Bar([], 3, 4, 3.0)]
    again = Score.from_midi(score_to_bytes(score))
    assert [(b.ts_numerator, b.ts_denominator) for b in again.tracks[0].bars[3:]] == [(4, 4), (7, 8), (7, 8), (3, 4)]


@pytest.mark.parametrize("name", ["format 1", "format 0, three channels", "more than 16 tracks"])
def test_new_track_becomes_a_chunk_of_its_own(name: str) -> None:
    data = CASES[name]
    score = Score.from_midi(data)
    bars = [Bar([Note(40, 80, 0, 96)], bar.ts_numerator, bar.ts_denominator) for bar in score.tracks[0].bars]
    score.tracks.append(Track(bars, instrument=33, name="Bass"))
    out = score_to_bytes(score)
    again = Score.from_midi(out)
    assert not_notes(out)[:-1] == not_notes(data)
    new = again.tracks[-1]
    assert (new.instrument, new.name, new.bars, new.midi_track) == (33, "Bass", bars, len(not_notes(data)))
    if name != "more than 16 tracks":
        assert new.channel not in {part.channel for part in score.tracks[:-1]}


def test_notes_in_an_empty_chunk_go_where_the_track_says() -> None:
    data = CASES["only names"]
    score = Score.from_midi(data)
    score.tracks = [Track([Bar([Note(60, 80, 0, 96)])], midi_track=1, channel=4)]
    again = Score.from_midi(score_to_bytes(score))
    assert [(part.name, part.midi_track, part.channel) for part in again.tracks] == [("here", 1, 4)]


def test_track_taken_out_of_the_score_loses_its_notes_alone() -> None:
    data = CASES["format 0, three channels"]
    score = Score.from_midi(data)
    del score.tracks[1]
    out = score_to_bytes(score)
    assert not_notes(out) == not_notes(data)
    assert [part.channel for part in Score.from_midi(out).tracks] == [0, 9]


# ---- scores that do not fit their file ----


def test_note_outside_its_bar_is_refused() -> None:
    score = Score.from_midi(CASES["format 1"])
    score.tracks[0].bars[2].notes = [Note(60, 80, BAR, 10)]
    with pytest.raises(ScoreError, match=r"tracks\[0\].bars\[2\].*384 ticks"):
        score_to_bytes(score)


@pytest.mark.parametrize("note", [Note(128), Note(60, 128), Note(60, 80, -1), Note(60, 80, 0, -1), Note(60, 80, 1.5)])
def test_note_no_file_can_hold_is_refused(note: Note) -> None:
    score = Score.from_midi(CASES["format 1"])
    score.tracks[0].bars[0].notes = [note]
    with pytest.raises(ScoreError, match=r"tracks\[0\].bars\[0\]"):
        score_to_bytes(score)


def test_other_metre_or_resolution_than_the_file_is_refused() -> None:
    score = Score.from_midi(CASES["format 1"])
    score.tracks[0].bars[1].ts_numerator = 3
    with pytest.raises(ScoreError, match="3/4"):
        score_to_bytes(score)
    score = Score.from_midi(CASES["format 1"])
    score.resolution = 12
    with pytest.raises(ScoreError, match="resolution is 12"):
        score_to_bytes(score)


def test_two_tracks_in_one_place_are_refused() -> None:
    score = Score.from_midi(CASES["format 1"])
    score.tracks.append(deepcopy(score.tracks[0]))
    with pytest.raises(ScoreError, match="both claim"):
        score_to_bytes(score)


# ---- by chance ----

_NOTES = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 500), st.sampled_from([60, 61])), max_size=12)


@settings(max_examples=150)
@given(
    _NOTES,
    _NOTES,
    st.integers(0, 2),
    st.lists(st.integers(0, 1100), max_size=2),
    st.lists(st.integers(0, 1100), max_size=2),
)
def test_old_notes_are_what_they_were_whatever_comes_between(
    old: list[tuple[int, int, int]],
    new: list[tuple[int, int, int]],
    bar: int,
    strays: list[int],
    hanging: list[int],
) -> None:
    events = [(a, 1, on(p, 1 + a % 100)) for a, d, p in old] + [(a + d, 2 if d == 0 else 0, off(p)) for a, d, p in old]
    events += [(tick, 0, off(60)) for tick in strays] + [(tick, 1, on(60, 5)) for tick in hanging]
    data = midi(track(*[(tick, event) for tick, _, event in sorted(events)], end=4 * BAR))
    score = Score.from_midi(data)
    if not score.tracks:
        return
    wished = [Note(pitch, 90, onset % BAR, duration) for onset, duration, pitch in new]
    score.tracks[0].bars[bar].notes = wished
    out = score_to_bytes(score)
    spans = [(bar * BAR, (bar + 1) * BAR)]
    if wished or Score.from_midi(data).tracks[0].bars[bar].notes:
        assert notes_outside(out, 0, 0, spans) == notes_outside(data, 0, 0, spans)
    again = Score.from_midi(out)
    got = again.tracks[0].bars[bar].notes if again.tracks else []
    wanted = sorted((n.pitch, n.onset_ticks) for n in wished)
    assert not hanging or set((n.pitch, n.onset_ticks) for n in got) <= set(wanted)
    assert hanging or sorted((n.pitch, n.onset_ticks) for n in got) == wanted


def test_bar_of_a_tick_is_the_one_that_begins_at_or_before_it() -> None:
    assert [bar_of([0, 10, 20], tick) for tick in (0, 9, 10, 25)] == [0, 0, 1, 2]


def test_written_file_object_gets_the_same_bytes_as_a_path(tmp_path: Path) -> None:
    score = Score.from_midi(io.BytesIO(CASES["format 1"]))
    score.tracks[0].bars[0].notes = []
    score.to_midi(tmp_path / "a.mid")
    stream = io.BytesIO()
    score.to_midi(stream)
    assert (tmp_path / "a.mid").read_bytes() == stream.getvalue()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]
