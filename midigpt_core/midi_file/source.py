"""MidiSource: the file a score was read from, remembered byte for byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile

from midigpt_core.midi_file.bars import Signature
from midigpt_core.midi_file.chunks import FileLayout, split
from midigpt_core.midi_file.events import METRE, NOTE_ON, TEMPO, TrackEvents, metas, read_events


@dataclass(frozen=True)
class MidiSource:
    """The bytes of a file and what to call it in messages. Two scores may share one source."""

    data: bytes = field(repr=False)
    name: str = "MIDI data"

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

    def read_tracks(self) -> list[TrackEvents]:
        """The events of every track chunk: fresh lists, free to change."""
        bodies = self.layout.tracks
        return [read_events(body, f"{self.name}, track {i} of {len(bodies)}") for i, body in enumerate(bodies, 1)]


def last_tick(tracks: list[TrackEvents]) -> int:
    """The tick at which the longest track ends."""
    return max(track.end_tick for track in tracks)


def bars_end(tracks: list[TrackEvents]) -> int:
    """The tick the bars of the file must reach: its end, and beyond a note that begins only there."""
    end = last_tick(tracks)
    at_end = [takewhile(lambda item: item[0] == end, reversed(track.events)) for track in tracks]
    return end + any(event[0] & 0xF0 == NOTE_ON and event[2] > 0 for events in at_end for _, event in events)


def signatures(tracks: list[TrackEvents]) -> list[Signature]:
    """All time signatures of the file, in whichever chunk they stand."""
    found = [item for track in tracks for item in metas(track.events, METRE)]
    return sorted((tick, data[0], 1 << data[1]) for tick, data in found if len(data) >= 2)


def tempi(tracks: list[TrackEvents]) -> list[tuple[int, int]]:
    """(tick, microseconds per quarter note) of every tempo change, in order of time."""
    found = [item for track in tracks for item in metas(track.events, TEMPO)]
    changes = [(tick, int.from_bytes(data[:3], "big")) for tick, data in found if len(data) >= 3]
    return sorted((change for change in changes if change[1] > 0), key=lambda change: change[0])
