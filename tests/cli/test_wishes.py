"""Rules of chords, motion, contour and what is kept of the old bars, on a real song through the command."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from midigpt_core.chords import changes_of, chord_of
from midigpt_core.constraints.line import kind_of, line_at, line_of
from midigpt_core.errors import RequestValidationError
from midigpt_core.harmony.chord_recognition import heard_chords
from midigpt_core.harmony.song_chords import by_bar
from midigpt_core.score import DRUM, Bar, Score

POP = Path(__file__).resolve().parents[2] / "samples" / "pop.mid"
LEAD, CHORDS, BASS, DRUMS = 0, 1, 2, 4


@pytest.fixture
def fill(midigpt, tmp_path: Path):
    """Rewrite bars 5 to 8 of a track; the song after it."""

    def call(track: str, *words: object) -> Score:
        out = tmp_path / "out.mid"
        answer = midigpt("infill", POP, "-b", "5-8", "-t", track, *words, "-s", 1, "-o", out, "--force")
        assert answer.code == 0, answer.err
        return Score.from_midi(out)

    return call


def line(bar: Bar) -> list[tuple[int, int]]:
    return line_of([(note.onset_ticks, note.pitch) for note in bar.notes])


@pytest.mark.parametrize(
    ("name", "semitones"),
    [
        ("C", {0, 4, 7}),
        ("C-7", {0, 3, 7, 10}),
        ("Cma7", {0, 4, 7, 11}),
        ("C\N{GREEK CAPITAL LETTER DELTA}", {0, 4, 7, 11}),
        ("Cm7b5", {0, 3, 6, 10}),
        ("Co7", {0, 3, 6, 9}),
        ("C+", {0, 4, 8}),
        ("C7sus4", {0, 5, 7, 10}),
        ("C6/9", {0, 2, 4, 7, 9}),
        ("C7(b9)", {0, 1, 4, 7, 10}),
        ("C/Bb", {0, 4, 7, 10}),
        ("C5", {0, 7}),
    ],
)
def test_chord_names_stand_for_their_tones(name: str, semitones: set[int]) -> None:
    chord = chord_of(name)
    assert chord is not None
    assert chord.classes == semitones


@pytest.mark.parametrize("word", ["am", "Be", "Gone", "Hello", "", "verse"])
def test_words_of_a_song_are_no_chords(word: str) -> None:
    assert chord_of(word) is None


def test_chords_share_a_bar_or_begin_at_their_beats() -> None:
    assert [change.quarter for change in changes_of("Am,F", 4.0, "x")] == [0.0, 2.0]
    assert [change.quarter for change in changes_of("Am@1,F@3.5", 4.0, "x")] == [0.0, 2.5]
    with pytest.raises(RequestValidationError, match="does not begin after"):
        changes_of("Am@3,F@2", 4.0, "x")


@pytest.mark.parametrize("track", ["lead", "bass"])
def test_new_notes_lean_on_the_chords_asked_for(fill, track: str) -> None:
    score = fill(track, "--chords", "5:Dm 6:Bb 7:Eb/G 8:Cm7")
    number = {"lead": LEAD, "bass": BASS}[track]
    found = []
    for bar, name in enumerate(("Dm", "Bb", "Eb/G", "Cm7"), 4):
        chord = chord_of(name)
        assert chord is not None
        found += [note.pitch % 12 in chord.classes for note in score.tracks[number].bars[bar].notes]
    assert sum(found) >= 0.9 * len(found)


def test_a_progression_without_bars_goes_bar_by_bar_and_drums_have_none(midigpt) -> None:
    words = ("-b", "5-8", "-t", "lead", "-t", "drums", "--chords", "Am F C/E G7", "--dry-run", "--json")
    request = json.loads(midigpt("infill", POP, *words).out)["songs"][0]["request"]
    names = {"4": {"chords": "Am"}, "5": {"chords": "F"}, "6": {"chords": "C/E"}, "7": {"chords": "G7"}}
    assert [track["bar_controls"] for track in request["tracks"]] == [names, {}, {}, {}, {}]


def test_the_chords_of_a_song_are_heard() -> None:
    names = by_bar(heard_chords(Score.from_midi(POP)), 16)
    assert [names[bar] for bar in range(8)] == ["Am", "F", "C", "G"] * 2


@pytest.mark.parametrize(
    ("up", "names"),
    [
        (1, ["Bbm", "Gb", "Db", "Ab"]),
        (2, ["Bm", "G", "D", "A"]),
        (4, ["C#m", "A", "E", "B"]),
        (6, ["D#m", "B", "F#", "C#"]),
        (8, ["Fm", "Db", "Ab", "Eb"]),
        (11, ["G#m", "E", "B", "F#"]),
    ],
)
def test_chords_are_spelled_as_in_the_key_of_the_song(up: int, names: list[str]) -> None:
    song = Score.from_midi(POP)
    melodic = [track for track in song.tracks if track.track_type != DRUM]
    higher = [[replace(note, pitch=note.pitch + up - 12) for note in bar.notes] for t in melodic for bar in t.bars]
    bars = iter(higher)
    moved = Score(
        [replace(t, bars=[replace(bar, notes=next(bars)) for bar in t.bars]) for t in melodic], song.resolution
    )
    assert [by_bar(heard_chords(moved), 4)[bar] for bar in range(4)] == names


def test_an_attribute_takes_a_key_by_either_of_its_names(midigpt) -> None:
    def key(word: str) -> int:
        words = ("-b", "5-8", "-t", "lead", "--attribute", f"key_signature={word}", "--dry-run", "--json")
        return json.loads(midigpt("infill", POP, *words).out)["songs"][0]["request"]["tracks"][0]["attributes"]

    assert key("C# major") == key("Db major") == key("1")
    assert key("ab minor") == key("G# minor") == key("20")
    assert midigpt("infill", POP, "-b", "5", "--attribute", "key_signature=C7 major").code == 2


def test_an_attribute_takes_a_density_as_midigpt_names_it(midigpt) -> None:
    words = ("infill", POP, "-b", "5-8", "-t", "lead", "--dry-run", "--json", "--attribute")
    q3, three = (
        json.loads(midigpt(*words, f"note_density={level}").out)["songs"][0]["request"] for level in ("Q3", "3")
    )
    assert q3 == three
    assert midigpt(*words, "note_density=Q10").code == 2


@pytest.mark.parametrize("words", [("info", POP), ("plan", POP, "-b", "5-8")])
def test_info_and_plan_tell_the_chords_with_their_confidence(midigpt, words: tuple[object, ...]) -> None:
    told = {fact["bar"]: fact for fact in json.loads(midigpt(*words, "--json").out)["chords"]}
    assert [told[bar]["chord"] for bar in range(5, 9)] == ["Am", "F", "C", "G"]
    assert all(0.8 <= told[bar]["confidence"] <= 1 for bar in range(5, 9))
    assert "5 Am, 6 F, 7 C, 8 G" in midigpt(*words).out


def test_the_chords_heard_are_followed(fill) -> None:
    score = fill("lead", "--chords", "heard")
    found = []
    for bar, name in enumerate(("Am", "F", "C", "G"), 4):
        chord = chord_of(name)
        assert chord is not None
        found += [note.pitch % 12 in chord.classes for note in score.tracks[LEAD].bars[bar].notes]
    assert sum(found) >= 0.9 * len(found)


def test_the_chords_that_markers_name_are_followed(midigpt, tmp_path: Path) -> None:
    import mido

    file = mido.MidiFile(POP)
    bar = 4 * file.ticks_per_beat
    names = ["Dm", "Bb", "Eb", "Cm7"]
    file.tracks.append(mido.MidiTrack())
    for place, name in enumerate(names):
        file.tracks[-1].append(mido.MetaMessage("marker", text=name, time=4 * bar if place == 0 else bar))
    song, out = tmp_path / "song.mid", tmp_path / "out.mid"
    file.save(song)
    answer = midigpt("infill", song, "-b", "5-8", "-t", "lead", "--chords", "file", "-s", 1, "-o", out)
    assert answer.code == 0, answer.err
    found = []
    for place, name in enumerate(names, 4):
        chord = chord_of(name)
        assert chord is not None
        found += [note.pitch % 12 in chord.classes for note in Score.from_midi(out).tracks[LEAD].bars[place].notes]
    assert sum(found) >= 0.9 * len(found)


def test_the_line_moves_in_the_shares_asked_for(fill) -> None:
    bars = fill("lead", "--motion", "steps:0.6,leaps:0.2").tracks[LEAD].bars[4:8]
    pitches = [pitch for bar in bars for _, pitch in line(bar)]
    kinds = [kind_of(b - a) for a, b in itertools.pairwise(pitches)]
    assert abs(kinds.count("steps") / len(kinds) - 0.6) <= 0.15
    assert abs(kinds.count("leaps") / len(kinds) - 0.2) <= 0.15


@pytest.mark.parametrize(("contour", "rises"), [("up", True), ("down", False)])
def test_the_line_runs_as_the_contour_says(fill, contour: str, rises: bool) -> None:
    bars = fill("lead", "--contour", contour).tracks[LEAD].bars
    first, last = ([pitch for _, pitch in line(bars[bar])] for bar in (4, 7))
    assert (sum(last) / len(last) > sum(first) / len(first)) is rises


def test_each_bar_keeps_its_range(fill) -> None:
    old, new = Score.from_midi(POP).tracks[CHORDS].bars, fill("chords", "--keep-range").tracks[CHORDS].bars
    for bar in range(4, 8):
        low, high = (end(note.pitch for note in old[bar].notes) for end in (min, max))
        assert all(low <= note.pitch <= high for note in new[bar].notes)


def test_each_bar_keeps_its_ups_and_downs_with_other_notes(fill) -> None:
    old, new = Score.from_midi(POP).tracks[LEAD].bars, fill("lead", "--keep-contour").tracks[LEAD].bars
    for bar in range(4, 8):
        before, now = line(old[bar]), line(new[bar])
        for (tick, pitch), (after, other) in itertools.pairwise(now):
            rise = line_at(before, after) - line_at(before, tick)
            assert (other - pitch) * rise > 0 or (rise == 0 and abs(other - pitch) <= 2)
    assert [note.pitch for bar in new[4:8] for note in bar.notes] != [n.pitch for bar in old[4:8] for n in bar.notes]


def test_notes_are_no_softer_and_no_louder_than_asked_for_and_drums_too(fill) -> None:
    for track, number in (("lead", LEAD), ("drums", DRUMS)):
        bars = fill(track, "--velocity", "50-60", "--velocity", "6:100-101").tracks[number].bars
        assert all(50 <= note.velocity <= 60 for bar in (4, 6, 7) for note in bars[bar].notes)
        assert all(100 <= note.velocity <= 101 for note in bars[5].notes)


def test_a_track_keeps_its_own_accents(fill) -> None:
    old, score = Score.from_midi(POP), fill("drums", "--velocity", "own")
    place = score.resolution // 4
    kept = [note for i, bar in enumerate(old.tracks[DRUMS].bars) if not 4 <= i < 8 for note in bar.notes]
    usual: dict[int, list[int]] = {}
    for note in kept:
        usual.setdefault(round(note.onset_ticks / place), []).append(note.velocity)
    new = [note for bar in score.tracks[DRUMS].bars[4:8] for note in bar.notes]
    near = [
        abs(note.velocity - sum(usual[at]) / len(usual[at])) <= 8
        for note in new
        if (at := round(note.onset_ticks / place)) in usual
    ]
    assert sum(near) >= 0.9 * len(near) > 0


def test_humanised_notes_vary_the_same_way_each_time_and_stay_in_bounds(fill) -> None:
    plain, lively, again = (
        [note for bar in fill("drums", "--velocity", "60-60", *words).tracks[DRUMS].bars[4:8] for note in bar.notes]
        for words in ((), ("--humanise", "1", "--velocity", "6:40-90"), ("--humanise", "1", "--velocity", "6:40-90"))
    )
    assert {note.velocity for note in plain} == {60}
    assert lively == again
    assert len({note.velocity for note in lively}) > 3
    assert all(40 <= note.velocity <= 90 for note in lively)


@pytest.mark.parametrize(("words", "said"), [(["--velocity"], True), (["--no-velocity"], False), ([], None)])
def test_velocity_alone_still_says_whether_dynamics_are_written(midigpt, words: list[str], said: bool | None) -> None:
    from midigpt_cli.options.short_help import with_values
    from midigpt_cli.parse.control_values import switched

    texts = [word.removeprefix("--velocity=") for word in with_values(words)]
    assert switched(texts) is said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--velocity", "90-40"], "begins above its end"),
        (["--humanise", "2"], "humanise = 2.0 is too large; use 0 to 1"),
        (["--chords", "5:Xm"], "Xm"),
        (["--chords", "9:Am"], "bar 9"),
        (["--motion", "hops:0.3"], "hops"),
        (["--motion", "steps:0.8,leaps:0.8"], "add up to 1"),
        (["--contour", "wavy"], "'wavy' is not known; known: arch"),
        (["--contour", "drums/up", "-t", "drums"], "plays drums"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(midigpt, words: list[str], said: str) -> None:
    answer = midigpt("infill", POP, "-b", "5-8", "-t", "lead", *words, "-o", "-", "--dry-run")
    assert answer.code == 2, answer.out + answer.err
    assert said in answer.err
