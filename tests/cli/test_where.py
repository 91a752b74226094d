"""Where to write, as people say it: from the end, every fourth bar, by beat, time, section, and by what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midigpt_cli.parse.where_to_write import placed, select_places
from midigpt_core import Score
from midigpt_core.errors import RequestValidationError
from midigpt_core.score import Note

POP = Path(__file__).parents[2] / "samples" / "pop.mid"  # 16 bars of 4/4 at 112; sections A (1-8) and B (9-16)


def bars(text: str, **more: str) -> list[int]:
    return [bar + 1 for bar in select_places(text, Score.from_midi(POP), **more).bars]


def kept(score: Score, track: int, bar: int, begin: float, end: float) -> list[Note]:
    """The notes of a bar that begin outside [begin, end), in quarter notes."""
    ticks = range(round(begin * score.resolution), round(end * score.resolution))
    return [note for note in score.tracks[track].bars[bar].notes if note.onset_ticks not in ticks]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-4-", [13, 14, 15, 16]),
        ("-4--3", [13, 14]),
        ("1-16/4", [1, 5, 9, 13]),
        ("all/8", [1, 9]),
        ("b", list(range(9, 17))),
        ('"A",12', [*range(1, 9), 12]),
        ("A/4", [1, 5]),
        ("0:00-0:04.2", [1, 2]),
        ("0:30-", [15, 16]),
        ("5.3-6.2", [5, 6]),
    ],
)
def test_bars_are_found_as_people_say_them(text, found) -> None:
    assert bars(text) == found


def test_info_tells_the_sections_in_the_words_that_bars_takes(midigpt, tmp_path) -> None:
    import mido

    file, song = mido.MidiFile(POP), tmp_path / "song.mid"
    file.tracks.append(mido.MidiTrack())
    names = [("Intro", 0), ("Chorus", 2), ("Verse, soft", 3), ("chorus", 4)]  # with bars from the one before
    for name, since in names:
        file.tracks[-1].append(mido.MetaMessage("marker", text=name, time=since * 4 * file.ticks_per_beat))
    for track in file.tracks[:-1]:
        track[:] = [message for message in track if message.type != "marker"]
    file.save(song)
    told = json.loads(midigpt("info", song, "--json").out)["sections"]
    assert [(each["name"], each["first"], each["last"]) for each in told] == [
        ("Intro", 1, 2),
        ("Chorus", 3, 5),
        ("Verse, soft", 6, 9),
        ("chorus", 10, 16),
    ]
    score = Score.from_midi(song)
    for each in told:
        assert select_places(each["select"], score).bars == tuple(range(each["first"] - 1, each["last"]))
    assert 'sections Intro 1-2, Chorus#1 3-5, "Verse, soft" 6-9, chorus#2 10-16' in midigpt("info", song).out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Chorus", "it has A (bars 1-8), B (bars 9-16)"),
        ("5.9", "beats 1 to 4"),
        ("6.2-5.1", "runs backwards"),
        ("9:00-9:10", "the song lasts"),
        ("1-8/0", "steps by 0 bars"),
        ("-20-", "bar -3"),
    ],
)
def test_places_that_are_not_there_are_a_sentence(text, says) -> None:
    with pytest.raises(RequestValidationError) as refusal:
        bars(text)
    assert says in str(refusal.value)


def test_beats_alone_are_written_and_the_rest_of_the_bars_stays(midigpt, tmp_path) -> None:
    out = tmp_path / "out.mid"
    answer = midigpt("infill", POP, "--bars", "5.3-6.2", "-t", "lead,drums", "-s", 1, "-o", out)
    assert answer.code == 0, answer.err
    before, after = Score.from_midi(POP), Score.from_midi(out)
    for track in (0, 4):
        assert kept(after, track, 4, 2, 4) == kept(before, track, 4, 2, 4)
        assert kept(after, track, 5, 0, 2) == kept(before, track, 5, 0, 2)
        for bar in set(range(16)) - {4, 5}:
            assert after.tracks[track].bars[bar].notes == before.tracks[track].bars[bar].notes
    assert after.tracks[0].bars[4].notes != before.tracks[0].bars[4].notes


@pytest.mark.parametrize("words", [("--where", "silent"), ("--bars", "1-12 where silent")])
def test_only_what_is_there_is_written(midigpt, tmp_path, words) -> None:
    out = tmp_path / "out.mid"
    assert midigpt("infill", POP, *words, "-t", "strings", "-s", 1, "-o", out).code == 0
    before, after = Score.from_midi(POP).tracks[3], Score.from_midi(out).tracks[3]
    assert [bar for bar in range(16) if after.bars[bar].notes != before.bars[bar].notes] == list(range(8))


def test_a_place_that_has_nothing_of_the_kind_is_refused(midigpt) -> None:
    answer = midigpt("infill", POP, "--where", "silent", "-t", "lead", "-s", 1)
    assert answer.code == 2
    assert "--where = 'silent' matches no bar there" in answer.err


def test_a_part_of_a_bar_and_a_rhythm_cannot_both_be_asked_for(midigpt) -> None:
    answer = midigpt("infill", POP, "--bars", "5.3-5.4", "-t", "lead", "--rhythm-lock", "-s", 1)
    assert answer.code == 2
    assert "all set the rhythm" in answer.err


def test_a_request_may_name_its_bars_in_words() -> None:
    data = {"tracks": [{"id": 0}, {"id": 2, "bars": "A,9.1-9.2", "bar_controls": {"4": {"remix": {"amount": 1}}}}]}
    track = placed(data, Score.from_midi(POP))["tracks"][1]
    assert track["bars"] == list(range(9))
    assert track["bar_controls"] == {"4": {"remix": {"amount": 1}}, "8": {"span": [0.0, 2.0]}}


def test_a_request_file_may_begin_with_a_byte_order_mark(midigpt, tmp_path) -> None:
    file = tmp_path / "request.json"
    tracks = [{"id": t, **({"bars": [8]} if t == 2 else {})} for t in range(5)]
    file.write_text(json.dumps({"tracks": tracks, "config": {"seed": 1}}), encoding="utf-8-sig")
    answer = midigpt("infill", POP, "--request", file, "-o", tmp_path / "out.mid", "--dry-run")
    assert answer.code == 0, answer.err


def test_bars_in_words_work_in_a_request_file(midigpt, tmp_path) -> None:
    tracks = [{"id": t, **({"bars": "B/2"} if t == 2 else {})} for t in range(5)]
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"tracks": tracks, "config": {"seed": 1}}))
    answer = midigpt("infill", POP, "--request", file, "-o", tmp_path / "out.mid", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["songs"][0]["generated"] == [[2, bar] for bar in (8, 10, 12, 14)]


def test_a_section_that_is_not_there_is_named_in_the_request(midigpt, tmp_path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"tracks": [{"id": t, "bars": "Chorus"} for t in range(5)]}))
    answer = midigpt("infill", POP, "--request", file, "-o", tmp_path / "out.mid")
    assert answer.code == 2
    assert "tracks[0].bars = 'Chorus' is not a section of this song; it has A (bars 1-8), B (bars 9-16)" in answer.err


def test_what_stays_is_written_by_the_model_too_so_that_it_goes_on_from_there(midigpt, tmp_path, monkeypatch) -> None:
    from midigpt_core.generation import tokens_to_notes

    monkeypatch.setattr(tokens_to_notes, "_with_kept", lambda prompt, notes, score, cell: notes)  # nothing is put back
    out = tmp_path / "out.mid"
    assert midigpt("infill", POP, "--bars", "5.3-6.2", "-t", "lead", "-s", 1, "--pool", 1, "-o", out).code == 0
    before, after = Score.from_midi(POP), Score.from_midi(out)
    for bar, span in ((4, (2, 4)), (5, (0, 2))):
        old, new = ([(n.onset_ticks, n.pitch) for n in kept(score, 0, bar, *span)] for score in (before, after))
        assert old == new
