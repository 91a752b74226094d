"""The time line of a file (tempo, seconds, keys, metre) as pretty_midi reads it.

Ticks and notes are taken from the events themselves: pretty_midi closes all notes of a pitch at one note-off, looks
for tempo changes in the first chunk only, and refuses key signatures outside its table.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from midigpt_core.midi_file.events import KEY, META, METRE, TEMPO, TrackEvents, meta_data, write_events
from midigpt_core.midi_file.source import Timed, last_tick
from midigpt_core.music import tempo_of

if TYPE_CHECKING:
    import pretty_midi

_LONGEST = 2_000_000  # ticks; pretty_midi keeps a table of as many entries, and refuses ten million


def load_timeline(tracks: Sequence[Timed], division: int) -> pretty_midi.PrettyMIDI:
    """A PrettyMIDI with the tempo, time and key signature changes of all chunks, and the file's length.

    A file longer than pretty_midi's table is thinned to fewer ticks per quarter note; seconds stay right.
    """
    import pretty_midi

    thin = max(1, min(-(-last_tick(tracks) // _LONGEST), division))
    events = sorted((item for track in tracks for item in track.events if _known(item[1])), key=lambda item: item[0])
    events = [(tick // thin, event) for tick, event in events]
    end = min(last_tick(tracks) // thin, 2 * _LONGEST)
    body = write_events(TrackEvents([item for item in events if item[0] <= end], end))
    header = b"MThd\0\0\0\6\0\0\0\1" + max(division // thin, 1).to_bytes(2, "big")
    return pretty_midi.PrettyMIDI(io.BytesIO(header + b"MTrk" + len(body).to_bytes(4, "big") + body))


def _known(event: bytes) -> bool:
    """Whether the event belongs to the time line and holds values pretty_midi accepts."""
    if event[0] != META or event[1] not in (TEMPO, METRE, KEY):
        return False
    data = meta_data(event)
    if event[1] == TEMPO:
        return len(data) == 3 and any(data)
    if event[1] == METRE:
        return len(data) == 4 and data[0] > 0 and data[1] <= 7
    return len(data) == 2 and (data[0] <= 7 or data[0] >= 249) and data[1] <= 1


def first_tempo(timeline: pretty_midi.PrettyMIDI) -> int:
    """Microseconds per quarter note of the first tempo of the file."""
    _, beats_per_minute = timeline.get_tempo_changes()
    return tempo_of(float(beats_per_minute[0]))
