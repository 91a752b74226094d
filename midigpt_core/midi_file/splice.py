"""Put the changed bars of a score into the file it came from; every other event stays where it was."""

from __future__ import annotations

import logging
from bisect import bisect_left
from dataclasses import dataclass, field

from midigpt_core.errors import ScoreError
from midigpt_core.midi_file.bars import BarSpan, Signature, bar_of, spans
from midigpt_core.midi_file.events import METRE, PROGRAM, TrackEvents, meta, with_tail, write_events
from midigpt_core.midi_file.fit import NewNote, fit_notes
from midigpt_core.midi_file.fresh import added_track
from midigpt_core.midi_file.lines import Parts, at_rest, deal, expression_of
from midigpt_core.midi_file.notes import ChannelNotes, pair_notes
from midigpt_core.midi_file.outline import NOTHING, NoteColumns
from midigpt_core.midi_file.placing import check_inside, placed_notes
from midigpt_core.midi_file.source import MidiSource, signatures
from midigpt_core.midi_file.weave import weave
from midigpt_core.score import Bar, Note, Score, Track

Place = tuple[int, int]  # index of the track chunk, channel

_LOG = logging.getLogger(__name__)


@dataclass
class _Changes:
    """What happens to one track chunk."""

    chunk: TrackEvents | None = None  # as it was, where its events have been read
    removed: set[int] = field(default_factory=set)  # indices of events
    new: dict[int, list[NewNote]] = field(default_factory=dict)  # by channel


def splice(score: Score, source: MidiSource) -> bytes:
    """The source's bytes with the notes of the changed (track, bar) cells exchanged.

    Bars after the file's last one extend it, tracks it does not have become new chunks, tracks missing from the score
    lose their notes. Raises ScoreError where the score's bars are not the file's.
    """
    chunks = source.outlines
    known = source.bars()
    bars, new_metres = _all_bars(score, source, known)
    placed, added = _by_place(score, len(chunks))
    changes = _find_changes(source, placed, bars)
    longer = len(bars) > len(known)
    if new_metres or longer:
        changes.setdefault(0, _Changes())
    before = {index: change.chunk or source.read_track(index) for index, change in changes.items()}
    woven = {index: weave(before[index], change.removed, change.new) for index, change in changes.items()}
    if 0 in woven:
        _insert_metres(woven[0], new_metres)
    others = max((chunk.last_event for index, chunk in enumerate(chunks) if index not in woven), default=0)
    empty = max(others, *(chunk.events[-1][0] for chunk in woven.values() if chunk.events), 0) <= bars[-1].start
    for chunk in woven.values() if longer or empty else ():
        chunk.end_tick, chunk.has_end = max(chunk.end_tick, bars[-1].stop), True  # a bar left empty stays a bar
    bodies = list(source.layout.tracks)
    for index, chunk in woven.items():
        bodies[index] = write_events(with_tail(chunk, before[index]))
    everything, starts = source.read_tracks() if added else [], [bar.start for bar in bars]
    bodies += [added_track(track, starts, bars[-1].stop, everything) for track in added]
    return source.data if not changes and not added else source.layout.with_tracks(bodies).join()


def _all_bars(score: Score, source: MidiSource, known: list[BarSpan]) -> tuple[list[BarSpan], list[Signature]]:
    """The bars of the file and those the score adds after them, and the time signatures the added ones need."""
    if score.resolution != source.division:
        raise ScoreError(
            f"score.resolution is {score.resolution}, its file has {source.division} ticks per quarter; "
            "bring it back to the file's, or set score.source to None to write a new file"
        )
    metres, new = signatures(source.outlines), []
    longest = max((track.bars for track in score.tracks), key=len, default=[])
    bars = source.bars(len(longest))
    for index in range(len(known), len(longest)):
        metre = (longest[index].ts_numerator, longest[index].ts_denominator)
        if metre != (bars[index].numerator, bars[index].denominator):
            new.append((bars[index].start, *metre))
            bars = spans(metres + new, source.division, bars[index].start + 1, len(longest))
    for number, track in enumerate(score.tracks):
        _check_metres(track, number, bars)
    return bars, new


def _check_metres(track: Track, number: int, bars: list[BarSpan]) -> None:
    for index, (bar, span) in enumerate(zip(track.bars, bars, strict=False)):
        if (bar.ts_numerator, bar.ts_denominator) != (span.numerator, span.denominator):
            raise ScoreError(
                f"score.tracks[{number}].bars[{index}] is in {bar.ts_numerator}/{bar.ts_denominator}, in its file in "
                f"{span.numerator}/{span.denominator}; set score.source to None to write a new file with other metres"
            )
        check_inside(bar.notes, span.stop - span.start, f"score.tracks[{number}].bars[{index}]")


def _by_place(score: Score, n_chunks: int) -> tuple[dict[Place, tuple[int, Track]], list[Track]]:
    """The tracks the file has (with their number), by place, and those it does not have."""
    placed: dict[Place, tuple[int, Track]] = {}
    added = []
    for number, track in enumerate(score.tracks):
        if track.midi_track is None or track.channel is None or track.midi_track >= n_chunks:
            added.append(track)
            continue
        for channel in track.channels or (track.channel,):
            place = track.midi_track, channel
            if place in placed:
                raise ScoreError(
                    f"score.tracks[{number}] and [{placed[place][0]}] both claim chunk {place[0]}, channel {place[1]}; "
                    "set midi_track of one to None to give it a chunk of its own"
                )
            placed[place] = number, track
    return placed, added


def _find_changes(
    source: MidiSource, placed: dict[Place, tuple[int, Track]], bars: list[BarSpan]
) -> dict[int, _Changes]:
    """What happens to each chunk; only the events of those that change are read."""
    channels = [set(chunk.parts) for chunk in source.outlines]
    for index, channel in placed:
        channels[index].add(channel)
    changes: dict[int, _Changes] = {}
    for index, outline in enumerate(source.outlines):
        here = {channel: placed.get((index, channel)) for channel in sorted(channels[index])}
        if not any(
            (row and row[1].channels) or _differs(outline.parts.get(channel, NOTHING), row, bars)
            for channel, row in here.items()
        ):
            continue
        chunk = source.read_track(index)
        parts = pair_notes(chunk.events)
        wanted = _wanted(index, placed, parts, bars)
        for channel in here:
            part = parts.get(channel, ChannelNotes())
            found = _change(part, wanted.get(channel, [[] for _ in bars]), bars)
            if found is None:
                continue
            removed, new = found
            track = placed[index, channel][1] if (index, channel) in placed else None
            if track is not None and track.channels:
                removed |= expression_of(chunk.events, channel, removed, part)
                chunk.events += at_rest(chunk.events, channel, removed, new)
            if track is not None and not part.notes and track.instrument and not _has_program(source, channel):
                chunk.events.insert(0, (0, bytes((PROGRAM | channel, track.instrument))))
            change = changes.setdefault(index, _Changes(chunk))
            change.removed |= removed
            change.new[channel] = new
    return changes


def _differs(part: NoteColumns, numbered: tuple[int, Track] | None, bars: list[BarSpan]) -> bool:
    """Whether a bar does not play what the file has there."""
    number, track = numbered or (-1, Track())
    first = 0
    for index, span in enumerate(bars):
        last = bisect_left(part.onsets, span.stop, first) if index + 1 < len(bars) else len(part)
        bar = track.bars[index] if index < len(track.bars) else Bar()
        if not _same(part, first, last, bar.notes, span.start):
            new = list(placed_notes(bar, span.start, f"score.tracks[{number}].bars[{index}]"))
            if sorted(new) != sorted(part.row(at) for at in range(first, last)):
                return True
        first = last
    return False


def _same(part: NoteColumns, first: int, last: int, notes: list[Note], start: int) -> bool:
    """Whether these are the notes of the columns from `first` to `last`, in their order."""
    return len(notes) == last - first and all(
        note.pitch == part.pitches[at]
        and note.velocity == part.velocities[at]
        and note.onset_ticks == (onset := part.onsets[at]) - start
        and note.duration_ticks == part.ends[at] - onset
        for at, note in enumerate(notes, first)
    )


def _has_program(source: MidiSource, channel: int) -> bool:
    return any(event[0] == PROGRAM | channel for chunk in source.outlines for _, event in chunk.events)


def _wanted(
    index: int, placed: dict[Place, tuple[int, Track]], parts: Parts, bars: list[BarSpan]
) -> dict[int, list[list[NewNote]]]:
    """What the score wants in one chunk: by channel, the notes of each bar."""
    wanted: dict[int, list[list[NewNote]]] = {}
    for (chunk, channel), (number, track) in placed.items():
        if chunk != index or channel in wanted:
            continue
        notes: list[list[NewNote]] = [[] for _ in bars]
        for i, bar in enumerate(track.bars):
            notes[i] = list(placed_notes(bar, bars[i].start, f"score.tracks[{number}].bars[{i}]"))
        wanted |= deal(notes, parts, track.channels, bars) if track.channels else {channel: notes}
    return wanted


def _change(
    part: ChannelNotes, after: list[list[NewNote]], bars: list[BarSpan]
) -> tuple[set[int], list[NewNote]] | None:
    """Events to remove and notes to put in; None where the track plays what it did."""
    starts = [bar.start for bar in bars]
    places = [bar_of(starts, note.onset) for note in part.notes]
    before: list[list[tuple[int, ...]]] = [[] for _ in bars]
    for note, place in zip(part.notes, places, strict=True):
        before[place].append(note[:4])
    changed = {i for i, (x, y) in enumerate(zip(before, after, strict=True)) if x != y and sorted(x) != sorted(y)}
    if not changed:
        return None
    kept, removed = ChannelNotes(stray=part.stray), set[int]()
    for note, place in zip(part.notes, places, strict=True):
        if place in changed:
            removed |= {note.on, note.off}
        else:
            kept.notes.append(note)
    for hanging in part.hanging:
        if bar_of(starts, hanging[0]) in changed:
            removed.add(hanging[2])
        else:
            kept.hanging.append(hanging)
    new, left = fit_notes((note for index in sorted(changed) for note in after[index]), kept)
    if left:
        _LOG.warning("%d notes left out: a note of their pitch that is never ended sounds through them", len(left))
    return removed, new


def _insert_metres(chunk: TrackEvents, new: list[Signature]) -> None:
    for tick, numerator, denominator in new:
        event = meta(METRE, bytes((numerator, denominator.bit_length() - 1, 24, 8)))
        chunk.events.append((tick, event))
    chunk.events.sort(key=lambda item: item[0])
    chunk.end_tick = max(chunk.end_tick, chunk.events[-1][0] if chunk.events else 0)
