"""Songs as they come from other programs, through the command: many tracks, silent ones, lines over many channels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from midigpt_core.midi_file.source import MidiSource
from midigpt_core.score import Note, Score, Track

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
POP = SAMPLES / "pop.mid"


@pytest.fixture
def orchestra(tmp_path: Path) -> Callable[[int], Path]:
    """A song of samples/ whose melodic tracks are doubled until there are enough."""

    def make(count: int) -> Path:
        score = Score.from_midi(POP)
        melodic = [track for track in score.tracks if track.track_type != "drum"]
        tracks = [
            Track(melodic[i % len(melodic)].bars, i % 128, name=f"Part {i + 1}", channel=i % 9) for i in range(count)
        ]
        file = tmp_path / f"{count}.mid"
        Score(tracks, score.resolution, score.tempo).to_midi(file)
        return file

    return make


def test_one_bar_of_forty_tracks_is_written_without_a_word_about_steps(orchestra, midigpt, tmp_path) -> None:
    song, out = orchestra(40), tmp_path / "out.mid"
    answer = midigpt("infill", song, "--bars", 12, "-o", out, "--seed", 1, "--max-attempts", 1)
    assert answer.code == 0, answer.err
    before, after = Score.from_midi(song), Score.from_midi(out)
    assert len(after.tracks) == len(before.tracks)
    changed = [a.bars[11] != b.bars[11] for a, b in zip(before.tracks, after.tracks, strict=True)]
    assert sum(changed) > 30


def test_no_line_names_hundreds_of_tracks(orchestra, midigpt) -> None:
    song = orchestra(300)
    for words in (("plan", song, "--bars", 5, "-t", 5), ("plan", song, "--bars", 5)):
        answer = midigpt(*words)
        assert answer.code == 0
        assert max(map(len, answer.out.splitlines())) < 400
    answer = midigpt("infill", song, "--bars", 5, "-t", 5, "-o", song.with_name("o.mid"), "-v", "--max-attempts", 1)
    assert answer.code == 0, answer.err
    assert max(map(len, answer.err.splitlines())) < 400
    assert "of 300 tracks" in answer.err


# ---- silent tracks ----


def silenced(tmp_path: Path, keep_program: bool = True) -> Path:
    """A song of samples/ with the notes of its bass taken out."""
    source = MidiSource(POP.read_bytes(), "pop.mid")
    chunks = source.read_tracks()
    bass = next(track for track in Score.from_midi(POP).tracks if track.name == "Bass")
    chunk = chunks[bass.midi_track or 0]
    gone = (0x80, 0x90) if keep_program else (0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0)
    chunk.events = [(t, e) for t, e in chunk.events if e[0] >= 0xF0 or e[0] & 0xF0 not in gone]
    from midigpt_core.midi_file.events import write_events

    file = tmp_path / "silent.mid"
    file.write_bytes(source.layout.with_tracks([write_events(c) for c in chunks]).join())
    return file


@pytest.mark.parametrize("keep_program", [True, False])
def test_a_silent_track_is_filled_in_its_own_chunk(tmp_path, midigpt, keep_program) -> None:
    song, out = silenced(tmp_path, keep_program), tmp_path / "out.mid"
    told = json.loads(midigpt("info", song, "--json").out)
    assert [silent["name"] for silent in told["silent_tracks"]] == ["Bass"]
    answer = midigpt("infill", song, "--bars", "9-12", "--track", "bass", "-o", out, "--seed", 1)
    assert answer.code == 0, answer.err
    before, after = Score.from_midi(POP), Score.from_midi(out)
    old, new = (next(t for t in score.tracks if t.name == "Bass") for score in (before, after))
    assert (new.midi_track, new.instrument // 8) == (old.midi_track, old.instrument // 8)
    assert {i for i, bar in enumerate(new.bars) if bar.notes} <= {8, 9, 10, 11}
    assert any(bar.notes for bar in new.bars)
    others = [[t for t in score.tracks if t.name != "Bass"] for score in (before, after)]
    assert others[0] == others[1]
    if not keep_program:
        assert new.channel not in {track.channel for track in others[1]}


def test_silent_tracks_are_written_only_where_they_are_named(tmp_path, midigpt) -> None:
    song, out = silenced(tmp_path), tmp_path / "out.mid"
    assert midigpt("infill", song, "--bars", 9, "-o", out, "--max-attempts", 1).code == 0
    assert "Bass" not in {track.name for track in Score.from_midi(out).tracks}


# ---- one line over several channels ----

BEND, PRESSURE = bytes.fromhex("6050"), b"\x30"


def over_channels(tmp_path: Path, mpe: bool = True) -> Path:
    """A melody of samples/ whose notes go round six channels; with MPE, each with a bend and a pressure of its own."""
    source = MidiSource(POP.read_bytes(), "pop.mid")
    chunks = source.read_tracks()
    score = Score.from_midi(POP)
    index = next(t.midi_track for t in score.tracks if t.track_type != "drum" and t.name != "Bass") or 0
    chunk, sounding, count = chunks[index], {}, 0
    events = [(0, bytes.fromhex(h)) for h in ("b06500", "b06406", "b0060f")] if mpe else []
    for tick, event in chunk.events:
        kind = event[0] & 0xF0
        if event[0] >= 0xF0:
            events.append((tick, event))
        elif kind == 0x90 and event[2]:
            channel, count = 1 + count % 6, count + 1
            sounding.setdefault(event[1], []).append(channel)
            before = [(tick, bytes((0xE0 | channel,)) + BEND), (tick, bytes((0xD0 | channel,)) + PRESSURE)]
            events += [*(before if mpe else ()), (tick, bytes((0x90 | channel,)) + event[1:])]
        elif kind in (0x80, 0x90) and sounding.get(event[1]):
            events.append((tick, bytes((kind | sounding[event[1]].pop(0),)) + event[1:]))
    chunk.events = events
    from midigpt_core.midi_file.events import write_events

    file = tmp_path / "line.mid"
    bodies = [write_events(c) for i, c in enumerate(chunks) if i in (0, index)]
    from midigpt_core.midi_file.chunks import TRACK, FileChunk, FileLayout

    file.write_bytes(FileLayout(1, source.division, tuple(FileChunk(TRACK, body) for body in bodies)).join())
    return file


def test_a_line_over_six_channels_is_one_track_unless_told_apart(tmp_path, midigpt) -> None:
    song = over_channels(tmp_path)
    for options, count in (((), 1), (("--split-channels",), 6)):
        assert len(json.loads(midigpt("info", song, "--json", *options).out)["tracks"]) == count


def test_a_line_is_written_back_on_its_channels_and_bends_stay_with_their_notes(tmp_path, midigpt) -> None:
    song, out = over_channels(tmp_path), tmp_path / "out.mid"
    assert midigpt("infill", song, "--bars", "5-6", "-o", out, "--seed", 1).code == 0
    before, after = Score.from_midi(song), Score.from_midi(out)
    [old], [new] = before.tracks, after.tracks
    assert new.channels == old.channels == (1, 2, 3, 4, 5, 6)
    assert new.bars[4:6] != old.bars[4:6]
    assert new.bars[:4] + new.bars[6:] == old.bars[:4] + old.bars[6:]
    first, end = 4 * 4 * before.resolution, 6 * 4 * before.resolution
    assert bent(song, lambda tick: not first <= tick < end) == bent(out, lambda tick: not first <= tick < end)
    assert set(bent(out, lambda tick: first <= tick < end)) == {b"\x00\x40"}


def bent(file: Path, within: Callable[[int], bool]) -> list[bytes]:
    """The bend in force at the onset of each note."""
    state: dict[int, bytes] = {}
    found = []
    for tick, event in MidiSource(file.read_bytes(), file.name).read_tracks()[1].events:
        if event[0] & 0xF0 == 0xE0:
            state[event[0] & 15] = event[1:]
        elif event[0] & 0xF0 == 0x90 and event[2] and within(tick):
            found.append(state.get(event[0] & 15, b"\x00\x40"))
    return found


def test_a_line_that_is_not_changed_gives_the_same_bytes(tmp_path) -> None:
    for mpe in (True, False):
        song = over_channels(tmp_path, mpe)
        score = Score.from_midi(song)
        score.to_midi(tmp_path / "same.mid")
        assert (tmp_path / "same.mid").read_bytes() == song.read_bytes()


def test_new_notes_of_a_line_do_not_collide_on_a_channel(tmp_path) -> None:
    song = over_channels(tmp_path)
    score = Score.from_midi(song)
    score.tracks[0].bars[4].notes = [Note(60, 80, i * 60, 240) for i in range(8)]
    score.to_midi(tmp_path / "same.mid")
    assert Score.from_midi(tmp_path / "same.mid").tracks[0].bars[4].notes == score.tracks[0].bars[4].notes


def test_bars_cut_out_of_a_line_keep_channels_and_bends(tmp_path) -> None:
    from midigpt_core.midi_file.excerpt import excerpt

    song, cut = over_channels(tmp_path), tmp_path / "cut.mid"
    score = Score.from_midi(song)
    excerpt(score, 4, 6).to_midi(cut)
    first, end = 4 * 4 * score.resolution, 6 * 4 * score.resolution
    assert bent(cut, lambda tick: True) == bent(song, lambda tick: first <= tick < end)
    assert len(Score.from_midi(cut).tracks) == 1
