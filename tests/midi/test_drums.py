"""Drum parts that stand on other channels than the tenth are known all the same, and melodic parts stay melodic."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from midi_cases import midi, off, on, program, text, track

from midigpt_cli.main import run
from midigpt_core.midi_file.drum_names import says_drums
from midigpt_core.midi_file.source import MidiSource
from midigpt_core.score import Score

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
DRUMS = """808 Kit|Addictive Drums|Batterie|DRUMS 2|Kit|Percussion|Snare|Trap Drums|EZdrummer|Schlagzeug|Drum_Kit_01
Bateria|ドラム|Superior Drummer 3|TR-808|Closed HH|Floor Tom 2|Slagverk|Ударные""".replace("\n", "|").split("|")
MELODIC = """Steel Drums|Taiko Drum|Melodic Tom|Synth Drum|Timpani|Percussive Organ|Kitty|That|Chatter|Drum'n'Bass Pad
Glockenspiel|Tom Petty|808 Bass|Tuned Percussion|Atomic|Hang Drum|Bass""".replace("\n", "|").split("|")


def moved_drums(song: str, name: bytes) -> bytes:
    """A song of samples/ whose drum part is on channel 15, under another name and without a program."""
    source = MidiSource((SAMPLES / f"{song}.mid").read_bytes(), song)
    bodies = []
    for chunk in source.read_tracks():
        drums = any(event[0] == 0x99 for _, event in chunk.events)
        events = [(tick, _moved(event)) for tick, event in chunk.events if not drums or event[0] & 0xF0 != 0xC0]
        if drums:
            events = [(0, text(3, name)), *((t, e) for t, e in events if e[:2] != b"\xff\x03")]
        bodies.append(track(*events, end=chunk.end_tick))
    return midi(*bodies, division=source.division)


def _moved(event: bytes) -> bytes:
    return bytes((event[0] + 5,)) + event[1:] if event[0] < 0xF0 and event[0] & 0x0F == 9 else event


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict]]:
    """What `midigpt info` says of the tracks of a file."""

    def info(data: bytes, *options: str) -> list[dict]:
        file = tmp_path / "song.mid"
        file.write_bytes(data)
        capsys.readouterr()
        assert run(["info", str(file), "--json", *options]) == 0
        return json.loads(capsys.readouterr().out)["tracks"]

    return info


@pytest.mark.parametrize("name", DRUMS)
def test_names_that_say_drums(name: str) -> None:
    assert says_drums(name)


@pytest.mark.parametrize("name", MELODIC)
def test_names_that_only_sound_like_drums(name: str) -> None:
    assert not says_drums(name)


def test_drums_are_known_by_their_name_and_info_says_so(told) -> None:
    tracks = told(moved_drums("pop", b"EZdrummer"))
    assert [(track["name"], track["told_by"]) for track in tracks if track["drums"]] == [("EZdrummer", "its name")]


def test_drums_are_known_by_their_notes_where_the_name_is_silent(told) -> None:
    for name in (b"", b"Track 7", b"Untitled"):
        tracks = told(moved_drums("pop", name))
        assert [track["told_by"] for track in tracks if track["drums"]] == ["its notes, struck as drums are"]
    assert not any(track["drums"] for track in told(moved_drums("pop", b"Piano")))


def test_melodic_parts_stay_melodic_by_their_notes() -> None:
    for song in sorted(SAMPLES.glob("*.mid")):
        source = MidiSource(song.read_bytes(), song.name)
        silent = []
        for chunk in source.read_tracks():
            kept = [(t, e) for t, e in chunk.events if e[:2] != b"\xff\x03" and e[0] & 0xF0 != 0xC0]
            if not any(event[0] == 0x99 for _, event in kept):
                silent.append(track(*kept, end=chunk.end_tick))
        score = Score.from_midi(midi(*silent, division=source.division))
        assert [part.track_type for part in score.tracks] == ["melodic"] * len(score.tracks), song.name


def test_the_caller_overrules_the_file(told) -> None:
    tracks = told(moved_drums("pop", b"EZdrummer"), "--melodic-track", "EZdrummer", "--drum-track", "1")
    assert [track["told_by"] for track in tracks if track["drums"]] == ["--drum-track"]
    assert tracks[-1]["told_by"] == "--melodic-track"
    assert run(["info", str(SAMPLES / "pop.mid"), "--drum-track", "1", "--melodic-track", "1"]) == 2


def test_a_song_called_after_drums_is_none() -> None:
    melody = [(i * 96, i * 96 + 90, p) for i, p in enumerate([60, 62, 64, 65, 67, 69, 71, 72] * 4)]
    events = [(a, on(p)) for a, _, p in melody] + [(b, off(p)) for _, b, p in melody]
    song = midi(track((0, text(3, b"The Little Drummer Boy")), (0, program(0)), *sorted(events)))
    assert Score.from_midi(song).tracks[0].track_type == "melodic"
