"""Pictures are drawn, of the right size, with what changed lit up."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from midigpt_core.audio.piano_roll import bar_lines, changed_cells, rolls
from midigpt_core.errors import AudioError
from midigpt_core.midi_file import read_score

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def test_cells_with_other_notes_are_the_changed_ones() -> None:
    before = read_score(SAMPLES / "pop.mid")
    after = deepcopy(before)
    after.tracks[1].bars[4].notes[0].pitch += 1
    after.tracks[3].bars[9].notes.clear()
    assert changed_cells(before, after) == {(1, 4), (3, 9)}
    assert changed_cells(before, before) == frozenset()


def test_bar_lines_stand_where_bars_of_each_metre_begin() -> None:
    score = read_score(SAMPLES / "seven.mid")
    lines = bar_lines(score, range(7, 10))
    assert lines == pytest.approx([0, 3.5, 7.5, 11.5])


def test_drums_get_a_named_row_each_and_all_notes_are_drawn() -> None:
    score = read_score(SAMPLES / "pop.mid")
    (column,) = rolls([score], range(score.n_bars), 64)
    drums = column[-1]
    assert drums.drums
    assert {"Bass Drum 1", "Acoustic Snare", "Closed Hi Hat"} <= {name for _, name in drums.rows}
    assert [len(s.notes) for s in column] == [sum(len(b.notes) for b in t.bars) for t in score.tracks]


def test_before_and_after_share_their_rows() -> None:
    before = read_score(SAMPLES / "pop.mid")
    after = deepcopy(before)
    after.tracks[2].bars[0].notes[0].pitch = 90
    left, right = rolls([before, after], range(4), 64)
    assert [(s.low, s.high, s.rows) for s in left] == [(s.low, s.high, s.rows) for s in right]
    assert left[2].high == 90


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_is_written(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the audio extra is not installed")
    from midigpt_core.audio.score_picture import draw_score

    before = read_score(SAMPLES / "pop.mid")
    after = deepcopy(before)
    after.tracks[2].bars[2].notes[0].pitch += 3
    plain = draw_score(after, tmp_path / f"plain.{ending}", bars=range(8)).read_bytes()
    lit = draw_score(after, tmp_path / f"lit.{ending}", {(2, 2)}, bars=range(8)).read_bytes()
    both = draw_score(after, tmp_path / f"both.{ending}", before=before, bars=range(8)).read_bytes()
    assert len({plain, lit, both}) == 3
    if ending == "png":
        assert {data[:8] for data in (plain, lit, both)} == {b"\x89PNG\r\n\x1a\n"}
        red = _pixels(lit, tmp_path) - _pixels(plain, tmp_path)
        assert red > 50
    else:
        assert b"<svg" in plain
        assert b"before" not in plain


def _pixels(data: bytes, folder: Path) -> int:
    """How many pixels have the colour of new notes."""
    import io

    from matplotlib.image import imread

    picture = imread(io.BytesIO(data), format="png")
    return int(((picture[..., 0] > 0.8) & (picture[..., 1] < 0.6) & (picture[..., 2] < 0.5)).sum())


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    from midigpt_core.audio.score_picture import draw_score

    with pytest.raises(AudioError, match=r"cannot draw \.gif; use \.png"):
        draw_score(read_score(SAMPLES / "pop.mid"), tmp_path / "x.gif")
