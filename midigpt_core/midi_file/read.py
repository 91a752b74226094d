"""Read a MIDI file into a Score: one track per chunk and channel that plays notes, all with the same bars."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from midigpt_core.errors import MidiFileError
from midigpt_core.midi_file import bars as bar_lines
from midigpt_core.midi_file.drums import DrumPart, declared_channels, why_drums
from midigpt_core.midi_file.events import (
    CHANNEL_PREFIX,
    META,
    PROGRAM,
    TEXT_INSTRUMENT,
    TEXT_NAME,
    TrackEvents,
    meta_data,
)
from midigpt_core.midi_file.lines import joined, line_channels
from midigpt_core.midi_file.notes import ChannelNotes, pair_notes
from midigpt_core.midi_file.source import MidiSource, bars_end, signatures
from midigpt_core.midi_file.text import decode_text
from midigpt_core.midi_file.timeline import first_tempo, load_timeline
from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track

MAX_CELLS = 1_000_000  # bars times tracks; real files have fewer than 20,000

Programs = dict[tuple[int, int], list[tuple[int, int]]]  # (chunk, channel) -> program changes as (tick, program)


def score_from(source: MidiSource, split_channels: bool = False) -> Score:
    """The score of a file. Ticks are the file's own; the last bar has its full length. Raises MidiFileError."""
    chunks = source.read_tracks()
    try:
        spans = bar_lines.spans(signatures(chunks), source.division, bars_end(chunks))
    except MidiFileError as error:
        raise MidiFileError(f"{source.name}: {error}") from None
    kind = source.layout.format
    found = {(i, on): part for i, chunk in enumerate(chunks) for on, part in _sounding(chunk, split_channels, kind)}
    parts = {(i, channels[0]): part for (i, channels), part in found.items()}
    lines = {(i, channels[0]): channels for i, channels in found if len(channels) > 1}
    if len(parts) * len(spans) > MAX_CELLS:
        raise MidiFileError(f"{source.name}: {len(spans)} bars of {len(parts)} tracks: too long to be music")
    programs = _program_changes(chunks)
    described = []
    for place in sorted(parts):
        name = _track_name(chunks[place[0]], place[1], kind)
        program = _main_program(parts[place], place, programs)
        described.append(DrumPart(place[1], name, program, [note[:3] for note in parts[place].notes], source.division))
    tracks = []
    reasons = why_drums(described, declared_channels(chunks))
    for place, part, reason in zip(sorted(parts), described, reasons, strict=True):
        track = Track(_bars(parts[place], spans, source.division), part.program or 0, DRUM if reason else MELODIC)
        track = replace(track, name=part.name, channel=place[1], midi_track=place[0], told_by=reason)
        tracks.append(replace(track, channels=lines.get(place, ())))
    tempo = first_tempo(load_timeline(chunks, source.division))
    return Score(tracks, resolution=source.division, tempo=tempo, source=source)


def _sounding(chunk: TrackEvents, split: bool, kind: int) -> Iterator[tuple[tuple[int, ...], ChannelNotes]]:
    """What plays in a chunk, by the channels it plays on: several, where one line goes over them."""
    parts = {channel: part for channel, part in pair_notes(chunk.events).items() if part.notes}
    line = [] if split else line_channels(chunk, parts, kind)
    yield from (((channel,), part) for channel, part in parts.items() if channel not in line)
    if line:
        yield tuple(line), joined(parts, line)


def _bars(part: ChannelNotes, spans: list[bar_lines.BarSpan], division: int) -> list[Bar]:
    """A bar cut short by a time signature keeps that signature's numbers; its `beat_length` is what is left of it."""
    bars = [Bar([], span.numerator, span.denominator, (span.stop - span.start) / division) for span in spans]
    starts = [span.start for span in spans]
    for onset, end, pitch, velocity, _, _ in part.notes:
        index = bar_lines.bar_of(starts, onset)
        bars[index].notes.append(Note(pitch, velocity, onset - starts[index], end - onset))
    return bars


def _program_changes(chunks: list[TrackEvents]) -> Programs:
    changes: Programs = {}
    for index, chunk in enumerate(chunks):
        for tick, event in chunk.events:
            if event[0] & 0xF0 == PROGRAM:
                changes.setdefault((index, event[0] & 0x0F), []).append((tick, min(event[1], 127)))
    return changes


def _main_program(part: ChannelNotes, place: tuple[int, int], programs: Programs) -> int | None:
    """The program that sounds at most of the notes; None where nothing chooses one.

    A chunk's own program changes count; only a chunk without any takes those the other chunks send on its channel.
    """
    changes = programs.get(place)
    if changes is None:
        changes = sorted(item for (_, channel), found in programs.items() if channel == place[1] for item in found)
    if not changes:
        return None
    ticks = [tick for tick, _ in changes]
    heard: Counter[int] = Counter()
    for note in part.notes:
        index = bisect_right(ticks, note.onset) - 1
        heard[changes[index][1] if index >= 0 else 0] += 1
    return heard.most_common(1)[0][0]


def _track_name(chunk: TrackEvents, channel: int, kind: int) -> str:
    """The name of the chunk, or the one a channel prefix gives to this channel.

    In format 0 the chunk's name is the title of the piece, so it names a track only where it has but one channel.
    """
    own, common, prefix = "", "", None
    for _, event in chunk.events:
        if event[0] != META:
            continue
        if event[1] == CHANNEL_PREFIX:
            prefix = (meta_data(event) or b"\xff")[0]
        elif event[1] == TEXT_NAME and prefix is None:
            common = common or decode_text(meta_data(event)).strip()
        elif event[1] in (TEXT_NAME, TEXT_INSTRUMENT) and prefix == channel:
            own = own or decode_text(meta_data(event)).strip()
    if own or kind != 0:
        return own or common
    channels = {event[0] & 0x0F for _, event in chunk.events if event[0] & 0xF0 == 0x90}
    return common if len(channels) == 1 else ""
