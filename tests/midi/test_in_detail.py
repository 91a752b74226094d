"""Lines over several channels, cut-out bars, sections, silent tracks, drums: what is read of a file, in detail."""

from __future__ import annotations

import copy

import pytest
from midi_cases import BAR, control, metre, midi, off, on, played, program, scale, tempo, text, track
from real import sample

from midigpt_core import Bar, Note, Score, ScoreError, Track
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.midi_file.bars import on_bar_line, spans
from midigpt_core.midi_file.drum_notes import drum_log_odds
from midigpt_core.midi_file.excerpt import excerpt
from midigpt_core.midi_file.multichannel_lines import at_rest, line_channels
from midigpt_core.midi_file.outline import ReadLimits, outline
from midigpt_core.midi_file.same_pitch_overlaps import NewNote
from midigpt_core.midi_file.sections import bar_times, sections
from midigpt_core.midi_file.silent_tracks import silent_tracks
from midigpt_core.midi_file.source import tempi
from midigpt_core.midi_file.write import free_channel, used_channels
from midigpt_core.score import DRUM

MPE = 6  # registered parameter: an MPE configuration message


def zone(channel: int, members: int, parameter: int = MPE) -> list[tuple[int, bytes]]:
    """An MPE configuration message on a channel."""
    return [
        (0, control(101, 0, channel)),
        (0, control(100, parameter, channel)),
        (0, control(6, members, channel)),
    ]


def channels_of(*events: tuple[int, bytes], kind: int = 1) -> list[int]:
    return line_channels(outline(track(*events)[8:], "here", 1000, None), kind)


def pair(first: int, second: int) -> list[tuple[int, bytes]]:
    return [*played([(0, 90, 60)], first), *played([(100, 190, 62)], second)]


# ---- lines over several channels ----


def test_the_channels_of_a_declared_zone_are_one_line() -> None:
    assert channels_of(*zone(0, 5), *pair(1, 2)) == [1, 2]
    assert channels_of(*zone(15, 5), *pair(13, 14)) == [13, 14]
    assert channels_of(*zone(0, 1), *pair(1, 2)) == []
    assert channels_of(*zone(15, 1), *pair(13, 14)) == []


def test_a_zone_is_declared_on_its_first_or_last_channel_and_by_its_own_parameter() -> None:
    assert channels_of(*zone(3, 5), *pair(1, 2)) == []
    assert channels_of(*zone(0, 5, parameter=0), *pair(1, 2)) == []
    assert channels_of(*pair(1, 2)) == []


def test_a_note_is_no_message_about_a_zone() -> None:
    named = [(0, on(101, 1)), (0, on(100, 6)), (0, on(6, 5)), (9, off(101)), (9, off(100)), (9, off(6))]
    assert channels_of(*named, *pair(1, 2)) == []


def test_a_bent_channel_is_brought_to_rest_before_a_new_note_and_one_at_rest_is_left_alone() -> None:
    note = NewNote(100, 150, 60, 80)
    assert at_rest([(0, b"\xe2\x00\x40")], 2, set(), [note]) == []
    assert at_rest([(0, b"\xe2\x00\x50"), (200, b"\xe2\x11\x40")], 2, set(), [note]) == [(100, b"\xe2\x00\x40")]


# ---- bars that are cut out ----


@pytest.mark.parametrize("name", ["pop", "waltz", "seven"])
@pytest.mark.parametrize("new_tempo", [None, 700_000])
def test_the_file_of_cut_out_bars_plays_them_in_their_metre_and_tempo(name: str, new_tempo: int | None) -> None:
    score = sample(name)
    part = excerpt(score, 2, 6, new_tempo)
    assert part.source is not None
    read = Score.from_midi(part.source.data)
    sounding = [track for track in part.tracks if any(bar.notes for bar in track.bars)]
    assert [track.bars[:4] for track in read.tracks] == [track.bars for track in sounding]
    assert read.tempo == (new_tempo or score.tempo)
    assert len(tempi(part.source.outlines)) == 1


def test_notes_stop_at_the_end_of_cut_out_bars_or_sound_on_at_their_beginning() -> None:
    bars = [Bar([Note(60, 80, 0, 480)]), Bar([Note(64, 80, 1440, 960), Note(67, 80, 960, 240)]), Bar()]
    score = Score([Track(bars)])
    closed, wrapped = excerpt(score, 0, 2), excerpt(score, 0, 2, wrap=True)
    assert [(n.pitch, n.duration_ticks) for n in closed.tracks[0].bars[1].notes] == [(64, 480), (67, 240)]
    assert [(n.pitch, n.duration_ticks) for n in wrapped.tracks[0].bars[0].notes] == [(64, 480), (60, 480)]


# ---- bars and time ----


def test_a_bar_may_be_as_short_as_a_tick() -> None:
    assert [bar.stop - bar.start for bar in spans([(0, 1, 4)], 1, 3)] == [1, 1, 1]


def test_a_metre_begins_with_a_bar_line() -> None:
    signatures = [(0, 4, 4), (384, 3, 4)]
    assert [tick for tick in range(0, 1000, 48) if on_bar_line(tick, signatures, 96)] == [0, 384, 672, 960]


def test_time_before_the_first_tempo_passes_at_120() -> None:
    score = Score.from_midi(midi(track((BAR, tempo(1_000_000))), track(*scale())))
    assert bar_times(score)[:3] == [0.0, 2.0, 6.0]


def test_a_marker_shortly_before_a_bar_line_names_the_bar_after_it_and_another_its_own() -> None:
    marks = track((0, text(6, b"Intro")), (BAR + 200, text(6, b"Verse")), (3 * BAR - 5, text(7, b"Chorus")))
    score = Score.from_midi(midi(marks, track(*scale())))
    assert [(part.name, part.first, part.end) for part in sections(score)] == [
        ("Intro", 0, 1),
        ("Verse", 1, 3),
        ("Chorus", 3, 4),
    ]


# ---- tracks without a note ----


def test_silent_tracks_are_those_with_a_name_or_an_instrument_but_no_note() -> None:
    data = midi(
        track((0, text(3, b"Song")), (0, tempo(500_000)), (0, metre(4, 2))),
        track((0, text(3, b"Lead")), *scale()),
        track((0, text(3, b"Bass")), (0, program(33, 2)), (0, program(35, 2))),
        track((0, text(3, b"Drums"))),
        track((0, control(7, 100, 4))),
        track((0, text(3, b"Pad"))),
    )
    found = silent_tracks(Score.from_midi(data))
    assert [(each.track.name, each.program, each.track.channel, each.track.midi_track) for each in found] == [
        ("Bass", 33, 2, 2),
        ("Drums", None, 9, 3),
        ("Pad", None, 1, 5),
    ]
    assert [each.track.track_type == DRUM for each in found] == [False, True, False]
    assert silent_tracks(Score([Track([Bar()])])) == []


def test_a_silent_chunk_gets_the_instrument_of_its_new_notes() -> None:
    score = Score.from_midi(midi(track(*scale()), track((0, text(3, b"Bass")))))
    score.tracks.append(Track([Bar([Note(40, 80, 0, 96)])], instrument=33, midi_track=1, channel=3))
    assert [part.instrument for part in Score.from_midi(score_to_bytes(score)).tracks] == [0, 33]


# ---- writing ----


def test_no_channel_is_free_where_fifteen_play_and_a_new_track_goes_to_another_port_at_once() -> None:
    used = [channel for channel in range(16) if channel != 9]
    data = midi(*(track(*scale(channel)) for channel in used))
    score = Score.from_midi(data)
    assert score.source is not None
    assert free_channel(used_channels(score.source.outlines)) is None
    score.tracks.append(Track([Bar([Note(60, 80, 0, 96)])], instrument=5))
    chunk = score_to_bytes(score).rpartition(b"MTrk")[2]
    assert chunk[4:].startswith(b"\x00\xff\x21\x01\x01")


def test_a_bar_a_tick_longer_than_its_metre_is_refused() -> None:
    with pytest.raises(ScoreError, match="more than its metre allows"):
        score_to_bytes(Score([Track([Bar([], 3, 4, 3 + 1 / 480)])], 480))


def test_a_new_metre_is_written_with_eight_thirty_seconds_to_the_quarter() -> None:
    score = Score.from_midi(midi(track((0, metre(4, 2)), *scale())))
    score.tracks[0].bars.append(Bar([Note(60, 80, 0, 96)], 3, 4, 3.0))
    assert metre(3, 2) in score_to_bytes(score)


# ---- drums ----


def test_a_hi_hat_on_bass_drums_and_snares_sounds_like_drums() -> None:
    apart = [(i * 48, i * 48 + 10, (36, 42, 38, 42)[i % 4]) for i in range(64)]
    together = [(onset // 96 * 96, end, pitch) for onset, end, pitch in apart]
    assert drum_log_odds(together, 96) > drum_log_odds(apart, 96)


def test_a_few_notes_under_a_name_that_says_drums_are_drums_unless_an_instrument_is_chosen() -> None:
    def kind(*head: tuple[int, bytes]) -> str:
        part = track((0, text(3, b"Percussion")), *head, *played([(i * 96, i * 96 + 9, 60) for i in range(4)]))
        return Score.from_midi(midi(part)).tracks[0].track_type

    assert kind() == DRUM
    assert kind((0, program(12))) != DRUM


# ---- limits and copies ----


def test_a_file_has_as_many_tracks_at_most_as_its_header_can_say() -> None:
    assert ReadLimits().tracks == 0xFFFF


def test_a_copy_of_a_song_that_was_not_looked_at_yet_is_the_song() -> None:
    data = score_to_bytes(sample("pop"))
    assert copy.deepcopy(Score.from_midi(data)) == Score.from_midi(data)
    notes = Score.from_midi(data).tracks[1].bars[0].notes
    assert copy.deepcopy(notes) == notes


def test_bars_of_a_file_that_names_no_metre_are_cut_out_in_four_four() -> None:
    part = excerpt(Score.from_midi(midi(track(*scale()))), 1, 3)
    assert part.source is not None
    there = [(bar.ts_numerator, bar.ts_denominator) for bar in Score.from_midi(part.source.data).tracks[0].bars]
    assert there == [(4, 4)] * 2
