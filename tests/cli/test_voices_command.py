"""Rules of voices and players on real songs through the command: what is asked holds, what is left is told."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from midigpt_core.score import Score

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
CHORALE, POP = SAMPLES / "chorale.mid", SAMPLES / "pop.mid"
FROM_THE_LOWEST = (3, 2, 1, 0)  # bass, tenor, alto, soprano
BARS = range(3, 7)
ONE = ("--pool", 1, "--max-attempts", 1)  # a single candidate: nothing to choose from


def parallels(score: Score) -> int:
    """Moves of neighbours and of the outer voices in octaves or fifths one way, counted in bars 4 to 7: of the bass its
    lowest notes, of the others their highest."""
    lines = []
    for track in FROM_THE_LOWEST:
        bars = score.tracks[track].bars[BARS.start : BARS.stop]
        down = -1 if track == FROM_THE_LOWEST[0] else 1
        notes = sorted((down * n.pitch, i, n.onset_ticks) for i, bar in enumerate(bars) for n in bar.notes)
        lines.append({(i, onset): down * pitch for pitch, i, onset in notes})
    found = 0
    for low, high in [*pairwise(lines), (lines[0], lines[-1])]:
        times = sorted(low.keys() | high.keys())
        for before, now in pairwise(times):
            if all(time in line for time in (before, now) for line in (low, high)):
                kept = (high[before] - low[before]) % 12 == (high[now] - low[now]) % 12 in (0, 7)
                found += kept and (high[now] - high[before]) * (low[now] - low[before]) > 0
    return found


def pop_with(file: Path, channel: int, program: int) -> None:
    """pop.mid with another instrument on a channel."""
    import mido

    song = mido.MidiFile(POP)
    for message in (message for track in song.tracks for message in track):
        if message.type == "program_change" and message.channel == channel:
            message.program = program
    song.save(file)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_four_voices_written_together_move_without_parallels(midigpt, tmp_path: Path, seed: int) -> None:
    found = {}
    for name, words in (("asked", ("--voice-leading",)), ("unasked", ())):
        out = tmp_path / f"{name}.mid"
        answer = midigpt("infill", CHORALE, "-b", "4-7", "-t", "all", *words, *ONE, "-s", seed, "-o", out, "--json")
        assert answer.code == 0, answer.err
        found[name] = parallels(Score.from_midi(out)), json.loads(answer.out)["songs"][0]["takes"][0]["remarks"]
    assert found["asked"] == (0, [])
    assert found["unasked"][0] > 0


def test_a_voice_heeds_those_that_stay_and_takes_are_chosen_without_remarks(midigpt, tmp_path: Path) -> None:
    out = tmp_path / "out.mid"
    words = ("-b", "4-7", "-t", "soprano", "--voice-leading", "-n", 3, "-s", 1, "-o", out, "--json")
    answer = midigpt("infill", CHORALE, *words)
    for take in json.loads(answer.out)["songs"][0]["takes"]:
        assert take["remarks"] == []
        assert parallels(Score.from_midi(take["path"])) <= parallels(Score.from_midi(CHORALE))


def test_a_part_stays_in_its_range_and_a_players_reach(midigpt, tmp_path: Path) -> None:
    song, out = tmp_path / "song.mid", tmp_path / "out.mid"
    pop_with(song, channel=1, program=24)  # the chords on a guitar
    words = ("-b", "5-8", "-t", "chords", "--playable", *ONE, "--temperature", 1.5, "-s", 4, "-o", out)
    assert midigpt("infill", song, *words).code == 0
    strings = (40, 45, 50, 55, 59, 64)
    for bar in Score.from_midi(out).tracks[1].bars[4:8]:
        struck: dict[int, list[int]] = {}
        for note in bar.notes:
            assert 40 <= note.pitch <= 83
            struck.setdefault(note.onset_ticks, []).append(note.pitch)
        assert all(len(chord) <= len(strings) for chord in struck.values())


def test_an_instrument_gets_no_note_outside_its_range(midigpt, tmp_path: Path) -> None:
    song, out = tmp_path / "song.mid", tmp_path / "out.mid"
    pop_with(song, channel=2, program=40)  # the bass on a violin
    assert midigpt("infill", song, "-b", "5-8", "-t", "bass", "--playable", *ONE, "-s", 1, "-o", out).code == 0
    pitches = [note.pitch for bar in Score.from_midi(out).tracks[2].bars[4:8] for note in bar.notes]
    assert pitches
    assert all(55 <= pitch <= 103 for pitch in pitches)


def test_what_is_left_is_told_with_bar_and_track(midigpt, tmp_path: Path) -> None:
    out = tmp_path / "out.mid"
    words = ("-b", "5-6", "-t", "bass", "--playable", "--pitch-range", "C6-C7", "-s", 1, "-o", out)
    answer = midigpt("infill", POP, *words)  # no bass has these
    assert answer.code == 0
    assert "out of range in bar 5, track 3; out of range in bar 6, track 3" in answer.err
    told = json.loads(midigpt("infill", POP, *words, "--force", "--json").out)["songs"][0]["takes"][0]
    assert told["remarks"] == [{"what": "out of range", "bar": bar, "tracks": [2]} for bar in (4, 5)]
    assert len(told["rejected"]) == 2  # and a third attempt, which was kept
    assert told["accepted"]
