"""Cut bars out of a score and its file: a file of their own that sounds like that place, from its first tick on."""

from __future__ import annotations

from dataclasses import replace

from midigpt_core.midi_file.chunks import TRACK, FileChunk, FileLayout
from midigpt_core.midi_file.events import (
    CONTROL,
    META,
    METRE,
    PROGRAM,
    TEMPO,
    Event,
    TrackEvents,
    meta,
    write_events,
)
from midigpt_core.midi_file.pair_notes import pair_notes
from midigpt_core.midi_file.placing import placed_notes
from midigpt_core.midi_file.same_pitch_overlaps import NewNote, fit_notes
from midigpt_core.midi_file.source import MidiSource
from midigpt_core.midi_file.weave import with_notes
from midigpt_core.score import Bar, Note, Score, Track

_RESET_CONTROLLERS = 121
_NOTES = (0x80, 0x90, 0xA0)  # note-off, note-on, polyphonic pressure
_LASTING = (CONTROL, PROGRAM, 0xD0, 0xE0)  # controllers, programs, channel pressure, pitch bend
_TEXTS = range(0x01, 0x10)


def excerpt(score: Score, first: int, end: int, tempo: int | None = None, wrap: bool = False) -> Score:
    """Bars `first` to `end` (one past the last, from 0) as a score of their own, closed at both ends.

    Notes that reach past the end stop there or, with `wrap`, sound on at the beginning. Where the score came from a
    file, so does the excerpt: controllers, programs, pitch bends and tempo stand at its first tick as they had come
    to be there, behind a reset of all controllers. `tempo` (microseconds per quarter) replaces every tempo.
    """
    tracks = [closed(replace(track, bars=track.bars[first:end]), score.resolution, wrap) for track in score.tracks]
    alone = Score(tracks, score.resolution, tempo or score.tempo)
    if score.source is None:
        return alone
    data = _cut_file(alone, score.source, first, end, tempo)
    source = MidiSource(data, f"bars {first + 1} to {end} of {score.source.name}")
    # A track without a note in these bars is unknown to the cut file, and is written as a new one when it gets notes.
    sounding = [bool(any(bar.notes for bar in track.bars)) for track in tracks]
    kept = [t if s else replace(t, midi_track=None) for t, s in zip(tracks, sounding, strict=True)]
    return replace(alone, tracks=kept, source=source)


def closed(track: Track, resolution: int, wrap: bool) -> Track:
    """The track with no note sounding past its last bar; with `wrap`, what is cut off sounds at the beginning."""
    lengths = [bar.ticks(resolution) for bar in track.bars]
    total, start = sum(lengths), 0
    bars: list[Bar] = []
    over: list[Note] = []
    for bar, length in zip(track.bars, lengths, strict=True):
        notes = []
        for note in bar.notes:
            room = total - start - note.onset_ticks
            notes.append(replace(note, duration_ticks=min(note.duration_ticks, room)))
            if note.duration_ticks > room:
                over.append(replace(note, onset_ticks=0, duration_ticks=min(note.duration_ticks - room, total)))
        bars.append(replace(bar, notes=notes))
        start += length
    if wrap and bars:
        struck = {note.pitch for note in bars[0].notes if note.onset_ticks == 0}
        bars[0].notes = [note for note in over if note.pitch not in struck] + bars[0].notes
    return replace(track, bars=bars)


def _cut_file(alone: Score, source: MidiSource, first: int, end: int, tempo: int | None) -> bytes:
    chunks = source.read_tracks()
    lines = source.bars(end)
    start, stop = lines[first].start, lines[end - 1].stop
    bodies = []
    for index, chunk in enumerate(chunks):
        events = _chased(chunk, start) + _during(chunk, start, stop)
        if tempo:
            events = [event for event in events if event[1][:2] != bytes((META, TEMPO))]
        if index == 0:
            events = [*_conducting(lines[first].numerator, lines[first].denominator, tempo, events), *events]
        plain = TrackEvents(events, stop - start)
        bodies.append(write_events(with_notes(plain, _notes(alone, index, _owners(chunk, start)))))
    layout = source.layout
    return FileLayout(layout.format, layout.division, tuple(FileChunk(TRACK, body) for body in bodies)).join()


def _conducting(numerator: int, denominator: int, tempo: int | None, events: list[Event]) -> list[Event]:
    """Metre (and the new tempo), where the excerpt's first tick does not have them."""
    there = {event[:2] for tick, event in events if tick == 0}
    found = [(0, meta(TEMPO, tempo.to_bytes(3, "big")))] if tempo else []
    if bytes((META, METRE)) not in there:
        found.append((0, meta(METRE, bytes((numerator, denominator.bit_length() - 1, 24, 8)))))
    return found


def _chased(chunk: TrackEvents, start: int) -> list[Event]:
    """What holds at tick `start`: names, the last tempo, metre and key, and each channel's last settings."""
    texts: list[bytes] = []
    last: dict[bytes, bytes] = {}
    channels: set[int] = set()
    for tick, event in chunk.events:
        kind = event[0] & 0xF0
        if event[0] < 0xF0:
            channels.add(event[0] & 0x0F)
        if tick > start or (tick == start and start > 0):
            continue
        if event[0] == META and event[1] in _TEXTS:
            if tick == 0 and event[1] in (0x03, 0x04):
                texts.append(event)
        elif event[0] == META:
            last[event[:2]] = event
        elif kind in _LASTING and start > 0:
            last[event[: 2 if kind == CONTROL else 1]] = event
    resets = [bytes((CONTROL | channel, _RESET_CONTROLLERS, 0)) for channel in sorted(channels)]
    return [(0, event) for event in (*texts, *(resets if channels else ()), *(last.values() if start else ()))]


def _during(chunk: TrackEvents, start: int, stop: int) -> list[Event]:
    return [
        (tick - start, event)
        for tick, event in chunk.events
        if start <= tick < stop
        and not (event[0] < 0xF0 and event[0] & 0xF0 in _NOTES)
        and not (start == 0 and event[0] == META and event[1] in (0x03, 0x04) and tick == 0)
    ]


def _owners(chunk: TrackEvents, start: int) -> dict[tuple[int, int], int]:
    """The channel of each note, by its onset (counted from tick `start`) and pitch."""
    parts = pair_notes(chunk.events).items()
    return {(note.onset - start, note.pitch): channel for channel, part in parts for note in part.notes}


def _notes(alone: Score, chunk: int, owners: dict[tuple[int, int], int]) -> dict[int, list[NewNote]]:
    """The excerpt's notes of one chunk, by channel; those of a line over several channels stay on theirs."""
    found: dict[int, list[NewNote]] = {}
    for track in alone.tracks:
        if track.midi_track == chunk and track.channel is not None:
            position = 0.0
            for bar in track.bars:
                for note in placed_notes(bar, round(position), track.name):
                    own = owners.get((note.onset, note.pitch), track.channel)
                    found.setdefault(own if own in track.channels else track.channel, []).append(note)
                position += bar.beat_length * alone.resolution
    return {channel: fit_notes(notes)[0] for channel, notes in found.items()}
