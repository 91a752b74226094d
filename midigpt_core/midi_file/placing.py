"""The notes of a score's bars as exact ticks of a file, checked on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from midigpt_core.errors import ScoreError
from midigpt_core.midi_file.same_pitch_overlaps import NewNote
from midigpt_core.score import Bar, Note

_BYTE = range(128)


def placed_notes(bar: Bar, start: int, where: str) -> Iterator[NewNote]:
    """The notes of a bar that begins at tick `start`; a velocity of 0, which would mean silence, becomes 1.

    Raises ScoreError, with `where` naming track and bar.
    """
    for note in bar.notes:
        for name, values in (("pitch", _BYTE), ("velocity", _BYTE)):
            if getattr(note, name) not in values:
                raise ScoreError(f"{where}: a note's {name} is {getattr(note, name)!r}; it must be from 0 to 127")
        onset, duration = _ticks(note.onset_ticks, "onset", where), _ticks(note.duration_ticks, "duration", where)
        yield NewNote(start + onset, start + onset + duration, int(note.pitch), max(int(note.velocity), 1))


def _ticks(value: int, name: str, where: str) -> int:
    if value < 0 or value != int(value):
        raise ScoreError(f"{where}: a note's {name} is {value!r} ticks; it must be a whole number, 0 or more")
    return int(value)


def check_inside(notes: Sequence[Note], length: int, where: str) -> None:
    """Raise ScoreError where a note does not begin inside its bar of `length` ticks."""
    for note in notes:
        if note.onset_ticks >= length:
            raise ScoreError(
                f"{where}: a note begins {note.onset_ticks} ticks into a bar that is {length} ticks long; "
                "move it to the bar it begins in"
            )
