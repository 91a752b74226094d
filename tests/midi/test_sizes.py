"""A file may ask for no more than its size allows: what is too much is refused before any of it is built."""

from __future__ import annotations

from pathlib import Path

from bounded import midigpt
from midi_cases import metre, midi, played, track

BASE_MB = 200  # interpreter, numpy and the rest


def many_metres(count: int, bars: int = 50_000) -> bytes:
    """A few kilobytes that ask for count x bars bars of one tick."""
    metres = [(i * bars, metre(1, 2)) for i in range(count)]
    return midi(track(*metres, *played([(count * bars, count * bars + 5, 60)])), division=1)


def test_bars_are_counted_over_all_metres_before_one_is_made(tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(many_metres(400))
    ended = midigpt("info", song)
    assert ended.code == 3
    assert "20000005 bars" in ended.err
    assert ended.peak_mb < BASE_MB
