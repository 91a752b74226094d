"""Write a score made from scratch as a clean format 1 file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from midigpt_core.errors import ScoreError
from midigpt_core.midi_file.chunks import TRACK, FileChunk, FileLayout
from midigpt_core.midi_file.drums import DRUM_CHANNEL
from midigpt_core.midi_file.events import METRE, PROGRAM, TEMPO, TEXT_NAME, Event, TrackEvents, meta, write_events
from midigpt_core.midi_file.outline import Outline
from midigpt_core.midi_file.placing import check_inside, placed_notes
from midigpt_core.midi_file.same_pitch_overlaps import NewNote, fit_notes
from midigpt_core.midi_file.weave import with_notes
from midigpt_core.music import quarters_of
from midigpt_core.score import DRUM, Bar, Score, Track

_PORT = 0x21  # meta event: which of several MIDI outputs, each of 16 channels, a track plays on
_MELODIC_CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]
_LONGEST_DIVISION = 0x7FFF


def fresh_file(score: Score) -> bytes:
    """A format 1 file: tempo and metre in the first chunk, then one chunk per track.

    Melodic tracks keep their channel where it is free, drums are on channel 10. Where the 15 melodic channels do not
    suffice, tracks of the same instrument share one, and the rest goes to further MIDI ports. Raises ScoreError.
    """
    if not 1 <= score.resolution <= _LONGEST_DIVISION:
        raise ScoreError(f"score.resolution is {score.resolution}; a MIDI file allows 1 to {_LONGEST_DIVISION}")
    longest = max((track.bars for track in score.tracks), key=len, default=[])
    starts = _bar_starts(longest, score.resolution)
    for number, track in enumerate(score.tracks):
        for index, bar in enumerate(track.bars):
            check_inside(bar.notes, starts[index + 1] - starts[index], f"score.tracks[{number}].bars[{index}]")
    bodies = [_conductor(score, longest, starts)]
    outputs = _outputs(score.tracks)
    ported = any(port for port, _ in outputs)
    for number, (track, (port, channel)) in enumerate(zip(score.tracks, outputs, strict=True)):
        head = [(0, meta(_PORT, bytes((port,))))] if ported else []
        bodies.append(_track_body(replace(track, channel=channel), starts, starts[-1], head, f"score.tracks[{number}]"))
    return FileLayout(1, score.resolution, tuple(FileChunk(TRACK, body) for body in bodies)).join()


def added_tracks(tracks: Sequence[Track], starts: list[int], stop: int, chunks: Sequence[Outline]) -> list[bytes]:
    """The bodies of chunks for tracks that a file with these chunks does not have yet.

    Each plays on a channel no chunk of the file uses; where all are in use, on the first one of a further MIDI port.
    """
    ports = {event[3] for chunk in chunks for _, event in chunk.events if event[:3] == bytes((0xFF, _PORT, 1))}
    further, used = meta(_PORT, bytes((min(max(ports, default=0) + 1, 127),))), used_channels(chunks)
    bodies = []
    for track in tracks:
        channel = DRUM_CHANNEL if track.track_type == DRUM else free_channel(used, track.channel)
        head: list[Event] = [(0, further)] if channel is None else []
        placed = replace(track, channel=channel or 0)
        bodies.append(_track_body(placed, starts, stop, head, f"new track {track.name!r}"))
    return bodies


def used_channels(chunks: Sequence[Outline]) -> frozenset[int]:
    """The channels of any event of these chunks."""
    return frozenset[int]().union(*(chunk.used for chunk in chunks))


def free_channel(used: Collection[int | None], first: int | None = None) -> int | None:
    """A melodic channel that is not used, `first` if that is one; None where there is none."""
    free = [channel for channel in _MELODIC_CHANNELS if channel not in used]
    return first if first in free else next(iter(free), None)


def _bar_starts(bars: list[Bar], resolution: int) -> list[int]:
    """The tick at which each bar begins, and the one at which the last ends."""
    starts, position = [0], 0.0
    for bar in bars:
        position += bar.beat_length * resolution
        starts.append(round(position))
    return starts


def _conductor(score: Score, bars: list[Bar], starts: list[int]) -> bytes:
    """Tempo, and a time signature wherever the metre changes or a bar is cut short."""
    if not 1 <= score.tempo < 1 << 24:
        raise ScoreError(f"score.tempo is {score.tempo} microseconds per quarter note; a file allows 1 to 16777215")
    events = [(0, meta(TEMPO, score.tempo.to_bytes(3, "big")))]
    expected: tuple[int, int] | None = None
    for bar, start in zip(bars, starts, strict=False):
        metre = _metre(bar, score.resolution)
        if metre != expected:
            events.append((start, meta(METRE, bytes((metre[0], metre[1].bit_length() - 1, 24, 8)))))
        expected = metre if abs(_missing(bar)) * score.resolution < 0.999 else None
    return write_events(TrackEvents(events, starts[-1]))


def _missing(bar: Bar) -> float:
    """Quarter notes by which a bar is shorter than its metre; less than a tick is the rounding of a bar line."""
    return quarters_of(bar.ts_numerator, bar.ts_denominator) - bar.beat_length


def _metre(bar: Bar, resolution: int) -> tuple[int, int]:
    numerator, denominator = bar.ts_numerator, bar.ts_denominator
    if not 1 <= numerator <= 255 or denominator not in (1, 2, 4, 8, 16, 32, 64, 128):
        raise ScoreError(
            f"{numerator}/{denominator} cannot be stored in a MIDI file; the denominator must be 1, 2, 4, ... 128"
        )
    if _missing(bar) * resolution <= -0.999:
        raise ScoreError(
            f"a bar of {numerator}/{denominator} is {bar.beat_length} quarter notes long, more than its metre allows; "
            "correct one of them"
        )
    return numerator, denominator


def _outputs(tracks: list[Track]) -> list[tuple[int, int]]:
    """(port, channel) for every track."""
    melodic = [i for i, track in enumerate(tracks) if track.track_type != DRUM]
    found = {i: (0, DRUM_CHANNEL) for i, track in enumerate(tracks) if track.track_type == DRUM}
    free = list(_MELODIC_CHANNELS)
    for i in melodic:
        own = tracks[i].channel
        if own in free:
            found[i] = (0, own)
            free.remove(own)
    by_program = {tracks[i].instrument: found[i] for i in melodic if i in found}
    further = ((port, channel) for port in range(1, 128) for channel in _MELODIC_CHANNELS)
    crowded = len(melodic) > len(_MELODIC_CHANNELS)
    for i in (i for i in melodic if i not in found):
        program = tracks[i].instrument
        if crowded and program in by_program:
            found[i] = by_program[program]
        else:
            found[i] = (0, free.pop(0)) if free else next(further)
        by_program.setdefault(program, found[i])
    return [found[i] for i in range(len(tracks))]


def _track_body(track: Track, starts: list[int], stop: int, head: list[Event], where: str) -> bytes:
    channel = track.channel or 0
    events = list(head)
    if track.name:
        events.append((0, meta(TEXT_NAME, track.name.encode("utf-8"))))
    if not 0 <= track.instrument <= 127:
        raise ScoreError(f"{where}.instrument is {track.instrument}; it must be from 0 to 127")
    events.append((0, bytes((PROGRAM | channel, track.instrument))))
    notes: list[NewNote] = []
    for index, (bar, start) in enumerate(zip(track.bars, starts, strict=False)):
        notes += placed_notes(bar, start, f"{where}.bars[{index}]")
    placed, _ = fit_notes(notes)
    return write_events(with_notes(TrackEvents(events, stop), {channel: placed}))
