"""Files of other programs: bars, tracks, programs and wrappers as those programs mean them."""

from __future__ import annotations

import io
from binascii import crc_hqx
from collections.abc import Callable
from dataclasses import replace

import pytest
from midi_cases import BAR, END, chunk, control, merged, metre, midi, on, played, program, rmid, scale, text, track

from midigpt_core import MidiFileError, Note, Score
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.midi_file.chunks import split

BEAT = 96


def heard(data: bytes) -> list[int]:
    """Notes per bar of the first track."""
    return [len(bar.notes) for bar in Score.from_midi(data).tracks[0].bars]


# ---- the end-of-track mark ----


@pytest.mark.parametrize("late", [0, 1, BEAT, 2 * BAR + 7])
def test_a_mark_behind_the_last_note_makes_no_bar(late: int) -> None:
    assert heard(midi(track(*scale(), (4 * BAR, control(64, 0)), end=4 * BAR + late))) == [4] * 4


def test_four_bars_written_by_pretty_midi_are_four() -> None:
    import pretty_midi

    song, part = pretty_midi.PrettyMIDI(initial_tempo=120), pretty_midi.Instrument(0)
    part.notes = [pretty_midi.Note(80, 60 + i, i / 2, i / 2 + 0.5) for i in range(16)]
    song.instruments.append(part)
    file = io.BytesIO()
    song.write(file)
    assert heard(file.getvalue()) == [4] * 4


def test_four_bars_written_by_symusic_are_four() -> None:
    symusic = pytest.importorskip("symusic")
    score = symusic.Score(480)
    part = symusic.Track()
    part.notes = symusic.core.NoteTickList([symusic.Note(480 * i, 480, 60 + i, 80) for i in range(16)])
    score.tracks.append(part)
    assert heard(score.dumps_midi()) == [4] * 4


def test_a_mark_on_a_bar_line_is_a_length_that_was_chosen() -> None:
    assert heard(midi(track(*scale(), end=6 * BAR))) == [4, 4, 4, 4, 0, 0]


@pytest.mark.parametrize("event", [text(6, b"outro"), metre(3, 2), control(64, 0)])
def test_emptiness_that_was_meant_stays(event: bytes) -> None:
    assert heard(midi(track(*scale(), (5 * BAR + 10, event), end=5 * BAR + 20)))[:5] == [4, 4, 4, 4, 0]
    assert len(heard(midi(track(*scale(), (5 * BAR + 10, event), end=5 * BAR + 20)))) >= 6


def test_a_bar_emptied_by_splicing_stays_a_bar() -> None:
    score = Score.from_midi(midi(track(*played([(i * BEAT, i * BEAT + 50, 60) for i in range(16)]))))
    for bars in ((3,), (2, 3), (0, 1, 2, 3)):
        changed = replace(
            score,
            tracks=[
                replace(
                    score.tracks[0],
                    bars=[replace(b, notes=[] if i in bars else b.notes) for i, b in enumerate(score.tracks[0].bars)],
                )
            ],
        )
        out = score_to_bytes(changed)
        other = Score.from_midi(out)
        assert len(other.tracks) == (len(bars) < 4)
        for part in other.tracks:
            assert [len(bar.notes) for bar in part.bars] == [0 if i in bars else 4 for i in range(4)]


def test_an_end_mark_at_the_end_of_time_refuses_nothing() -> None:
    assert heard(midi(track(*scale(), end=0x0FFFFFF1), division=96)) == [4] * 4


# ---- events behind the mark, chunks the header does not count ----


def late_events(end: int = 2 * BAR) -> bytes:
    """Two bars, an end-of-track mark, and two more bars behind it."""
    notes = scale()
    first = track(*[item for item in notes if item[0] < end], end=end)[8:]
    late = track(*[(tick - end, event) for tick, event in notes if tick >= end])[8:]
    return midi(chunk(b"MTrk", first + late))


def all_events(data: bytes) -> list[tuple[int, bytes]]:
    """Every event of the first chunk, those behind the end-of-track mark too."""
    import mido

    found, tick = [], 0
    for message in mido.MidiFile(file=io.BytesIO(data)).tracks[0]:
        tick += message.time
        if message.type != "end_of_track":
            found.append((tick, bytes(message.bin() if hasattr(message, "bin") else message.bytes())))
    return found


def test_events_behind_the_mark_keep_their_ticks() -> None:
    data = late_events()
    score = Score.from_midi(data)
    assert score.n_bars == 2
    added = [replace(bar, notes=[Note(100, 80, 0, 50)]) for bar in score.tracks[0].bars]
    longer = replace(score, tracks=[replace(score.tracks[0], bars=[*score.tracks[0].bars, *added])])
    before, after = all_events(data), all_events(score_to_bytes(longer))
    assert [item for item in after if item[1][1] != 100] == before
    assert len(after) == len(before) + 4


def test_tracks_that_the_header_does_not_count_are_read() -> None:
    parts = [track((0, metre(4, 2))), track(*scale()), chunk(b"XFIH", b"abc"), track(*scale(1))]
    data = midi(*parts, count=1)
    assert [part.channel for part in Score.from_midi(data).tracks] == [0, 1]
    assert Score.from_midi(midi(track(*scale()), count=0)).n_bars == 4
    score = Score.from_midi(data + b"junk")
    assert score_to_bytes(score) == data + b"junk"
    score.tracks[0].bars[0].notes = []
    out = score_to_bytes(score)
    assert out.endswith(b"junk")
    assert int.from_bytes(out[10:12], "big") == 3


def test_a_track_of_no_bytes_with_events_behind_it_is_refused() -> None:
    hidden = b"MTrk\0\0\0\0" + track(*scale())[8:]
    with pytest.raises(MidiFileError, match="0 bytes"):
        Score.from_midi(midi(track((0, metre(4, 2))), hidden))
    assert Score.from_midi(midi(track(*scale()), b"MTrk\0\0\0\0") + b"\0\0").n_bars == 4


# ---- wrappers ----


def macbinary(data: bytes, complete: bool) -> bytes:
    head = bytearray(128)
    head[1:10] = b"\x08song.mid"
    if not complete:
        return bytes(head) + data
    head[83:87] = len(data).to_bytes(4, "big")
    head[124:126] = crc_hqx(head[:124], 0).to_bytes(2, "big")
    return bytes(head) + data + bytes(-len(data) % 128) + b"resource fork"


@pytest.mark.parametrize("complete", [False, True])
def test_macbinary_is_read_as_what_it_holds(complete: bool) -> None:
    plain = midi(track(*scale()))
    data = macbinary(plain, complete)
    score = Score.from_midi(data)
    assert score == Score.from_midi(plain)
    assert score_to_bytes(score) == data
    score.tracks[0].bars[1].notes = []
    inside = Score.from_midi(plain)
    inside.tracks[0].bars[1].notes = []
    assert score_to_bytes(score) == macbinary(score_to_bytes(inside), complete)


@pytest.mark.parametrize("wrap", [rmid, lambda data: macbinary(data, True)])
def test_other_programs_are_given_the_midi_alone(
    wrap: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = midi(track(*scale()))
    assert split(wrap(plain), "song").unwrapped.join() == plain
    pytest.importorskip("soundfile")
    from midigpt_core.audio import synthesis

    given = []
    monkeypatch.setattr(synthesis, "_choose", lambda settings: ("fluidsynth", "font.sf2"))
    monkeypatch.setattr(synthesis.fluidsynth, "play", lambda data, *_: given.append(data))
    synthesis.play(wrap(plain))
    assert given == [plain]


# ---- ports ----


def test_a_part_on_a_second_port_takes_no_program_from_the_first() -> None:
    port = [(0, text(0x21, b"\1"))]
    data = midi(
        track((0, text(0x21, b"\0")), (0, program(40))),
        track(*scale()),
        track(*port, *scale()),
        track(*port, (0, program(70, 3))),
        track(*merged(port, scale(3))),
    )
    assert [part.instrument for part in Score.from_midi(data).tracks] == [40, 0, 70]


# ---- what is heard ----


def test_heard_bars_end_with_the_last_note_that_begins() -> None:
    ringing = midi(track(*scale(), (3 * BAR + 50, on(90)), (5 * BAR + 24, END), (5 * BAR + 24, END), mark=False))
    assert Score.from_midi(ringing).heard_bars == 4
    held = midi(track(*played([(0, 90, 60), (BAR, 3 * BAR + 24, 62)])))
    score = Score.from_midi(held)
    assert (score.n_bars, score.heard_bars) == (4, 2)
    assert Score.from_midi(midi(track((0, metre(4, 2)), end=BAR))).heard_bars == 0
