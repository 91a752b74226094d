"""Bars and tracks are counted from 1 by people, and every misunderstanding is answered with a way out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midigpt_cli.parse.selectors import describe_bars, describe_track, select_bars, select_tracks
from midigpt_core.errors import RequestValidationError
from midigpt_core.score import Bar, Note, Score, Track

BAND = Score(
    [
        Track(name="Lead Guitar"),
        Track(name="Bass"),
        Track(name="Drum Kit", track_type="drum"),
        Track(name=""),
        Track(name="Rhythm Guitar"),
        Track(name="Bass Synth"),
        Track(name="Shaker, tambourine", track_type="drum"),
        Track(name="808"),
    ]
)


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("4-8", (3, 4, 5, 6, 7)),
        ("5,7-9", (4, 6, 7, 8)),
        ("17-", (16, 17, 18, 19)),
        (" 3 , 1 - 2 ", (0, 1, 2)),
        ("2–3", (1, 2)),  # noqa: RUF001
        ("20", (19,)),
        ("all", tuple(range(20))),
        ("4,4,3-5", (2, 3, 4)),
    ],
)
def test_bars_are_counted_from_1_and_come_out_once_in_order(text, bars) -> None:
    assert select_bars(text, 20) == bars


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("0-3", "bar 0"),
        ("19-21", "bars 1 to 20"),
        ("25-", "bar 25"),
        ("8-4", "write 4-8"),
        ("four", "is not a range of bars"),
        ("", "is not a range of bars"),
        ("-4", "is not a range of bars"),
        ("1-2-3", "is not a range of bars"),
        ("1.5", "is not a range of bars"),
    ],
)
def test_bars_that_cannot_be_meant_are_refused(text, answer) -> None:
    with pytest.raises(RequestValidationError, match=answer):
        select_bars(text, 20)


@pytest.mark.parametrize("text", ["all", "1", "1-4"])
def test_a_song_without_bars_is_said_to_have_none(text) -> None:
    with pytest.raises(RequestValidationError, match="matches no bar; the song has none"):
        select_bars(text, 0)


@given(st.sets(st.integers(0, 60), min_size=1))
def test_bars_are_described_as_they_are_read(bars) -> None:
    assert set(select_bars(describe_bars(bars), 61)) == bars


@pytest.mark.parametrize(
    ("selectors", "tracks"),
    [
        (["1"], (0,)),
        (["3", "1", "3"], (2, 0)),
        (["bass"], (1,)),
        (["BASS S"], (5,)),
        (["kit"], (2,)),
        (["drums"], (2, 6)),
        (["melodic"], (0, 1, 3, 4, 5, 7)),
        (["all"], tuple(range(8))),
        (["1,bass,drums"], (0, 1, 2, 6)),
        (["shaker, tam"], (6,)),
        (["808"], (7,)),
        (["rhythm"], (4,)),
    ],
)
def test_tracks_are_found_by_number_name_and_kind(selectors, tracks) -> None:
    assert select_tracks(selectors, BAND) == tracks


@pytest.mark.parametrize(
    ("selector", "answer"),
    [
        ("9", "tracks 1 to 8"),
        ("0", "tracks 1 to 8"),
        ("guitar", r'could mean track 1 "Lead Guitar" \(Acoustic Grand Piano\) or 5 "Rhythm Guitar" \('),
        ("bas guitar", "is not a track"),
        ("baas", 'did you mean 2 "Bass"'),
        ("", "is not a track"),
        ("drms", "did you mean drums"),
    ],
)
def test_a_track_that_cannot_be_told_is_refused_with_a_way_out(selector, answer) -> None:
    with pytest.raises(RequestValidationError, match=answer):
        select_tracks([selector], BAND)


def test_a_song_without_drums_says_what_it_has() -> None:
    with pytest.raises(RequestValidationError, match='1 "Piano"'):
        select_tracks(["drums"], Score([Track(name="Piano")]))


def test_a_track_is_named_with_its_number() -> None:
    assert [describe_track(number, BAND) for number in (1, 3)] == ['2 "Bass"', "4"]


@pytest.mark.parametrize("digits", ["9" * 10, "9" * 5000, "-" + "9" * 5000, "--5", "²"])
def test_numbers_of_any_length_are_refused_in_a_sentence(midigpt, song, digits) -> None:
    words = [("--bars", digits), ("--bars", f"1-{digits}"), ("--track", digits), ("--pitch-range", f"{digits}-60")]
    words += [("--attribute", f"note_density={digits}"), ("--window", digits), ("--scale", digits)]
    for option, value in words:
        bars = [] if option == "--bars" else ["--bars", "1"]
        answer = midigpt("infill", song, *bars, f"{option}={value}")
        assert answer.code == 2, (option, answer)


def _line(pitch: int, instrument: int, name: str = "Staff") -> Track:
    """Four bars of single notes, or of chords where the pitch is below zero."""
    chord = (pitch,) if pitch > 0 else (-pitch, 4 - pitch, 7 - pitch)
    return Track([Bar([Note(p, 90, t, 200) for t in (0, 480) for p in chord]) for _ in range(4)], instrument, name=name)


STAVES = Score([_line(76, 73), _line(-60, 4), _line(40, 33), _line(60, 25), _line(64, 27), Track(track_type="drum")])


@pytest.mark.parametrize(
    ("selector", "tracks"),
    [("bass", (2,)), ("piano", (1,)), ("electric piano", (1,)), ("flute", (0,)), ("woodwind", (0,)), ("clean", None)],
)
def test_tracks_whose_names_say_nothing_are_found_by_their_instruments(selector, tracks) -> None:
    assert select_tracks([selector], STAVES) == (tracks or (4,))


def test_a_part_is_found_by_what_is_played_where_neither_names_nor_instruments_tell() -> None:
    pianos = Score([_line(79, 0), _line(-60, 0), _line(38, 0)])
    for word, track in (("lead", 0), ("melody", 0), ("harmony", 1), ("chords", 1), ("bass", 2)):
        assert select_tracks([word], pianos) == (track,)


def test_a_name_comes_before_an_instrument() -> None:
    assert select_tracks(["bass"], Score([_line(40, 33), _line(60, 0, "Bass choir")])) == (1,)


def test_two_tracks_of_a_family_are_listed_with_number_name_and_instrument() -> None:
    with pytest.raises(RequestValidationError, match=r'4 "Staff" \(Acoustic Guitar \(steel\)\) or 5 "Staff"'):
        select_tracks(["guitar"], STAVES)
    with pytest.raises(RequestValidationError, match=r"did you mean woodwind"):
        select_tracks(["woodwnd"], STAVES)
    with pytest.raises(RequestValidationError, match=r'the song has 1 "Staff" \(Flute\).*6 "drums"'):
        select_tracks(["tuba"], STAVES)
