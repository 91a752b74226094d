"""MidiSource: the file a score was read from, remembered byte for byte, and what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from midigpt_core.errors import SongTooLargeError
from midigpt_core.midi_file.bars import BarSpan, Signature, bars_end, spans
from midigpt_core.midi_file.chunks import FileLayout, split
from midigpt_core.midi_file.events import METRE, TEMPO, Event, TrackEvents, metas, read_events
from midigpt_core.midi_file.outline import Outline, ReadLimits, outlines
from midigpt_core.midi_file.paired_columns import PairedChunk, paired


class Timed(Protocol):
    """A track chunk as far as its time line goes: an outline, or all its events."""

    @property
    def events(self) -> list[Event]: ...

    @property
    def end_tick(self) -> int: ...


@dataclass(frozen=True)
class MidiSource:
    """The bytes of a file and what to call it in messages. Two scores may share one source."""

    data: bytes = field(repr=False)
    name: str = "MIDI data"
    limits: ReadLimits = field(default=ReadLimits(), repr=False)

    def __deepcopy__(self, memo: object) -> MidiSource:
        return self  # never changed

    def __reduce__(self) -> tuple[type[MidiSource], tuple[bytes, str]]:
        return MidiSource, (self.data, self.name)

    @cached_property
    def layout(self) -> FileLayout:
        """The file taken apart into chunks."""
        return split(self.data, self.name)

    @property
    def division(self) -> int:
        """Ticks per quarter note."""
        return self.layout.division

    @cached_property
    def outlines(self) -> list[Outline]:
        """Every track chunk in little memory, not to be changed. Raises MidiFileError, SongTooLargeError."""
        try:
            return outlines(self.layout.tracks, self.name, self.limits.notes)
        except SongTooLargeError:
            raise SongTooLargeError("notes", self.limits.notes, where=self.name) from None

    @cached_property
    def metres(self) -> list[Signature]:
        """All time signatures of the file, not to be changed."""
        return signatures(self.outlines)

    @cached_property
    def _bars_end(self) -> int:
        return bars_end(self.outlines, self.metres, self.division)

    def bars(self, least: int = 1) -> list[BarSpan]:
        """The bars of the file, at least `least`. Raises MidiFileError, SongTooLargeError."""
        try:
            return spans(self.metres, self.division, self._bars_end, least, self.limits.bars)
        except SongTooLargeError as error:
            raise error.at(self.name) from None

    def where(self, index: int) -> str:
        """What a track chunk is called in messages."""
        return f"{self.name}, track {index + 1} of {len(self.layout.tracks)}"

    def paired(self, index: int) -> PairedChunk:
        """The notes of one track chunk and their events."""
        return paired(self.layout.tracks[index], self.where(index))

    def read_track(self, index: int) -> TrackEvents:
        """All events of one track chunk: a fresh list, free to change."""
        return read_events(self.layout.tracks[index], self.where(index))

    def read_metas(self, index: int, kinds: bytes) -> TrackEvents:
        """The meta events of these kinds alone, but for empty ones: many other events take no memory."""
        return read_events(self.layout.tracks[index], self.where(index), kinds)

    def read_tracks(self) -> list[TrackEvents]:
        """The events of every track chunk: fresh lists, free to change."""
        return [self.read_track(index) for index in range(len(self.layout.tracks))]


def last_tick(tracks: Sequence[Timed]) -> int:
    """The tick at which the longest track ends."""
    return max(track.end_tick for track in tracks)


def signatures(tracks: Sequence[Timed]) -> list[Signature]:
    """All time signatures of the file, in whichever chunk they stand."""
    found = [item for track in tracks for item in metas(track.events, METRE)]
    return sorted((tick, data[0], 1 << data[1]) for tick, data in found if len(data) >= 2)


def tempi(tracks: Sequence[Timed]) -> list[tuple[int, int]]:
    """(tick, microseconds per quarter note) of every tempo change, in order of time."""
    found = [item for track in tracks for item in metas(track.events, TEMPO)]
    changes = [(tick, int.from_bytes(data[:3], "big")) for tick, data in found if len(data) >= 3]
    return sorted((change for change in changes if change[1] > 0), key=lambda change: change[0])
