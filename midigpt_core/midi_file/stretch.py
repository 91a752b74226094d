"""The notes of one bar of a file, while nobody has asked for them."""

from __future__ import annotations

from dataclasses import dataclass

from midigpt_core.midi_file.outline import NoteColumns
from midigpt_core.score import Note


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some of the notes of a part."""

    part: NoteColumns
    range: range  # of notes
    start: int  # the tick at which their bar begins

    def __len__(self) -> int:
        return len(self.range)

    def __deepcopy__(self, memo: object) -> Stretch:
        return self  # never changed

    def notes(self) -> list[Note]:
        """The notes, as a bar has them."""
        part, start = self.part, self.start
        there = slice(self.range.start, self.range.stop)
        rows = zip(part.onsets[there], part.ends[there], part.pitches[there], part.velocities[there], strict=True)
        return [Note(pitch, velocity, onset - start, end - onset) for onset, end, pitch, velocity in rows]
