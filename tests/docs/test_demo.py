"""The first take that a reader of README hears is one worth keeping."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from midigpt_cli.main import run
from midigpt_core.score import DRUM, Bar, Score

ROOT = Path(__file__).resolve().parents[2]
COMMAND = re.compile(r"^midigpt (infill samples/pop\.mid .*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Score, Score]:
    """The sample, and what README's first command makes of it."""
    found = COMMAND.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found is not None
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("reader")
        shutil.copytree(ROOT / "samples", folder / "samples")
        patch.chdir(folder)
        patch.delenv("MIDIGPT_MODEL", raising=False)
        assert run(shlex.split(found[1])) == 0
        return Score.from_midi("samples/pop.mid"), Score.from_midi("filled.mid")


def _notes(bar: Bar) -> frozenset[tuple[int, int]]:
    return frozenset((note.onset_ticks, note.pitch) for note in bar.notes)


def _written(takes: tuple[Score, Score]) -> list[tuple[int, int]]:
    before, after = takes
    return [
        (track, bar)
        for track in range(len(before.tracks))
        for bar in range(before.n_bars)
        if _notes(before.tracks[track].bars[bar]) != _notes(after.tracks[track].bars[bar])
    ]


def test_it_is_four_bars_of_one_track_and_each_can_be_heard_to_be_new(takes: tuple[Score, Score]) -> None:
    before, _ = takes
    cells = _written(takes)
    assert len(cells) == 4
    [track] = {track for track, _ in cells}
    old, new = ([_notes(score.tracks[track].bars[bar]) for _, bar in cells] for score in takes)
    for was, is_now in zip(old, new, strict=True):
        assert 2 * len(was & is_now) <= 0.7 * (len(was) + len(is_now))
    others = {_notes(bar) for bar in before.tracks[track].bars}
    assert sum(bar not in others for bar in new) >= 2, "it repeats what stands elsewhere: choose another seed"


def test_its_notes_belong_to_the_chords_of_the_other_tracks(takes: tuple[Score, Score]) -> None:
    _, after = takes
    fitting = every = 0
    for track, bar in _written(takes):
        for note in after.tracks[track].bars[bar].notes:
            beside = {
                other.pitch % 12
                for part in after.tracks
                if part is not after.tracks[track] and part.track_type != DRUM
                for other in part.bars[bar].notes
                if other.onset_ticks <= note.onset_ticks < other.onset_ticks + other.duration_ticks
            }
            every += bool(beside)
            fitting += note.pitch % 12 in beside
    assert every >= 12
    assert fitting >= 0.9 * every, f"{fitting} of {every}: choose another seed"
