"""`--add-track` and `--add-bars`: new tracks and bars are written, and what was there stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from midigpt_core import Score
from midigpt_core.midi_file.chunks import split
from midigpt_core.score import DRUM

POP = Path(__file__).parents[2] / "samples" / "pop.mid"


def pop(folder: Path) -> Path:
    copy = folder / "pop.mid"
    copy.write_bytes(POP.read_bytes())
    return copy


def test_a_new_track_is_written_in_a_chunk_of_its_own_and_no_other_changes(midigpt, tmp_path) -> None:
    song = pop(tmp_path)
    answer = midigpt("infill", song, "-b", "5-8", "--add-track", "violin", "--add-track", "drums", "-s", 1)
    assert answer.code == 0, answer.err
    old, new = (split(file.read_bytes(), "test").tracks for file in (song, song.with_name("pop.infill.mid")))
    assert new[: len(old)] == old
    assert len(new) == len(old) + 2
    violin, drums = Score.from_midi(song.with_name("pop.infill.mid")).tracks[-2:]
    assert (violin.name, violin.instrument, drums.track_type) == ("Violin", 40, DRUM)
    for track in (violin, drums):
        assert any(bar.notes for bar in track.bars[4:8])
        assert not any(bar.notes for bar in (*track.bars[:4], *track.bars[8:]))


def test_new_bars_can_be_chosen_and_follow_the_last(midigpt, tmp_path) -> None:
    song = pop(tmp_path)
    bars = Score.from_midi(song).n_bars
    answer = midigpt("infill", song, "--add-bars", 2, "-b", f"{bars + 1}-", "-t", "bass,drums", "-s", 1)
    assert answer.code == 0, answer.err
    after = Score.from_midi(song.with_name("pop.infill.mid"))
    sounding = {bar for track in after.tracks for bar in range(bars, after.n_bars) if track.bars[bar].notes}
    assert sounding == {bars, bars + 1}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--add-track", "violine", "-b", "1"), "did you mean"),
        (("--add-bars", "-1", "-b", "1"), "use 0 to"),
        (("--add-bars", "2", "-b", "19"), "names bar 19"),
    ],
)
def test_what_cannot_be_added_is_a_sentence(midigpt, tmp_path, words, says) -> None:
    answer = midigpt("infill", pop(tmp_path), *words)
    assert answer.code == 2
    assert says in answer.err
