"""A jam writes chunk after chunk, bar-exact, from its own last bars; changes take effect at a chunk's edge."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import mido
import pytest
from tiny import engine, song

from midigpt_core.errors import RequestValidationError
from midigpt_core.jam import RESOLUTION, Jam, JamSettings
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Track

PARTS = (Track(track_type="drum", name="Drums"), Track(instrument=33, name="Bass"), Track(instrument=4, name="Keys"))
SETTINGS = JamSettings(tracks=PARTS, config=InferenceConfig(seed=3))


def test_chunks_follow_one_another_and_are_exactly_as_long_as_their_bars() -> None:
    jam = Jam(engine(), replace(SETTINGS, metre=(7, 8), bars_per_chunk=2))
    chunks = [jam.next_chunk() for _ in range(6)]
    assert [(c.index, c.start_bar) for c in chunks] == [(i, 2 * i) for i in range(6)]
    assert {c.ticks for c in chunks} == {2 * 7 * RESOLUTION // 2}


def test_no_note_crosses_the_end_of_its_chunk() -> None:
    jam = Jam(engine(), SETTINGS)
    for _ in range(4):
        chunk = jam.next_chunk()
        for part in chunk.to_dict()["tracks"]:
            assert all(onset + duration <= chunk.ticks for _, _, onset, duration in part["notes"])


def test_the_same_seed_plays_the_same_jam() -> None:
    first, again = Jam(engine(), SETTINGS, song(6)), Jam(engine(), SETTINGS, song(6))
    assert [first.next_chunk().to_dict()["tracks"] for _ in range(3)] == [
        again.next_chunk().to_dict()["tracks"] for _ in range(3)
    ]


def test_the_memory_is_bounded_by_the_window() -> None:
    jam = Jam(engine(), SETTINGS, song(40))
    for _ in range(12):
        jam.next_chunk()
    assert {len(bars) for bars in jam._memory} == {jam.window - 1}


def test_an_update_says_at_which_chunk_it_takes_effect() -> None:
    jam = Jam(engine(), SETTINGS)
    jam.next_chunk()
    assert jam.update(replace(SETTINGS, bpm=90.0, controls={1: {"pitch_mask": {"pitches": [40]}}})) == 1
    chunk = jam.next_chunk()
    assert (chunk.index, chunk.version) == (1, 1)
    assert {note[0] for note in chunk.to_dict()["tracks"][1]["notes"]} == {40}
    assert chunk.score.tempo == round(60_000_000 / 90)


def test_a_reseed_changes_what_comes_next() -> None:
    settings = replace(SETTINGS, config=replace(SETTINGS.config, echo=20.0))
    jam, other = Jam(engine(), settings, song(6)), Jam(engine(), settings, song(6))
    changed = song(6)
    for bar in changed.tracks[1].bars:
        bar.notes = [replace(n, pitch=n.pitch + 12) for n in bar.notes]
    assert other.reseed(changed) == 0
    assert jam.next_chunk().to_dict()["tracks"] != other.next_chunk().to_dict()["tracks"]


def test_a_chunk_comes_as_a_midi_file_too() -> None:
    data = base64.b64decode(Jam(engine(), SETTINGS).next_chunk().to_dict(midi=True)["midi"])
    midi = mido.MidiFile(file=io.BytesIO(data))
    assert max(sum(m.time for m in track) for track in midi.tracks) == 4 * RESOLUTION


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (replace(SETTINGS, tracks=()), "at least one"),
        (replace(SETTINGS, bpm=5.0), "20 to 400"),
        (replace(SETTINGS, metre=(9, 7)), "not known to this model"),
        (replace(SETTINGS, bars_per_chunk=0), "use 1 to 8"),
        (replace(SETTINGS, late="panic"), "repeat, rest, skip"),
    ],
)
def test_settings_that_cannot_play_are_refused(settings: JamSettings, says: str) -> None:
    with pytest.raises(RequestValidationError, match=says):
        Jam(engine(), settings)


def test_parts_and_metre_stay_as_they_are() -> None:
    jam = Jam(engine(), SETTINGS)
    with pytest.raises(RequestValidationError, match="cannot change"):
        jam.update(replace(SETTINGS, tracks=PARTS[:2]))
    with pytest.raises(RequestValidationError, match="tracks for a jam of 3"):
        jam.reseed(replace(song(4), tracks=song(4).tracks[:1]))
