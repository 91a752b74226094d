"""A score made from scratch becomes a clean format 1 file."""

from __future__ import annotations

import io
from collections.abc import Callable

import mido
import pytest
from midi_cases import CASES

from midigpt_core import Bar, Note, Score, ScoreError, Track
from midigpt_core.midi_file import score_to_bytes


def band(n_tracks: int, n_bars: int = 3) -> Score:
    """Tracks of one note per bar, the last of them drums."""
    tracks = [
        Track([Bar([Note(40 + i, 80, 0, 240)]) for _ in range(n_bars)], instrument=i, name=f"Part {i}")
        for i in range(n_tracks)
    ]
    tracks[-1].track_type = "drum"
    return Score(tracks, tempo=600_000)


def again(score: Score) -> Score:
    return Score.from_midi(score_to_bytes(score))


def test_bars_names_programs_and_tempo_come_back() -> None:
    score = band(4)
    back = again(score)
    assert back.tempo == 600_000
    assert [(t.name, t.instrument, t.track_type, t.bars) for t in back.tracks] == [
        (t.name, t.instrument, t.track_type, t.bars) for t in score.tracks
    ]


def test_file_is_format_1_with_a_conductor_chunk() -> None:
    file = mido.MidiFile(file=io.BytesIO(score_to_bytes(band(2))))
    assert file.type == 1
    assert [message.type for message in file.tracks[0]] == ["set_tempo", "time_signature", "end_of_track"]
    assert [message.type for message in file.tracks[1]][:3] == ["track_name", "program_change", "note_on"]


def test_drums_are_on_channel_10_and_melody_is_not() -> None:
    score = band(3)
    score.tracks[0].channel = 9
    score.tracks[2].channel = 4
    assert [part.channel for part in again(score).tracks] == [0, 1, 9]


def test_free_channels_are_kept() -> None:
    score = band(3)
    score.tracks[0].channel, score.tracks[1].channel = 5, 5
    assert [part.channel for part in again(score).tracks] == [5, 0, 9]


def test_more_than_15_melodic_tracks_keep_their_programs() -> None:
    score = band(40)
    back = again(score)
    assert [part.instrument for part in back.tracks] == [part.instrument for part in score.tracks]
    ports = [
        message.port
        for chunk in mido.MidiFile(file=io.BytesIO(score_to_bytes(score))).tracks
        for message in chunk
        if message.type == "midi_port"
    ]
    places = list(zip(ports, [part.channel for part in back.tracks], strict=True))
    assert len(set(places)) == len(places)


def test_same_instruments_share_a_channel_before_a_second_port_is_used() -> None:
    score = band(18)
    for part in score.tracks:
        part.instrument = min(part.instrument, 10)
    data = score_to_bytes(score)
    assert b"\xff\x21\x01" not in data
    assert [part.instrument for part in Score.from_midi(data).tracks] == [part.instrument for part in score.tracks]


def test_metre_changes_and_cut_bars_come_back() -> None:
    shapes = [(4, 4, 1.0), (4, 4, 4.0), (7, 8, 3.5), (7, 8, 3.5), (3, 4, 2.5), (3, 4, 3.0)]
    score = Score([Track([Bar([Note(60, 80, 0, 100)], n, d, length) for n, d, length in shapes])])
    found = [(bar.ts_numerator, bar.ts_denominator, bar.beat_length) for bar in again(score).tracks[0].bars]
    assert found == shapes


def test_trailing_empty_bars_and_held_notes_come_back() -> None:
    score = Score([Track([Bar([Note(60, 80, 0, 5000)]), Bar(), Bar(), Bar()])])
    assert again(score).tracks[0].bars == score.tracks[0].bars


@pytest.mark.parametrize("name", [name for name in CASES if Score.from_midi(CASES[name]).tracks])
def test_score_of_a_file_can_be_written_as_a_new_file(name: str) -> None:
    score = Score.from_midi(CASES[name])
    score.source = None
    back = again(score)
    for part, same in zip(score.tracks, back.tracks, strict=True):
        assert [len(bar.notes) for bar in part.bars] == [len(bar.notes) for bar in same.bars][: len(part.bars)]


def test_name_in_any_script_is_written_as_utf_8() -> None:
    score = band(1)
    score.tracks[0].name = "さくら"
    assert again(score).tracks[0].name == "さくら"


def test_empty_score_is_a_valid_file() -> None:
    assert again(Score()).tracks == []


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda score: setattr(score, "resolution", 0), "resolution"),
        (lambda score: setattr(score, "tempo", 0), "tempo"),
        (lambda score: setattr(score.tracks[0], "instrument", 300), "instrument"),
        (lambda score: setattr(score.tracks[0].bars[0], "ts_denominator", 5), "4/5"),
        (lambda score: setattr(score.tracks[0].bars[0], "beat_length", 9.0), "quarter notes long"),
        (lambda score: setattr(score.tracks[0].bars[0].notes[0], "onset_ticks", 4000), "bars\\[0\\]"),
    ],
)
def test_what_no_file_can_hold_is_refused(spoil: Callable[[Score], object], word: str) -> None:
    score = band(2)
    spoil(score)
    with pytest.raises(ScoreError, match=word):
        score_to_bytes(score)
