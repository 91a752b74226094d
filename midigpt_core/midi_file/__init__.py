"""MIDI files: read into a Score, and written back with everything but the changed bars as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midigpt_core.midi_file.midi_bytes import LARGEST, Readable, Writable, put, take
from midigpt_core.midi_file.outline import ReadLimits
from midigpt_core.midi_file.source import MidiSource

if TYPE_CHECKING:
    from midigpt_core.score import Score

__all__ = ["MidiSource", "ReadLimits", "read_score", "score_to_bytes", "write_score"]


def read_score(file: Readable, split_channels: bool = False, limits: ReadLimits | None = None) -> Score:
    """Read a .mid file: a path, its bytes, or a binary file object.

    The score's resolution is the file's division; every track has the same bars, up to the end of the file.
    `score.source` remembers the bytes. A line that plays over several channels (MPE, guitar strings) is one track,
    unless `split_channels`. Raises MidiFileError; SongTooLargeError, soon, for a song
    beyond the limits.
    """
    from midigpt_core.midi_file.read import score_from

    return score_from(take(file, limits or LARGEST), split_channels)


def score_to_bytes(score: Score) -> bytes:
    """The .mid file of a score: its source with the changed bars put in, or a new format 1 file without a source.

    Raises ScoreError where the bars do not fit the source, MidiFileError where the file cannot hold them.
    """
    from midigpt_core.midi_file.splice import splice
    from midigpt_core.midi_file.write import fresh_file

    return fresh_file(score) if score.source is None else splice(score, score.source)


def write_score(score: Score, file: Writable) -> None:
    """Write a .mid file to a path (renamed into place when complete) or to a binary file object."""
    put(score_to_bytes(score), file)
