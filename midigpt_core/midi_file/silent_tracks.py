"""Find the track chunks of a file that have a name or an instrument and no note yet: places for a new part."""

from __future__ import annotations

from dataclasses import dataclass

from midigpt_core.midi_file.drum_names import says_drums
from midigpt_core.midi_file.drums import DRUM_CHANNEL, declared_channels
from midigpt_core.midi_file.events import METRE, PROGRAM, TEMPO, TEXT_NAME, TrackEvents, metas
from midigpt_core.midi_file.text import decode_text
from midigpt_core.midi_file.write import free_channel, used_channels
from midigpt_core.score import DRUM, MELODIC, Score, Track

_CHANNEL_EVENTS = range(0x80, 0xF0)


@dataclass(frozen=True)
class SilentTrack:
    """A track without a note."""

    track: Track  # its chunk and a channel that is its own; without bars
    program: int | None  # what the file says it is to sound like


def silent_tracks(score: Score) -> list[SilentTrack]:
    """The silent tracks of the file a score came from, in the order of their chunks."""
    if score.source is None or not score.tracks:
        return []
    source = score.source
    declared = declared_channels(source.outlines)
    taken: set[int | None] = set(used_channels(source.outlines))
    found: list[SilentTrack] = []
    for index, outline in enumerate(source.outlines):
        if outline.last_onset >= 0:
            continue
        chunk = source.read_track(index)
        name, programs = _name(chunk), [event[1] for _, event in chunk.events if event[0] & 0xF0 == PROGRAM]
        if not (name or programs) or (_conducts(chunk) and not programs):
            continue
        own = next((event[0] & 0x0F for _, event in chunk.events if event[0] in _CHANNEL_EVENTS), None)
        drums = declared.get(own, own == DRUM_CHANNEL) if own is not None else says_drums(name)
        channel = own if own is not None else DRUM_CHANNEL if drums else free_channel(taken)
        taken.add(channel)
        program, place = min(programs[0], 127) if programs else None, None if channel is None else index
        track = Track([], program or 0, DRUM if drums else MELODIC, name=name, channel=channel, midi_track=place)
        found.append(SilentTrack(track, program))
    return found


def _conducts(chunk: TrackEvents) -> bool:
    return bool(metas(chunk.events, TEMPO) or metas(chunk.events, METRE))


def _name(chunk: TrackEvents) -> str:
    return next((decode_text(data).strip() for _, data in metas(chunk.events, TEXT_NAME)), "")
