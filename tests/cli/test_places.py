"""Where to write, as people say it: by beat, time, section, from the end, every n-th bar, and by what is there."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import pytest

from midigpt_cli.parse.places import placed, select_places
from midigpt_core.errors import RequestValidationError
from midigpt_core.midi_file.sections import bar_times, sections
from midigpt_core.score import Note, Score

POP = Path(__file__).resolve().parents[2] / "samples" / "pop.mid"
MARKERS = (("Intro", 0), ("Verse", 4), ("Chorus", 8), ("Verse, slow", 12), ("Chorus", 14))  # name, bar from 0


@pytest.fixture(scope="session")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """samples/pop.mid with markers."""
    song = mido.MidiFile(POP)
    track, at = mido.MidiTrack(), 0
    for name, bar in MARKERS:
        tick = bar * 4 * song.ticks_per_beat
        track.append(mido.MetaMessage("marker", text=name, time=tick - at))
        at = tick
    song.tracks.append(track)
    file = tmp_path_factory.mktemp("marked") / "marked.mid"
    song.save(file)
    return file


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("-4-", (12, 13, 14, 15)),
        ("-8--5", (8, 9, 10, 11)),
        ("1-16/4", (0, 4, 8, 12)),
        ("all/8", (0, 8)),
        ("Intro", (0, 1, 2, 3)),
        ("intro,9", (0, 1, 2, 3, 8)),
        ('"Verse, slow"', (12, 13)),
        ("Verse/2", (4, 6)),
        ("Chorus#2", (14, 15)),
        ("int", (0, 1, 2, 3)),
    ],
)
def test_bars_are_found_from_the_end_every_n_th_and_by_section(marked: Path, text: str, bars: tuple[int, ...]) -> None:
    assert select_places(text, Score.from_midi(marked)).bars == bars


def test_bars_are_found_by_the_time_they_sound_at(marked: Path) -> None:
    score = Score.from_midi(marked)
    times = bar_times(score)
    assert len(times) == score.n_bars + 1
    begin, end = times[4], times[8]
    text = f"0:{begin:.2f}-0:{end:.2f}"
    assert select_places(text, score).bars == (4, 5, 6, 7)
    assert select_places(f"0:{begin:.2f}-", score).bars == tuple(range(4, score.n_bars))


def test_beats_leave_out_the_rest_of_their_bars(marked: Path) -> None:
    places = select_places("5.3-6.2,8", Score.from_midi(marked))
    assert places.bars == (4, 5, 7)
    assert places.spans == {4: (2.0, 4.0), 5: (0.0, 2.0)}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Chorus", r"may be Chorus \(bars 9-12\) or Chorus \(bars 15-16\); .*Chorus#2"),
        ("Bridge", r"is no section of this song; it has Intro \(bars 1-4\)"),
        ("4.9", "bar 4 has beats 1 to 4"),
        ("99.1", "it has bars 1 to 16"),
        ("6.2-5.3", "say 5.3-6.2"),
        ("9:00-9:10", "holds half a bar at most; the song lasts 0:"),
        ("1-8/0", "every bar 0 times"),
        ("all where loud", "known: dense, repeated, silent, sounding, sparse"),
    ],
)
def test_places_that_cannot_be_meant_are_refused_with_a_way_out(marked: Path, text: str, answer: str) -> None:
    with pytest.raises(RequestValidationError, match=answer):
        select_places(text, Score.from_midi(marked))


def test_a_song_without_markers_is_said_to_have_no_sections() -> None:
    score = Score.from_midi(POP.with_name("chorale.mid"))
    assert sections(score) == ()
    with pytest.raises(RequestValidationError, match="the song names no sections"):
        select_places("Chorus", score)


def test_what_is_there_is_looked_at_track_by_track() -> None:
    score = Score.from_midi(POP)
    score.tracks[2].bars[4].notes.clear()
    score.tracks[2].bars[3].notes.clear()
    score.tracks[0].bars[2].notes = [Note(40, 90, tick, 60) for tick in range(0, 1920, 24)]
    silent = select_places("all", score, where="silent").by_track([0, 2], score)
    assert 4 in silent[2]
    assert not silent.get(0, ())
    assert select_places("all where dense", score).by_track([0], score) == {0: (2,)}
    for track, bars in select_places("all where repeated", score).by_track(range(4), score).items():
        for bar in bars:
            notes = [{(n.onset_ticks, n.pitch) for n in each.notes} for each in score.tracks[track].bars]
            assert notes[bar] in notes[:bar]


def test_a_request_may_name_its_bars_in_words(marked: Path) -> None:
    data = {"tracks": [{"id": 0}, {"id": 2, "bars": "Verse,9.1-9.2", "bar_controls": {"4": {"remix": {"amount": 1}}}}]}
    track = placed(data, Score.from_midi(marked))["tracks"][1]
    assert track["bars"] == [4, 5, 6, 7, 8]
    assert track["bar_controls"] == {"4": {"remix": {"amount": 1}}, "8": {"span": [0.0, 2.0]}}


def _outside(score: Score, track: int) -> list[tuple[int, Note]]:
    """Everything of a track but beat 3 of bar 5 to beat 2 of bar 6."""
    quarter = score.resolution
    kept = []
    for number, bar in enumerate(score.tracks[track].bars):
        free = {4: range(2 * quarter, 4 * quarter), 5: range(2 * quarter)}.get(number, range(0))
        kept += [(number, note) for note in bar.notes if note.onset_ticks not in free]
    return kept


@pytest.mark.parametrize("track", range(4))
def test_notes_outside_the_beats_that_are_written_stay_as_they_are(midigpt, tmp_path: Path, track: int) -> None:
    out = tmp_path / "out.mid"
    words = ["--bars", "5.3-6.2", "--track", track + 1, "--seed", 3, "-T", 1.5, "--novelty", "--echo", 0]
    answer = midigpt("infill", POP, *words, "-o", out)
    assert answer.code == 0, answer.err
    before, after = Score.from_midi(POP), Score.from_midi(out)
    key = lambda row: (row[0], row[1].onset_ticks, row[1].pitch)  # noqa: E731
    assert sorted(_outside(after, track), key=key) == sorted(_outside(before, track), key=key)
    assert after.tracks[track].bars[4].notes != before.tracks[track].bars[4].notes


def test_bars_in_words_work_in_a_request_file(midigpt, marked: Path, tmp_path: Path) -> None:
    tracks = [{"id": t, **({"bars": "Verse"} if t == 2 else {})} for t in range(5)]
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"tracks": tracks, "config": {"seed": 1}}))
    answer = midigpt("infill", marked, "--request", file, "-o", tmp_path / "out.mid", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["songs"][0]["generated"] == [[2, bar] for bar in range(4, 8)]


def test_only_what_is_silent_is_written_where_that_is_asked(midigpt, tmp_path: Path) -> None:
    score = Score.from_midi(POP)
    for bar in (2, 3, 4):
        score.tracks[2].bars[bar].notes.clear()
    song = tmp_path / "gap.mid"
    score.to_midi(song)
    answer = midigpt("infill", song, "--where", "silent", "--track", 3, "-o", tmp_path / "o.mid", "--seed", 1, "--json")
    written = json.loads(answer.out)["songs"][0]["generated"]
    assert [bar for _, bar in written] in ([2, 3, 4], [3, 4])
