"""Put the changed bars of a score into the file it came from; every other event stays where it was."""

from __future__ import annotations

import logging
from bisect import bisect_left
from dataclasses import dataclass, field

from midigpt_core.errors import ScoreError
from midigpt_core.midi_file.bars import BarSpan, Signature, bar_of, spans
from midigpt_core.midi_file.events import METRE, TrackEvents, meta, with_tail, write_events
from midigpt_core.midi_file.fit import NewNote, fit_notes
from midigpt_core.midi_file.fresh import added_track
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
        wish = (longest[index].ts_numerator, longest[index].ts_denominator)
        if wish != (bars[index].numerator, bars[index].denominator):
            new.append((bars[index].start, *wish))
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
        place = track.midi_track, track.channel
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
    for index, chunk in enumerate(source.outlines):
        rewritten = {}
        for channel in sorted(channels[index]):
            after = _after(chunk.parts.get(channel, NOTHING), placed.get((index, channel)), bars)
            if after:
                rewritten[channel] = after
        if rewritten:
            change = _Changes(source.read_track(index))
            parts = pair_notes(change.chunk.events if change.chunk else [])
            for channel, after in rewritten.items():
                removed, change.new[channel] = _change(parts.get(channel, ChannelNotes()), after, bars)
                change.removed |= removed
            changes[index] = change
    return changes


def _after(part: NoteColumns, numbered: tuple[int, Track] | None, bars: list[BarSpan]) -> dict[int, list[NewNote]]:
    """The notes of the bars that do not play what the file has there."""
    number, track = numbered or (-1, Track())
    found = {}
    first = 0
    for index, span in enumerate(bars):
        last = bisect_left(part.onsets, span.stop, first) if index + 1 < len(bars) else len(part)
        bar = track.bars[index] if index < len(track.bars) else Bar()
        if not _same(part, first, last, bar.notes, span.start):
            new = list(placed_notes(bar, span.start, f"score.tracks[{number}].bars[{index}]"))
            if sorted(new) != sorted(part.row(at) for at in range(first, last)):
                found[index] = new
        first = last
    return found


def _same(part: NoteColumns, first: int, last: int, notes: list[Note], start: int) -> bool:
    """Whether these are the notes of the columns from `first` to `last`, in their order."""
    return len(notes) == last - first and all(
        note.pitch == part.pitches[at]
        and note.velocity == part.velocities[at]
        and note.onset_ticks == (onset := part.onsets[at]) - start
        and note.duration_ticks == part.ends[at] - onset
        for at, note in enumerate(notes, first)
    )


def _change(part: ChannelNotes, after: dict[int, list[NewNote]], bars: list[BarSpan]) -> tuple[set[int], list[NewNote]]:
    """Events to remove and notes to put in."""
    starts, changed = [bar.start for bar in bars], after.keys()
    places = [bar_of(starts, note.onset) for note in part.notes]
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
