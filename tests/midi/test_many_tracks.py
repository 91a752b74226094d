"""A file of many tracks costs in proportion to their number, whatever is in them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from midi_cases import BAR, midi, off, on, text, track

from midigpt_cli.main import run
from midigpt_cli.parse.named_silent_tracks import with_silent
from midigpt_core import Score
from midigpt_core.errors import SongTooLargeError
from midigpt_core.midi_file import score_to_bytes

NOTE = ((0, on(60, 64)), (90, off(60)))


def playing(count: int) -> bytes:
    return midi(*(track((0, text(3, b"part %d" % i)), *NOTE) for i in range(count)))


def silent(count: int) -> bytes:
    return midi(track(*NOTE), *(track((0, text(3, b"part %d" % i))) for i in range(count)))


def unpromised(count: int) -> bytes:
    """A file whose header speaks of one track."""
    return midi(*(track(*NOTE) for _ in range(count)), count=1)


def rewritten(song: str) -> None:
    score = Score.from_midi(song)
    score.tracks[0].bars[0].notes = []
    score_to_bytes(score)


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of this package are run: a measure of work that no other program disturbs."""
    count = 0

    def line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def call(frame: FrameType, event: str, _: Any) -> Any:
        return line if "midigpt_c" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


WORK: dict[str, Callable[[str], object]] = {
    "info": lambda song: run(["info", song]),
    "plan": lambda song: run(["plan", song, "--bars", "1", "--track", "1"]),
    "write": rewritten,
}


@pytest.mark.parametrize("made", [playing, silent, unpromised])
@pytest.mark.parametrize("name", WORK)
def test_work_grows_in_step_with_the_tracks(tmp_path: Path, made: Callable[[int], bytes], name: str) -> None:
    song, lines = tmp_path / "song.mid", {}
    for count in (2, 100, 300, 700):  # the first loads modules
        song.write_bytes(made(count))
        lines[count] = lines_run(partial(WORK[name], str(song)))
    assert (lines[700] - lines[300]) / (lines[300] - lines[100]) < 2.2


def test_silent_tracks_are_taken_up_only_where_their_bars_are_not_too_many() -> None:
    late = midi(
        track(*NOTE, (20_000 * BAR, on(60, 64)), (20_000 * BAR + 9, off(60))),
        *(track((0, text(3, b"part %d" % i))) for i in range(60)),
    )
    score = Score.from_midi(late)
    assert len(with_silent(score, ["part 7"]).tracks) == 2
    with pytest.raises(SongTooLargeError, match="bars in all tracks together"):
        with_silent(score, ["part"])
