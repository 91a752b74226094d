"""Read a MIDI file into a Score: one track per chunk and channel that plays notes, all with the same bars."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

from midigpt_core.errors import SongTooLargeError
from midigpt_core.midi_file.drums import DrumPart, declared_channels, why_drums
from midigpt_core.midi_file.events import (
    CHANNEL_PREFIX,
    META,
    PROGRAM,
    TEXT_INSTRUMENT,
    TEXT_NAME,
    meta_data,
)
from midigpt_core.midi_file.lazy_bars import BarLines, FilePart
from midigpt_core.midi_file.multichannel_lines import joined, line_channels
from midigpt_core.midi_file.outline import NoteColumns, Outline, columns_of
from midigpt_core.midi_file.pair_notes import pair_notes
from midigpt_core.midi_file.source import MidiSource
from midigpt_core.midi_file.text import decode_text
from midigpt_core.midi_file.timeline import first_tempo, load_timeline
from midigpt_core.score import DRUM, MELODIC, Score, Track

_PORT = 0x21  # meta event: which of several MIDI outputs a chunk plays on

Changes = tuple[list[int], list[int]]  # ticks of program changes, and the programs
Output = tuple[int, int]  # port, channel


def score_from(source: MidiSource, split_channels: bool = False) -> Score:
    """The score of a file. Ticks are the file's own; the last bar has its full length.

    Raises MidiFileError, or SongTooLargeError before any of it is built.
    """
    chunks, limits, kind = source.outlines, source.limits, source.layout.format
    n_parts = sum(len(chunk.parts) for chunk in chunks)
    if n_parts > limits.tracks:
        raise SongTooLargeError("tracks", limits.tracks, n_parts, source.name)
    spans = source.bars()
    if n_parts * len(spans) > limits.cells:
        raise SongTooLargeError("bars in all tracks together", limits.cells, n_parts * len(spans), source.name)
    programs = _Programs(chunks)
    found = {
        (index, channels[0]): (channels, notes)
        for index in range(len(chunks))
        for channels, notes in sorted(_sounding(source, index, split_channels))
    }
    described = []
    for (index, channel), (_, notes) in found.items():
        name = _track_name(chunks[index], channel, kind)
        program = programs.main(index, channel, notes)
        described.append(DrumPart(channel, name, program, notes, source.division))
    tracks = []
    reasons = why_drums(described, declared_channels(chunks))
    lines = BarLines(spans, source.division)
    for (place, (channels, notes)), part, reason in zip(found.items(), described, reasons, strict=True):
        track = Track.of_file(
            FilePart(notes, lines),
            instrument=part.program or 0,
            track_type=DRUM if reason else MELODIC,
            name=part.name,
            channel=place[1],
            midi_track=place[0],
            told_by=reason,
            channels=channels if len(channels) > 1 else (),
        )
        tracks.append(track)
    tempo = first_tempo(load_timeline(chunks, source.division))
    return Score(tracks, resolution=source.division, tempo=tempo, source=source)


def _sounding(source: MidiSource, index: int, split: bool) -> Iterator[tuple[tuple[int, ...], NoteColumns]]:
    """What plays in a chunk, by the channels it plays on: several, where one line goes over them."""
    chunk = source.outlines[index]
    line: list[int] = []
    if len(chunk.parts) > 1 and not split:
        line = list(line_channels(chunk, source.layout.format))
        if line:
            yield tuple(line), columns_of(joined(pair_notes(source.read_track(index).events), line))
    yield from (((channel,), notes) for channel, notes in chunk.parts.items() if channel not in line)


class _Programs:
    """Which programs are chosen where."""

    def __init__(self, chunks: list[Outline]) -> None:
        self.chunks = chunks
        self.ports = [_port(chunk) for chunk in chunks]
        own: dict[tuple[int, int], list[tuple[int, int]]] = {}
        common: dict[Output, list[tuple[int, int]]] = {}
        for index, chunk in enumerate(chunks):
            for tick, event in chunk.events:
                if event[0] & 0xF0 == PROGRAM:
                    channel, change = event[0] & 0x0F, (tick, min(event[1], 127))
                    own.setdefault((index, channel), []).append(change)
                    common.setdefault((self.ports[index], channel), []).append(change)
        self._own = {place: _columns(found) for place, found in own.items()}
        self._common = {output: _columns(sorted(found)) for output, found in common.items()}

    def main(self, index: int, channel: int, part: NoteColumns) -> int | None:
        """The program that sounds at most of a part's notes; None where nothing chooses one.

        A chunk's own program changes count; only a chunk without any takes those that other chunks send to its port
        and channel.
        """
        changes = self._own.get((index, channel)) or self._common.get((self.ports[index], channel))
        if changes is None:
            return None
        ticks, programs = changes
        heard: Counter[int] = Counter()
        for onset in part.onsets:
            place = bisect_right(ticks, onset) - 1
            heard[programs[place] if place >= 0 else 0] += 1
        return heard.most_common(1)[0][0]


def _port(chunk: Outline) -> int:
    """The MIDI output a chunk plays on: the first one it names, else the first of all."""
    return next((event[3] for _, event in chunk.events if event[:3] == bytes((META, _PORT, 1))), 0)


def _columns(changes: list[tuple[int, int]]) -> Changes:
    return [tick for tick, _ in changes], [program for _, program in changes]


def _track_name(chunk: Outline, channel: int, kind: int) -> str:
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
    return common if len(chunk.channels) == 1 else ""
