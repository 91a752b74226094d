"""Put the changed bars of a score into the file it came from; every other event stays where it was."""

from __future__ import annotations

import logging
from bisect import bisect_left
from dataclasses import dataclass

from midigpt_core.errors import ScoreError
from midigpt_core.midi_file.bars import BarSpan, Signature, spans
from midigpt_core.midi_file.events import METRE, PROGRAM, meta
from midigpt_core.midi_file.multichannel_lines import Parts, at_rest, deal, expression_of
from midigpt_core.midi_file.outline import NOTHING, NoteColumns
from midigpt_core.midi_file.paired_columns import Paired
from midigpt_core.midi_file.placing import check_inside, placed_notes
from midigpt_core.midi_file.same_pitch_overlaps import NewNote, OldNotes, fit_notes
from midigpt_core.midi_file.source import MidiSource
from midigpt_core.midi_file.weave import AFTER, BEFORE, LAST, Edit, PutIn, Woven, weave
from midigpt_core.midi_file.write import added_tracks
from midigpt_core.score import Bar, Score, Track

Place = tuple[int, int]  # index of the track chunk, channel
Numbered = tuple[int, Track]  # a track of the score, with its number

_LOG = logging.getLogger(__name__)
_SILENT = Bar()


def splice(score: Score, source: MidiSource) -> bytes:
    """The source's bytes with the notes of the changed (track, bar) cells exchanged.

    Bars after the file's last one extend it, tracks it does not have become new chunks, tracks missing from the score
    lose their notes. Raises ScoreError where the score's bars are not the file's.
    """
    chunks = source.outlines
    known = source.bars()
    bars, new_metres = _all_bars(score, source, known)
    placed, added = _by_place(score, len(chunks))
    edits = _find_edits(source, placed, bars)
    longer = len(bars) > len(known)
    if new_metres or longer:
        edits.setdefault(0, Edit()).put_in += _metre_events(new_metres)
    woven = {index: _woven(source, index, edit) for index, edit in edits.items()}
    others = max((chunk.last_event for index, chunk in enumerate(chunks) if index not in woven), default=0)
    empty = max(others, 0, *(chunk.last_event for chunk in woven.values())) <= bars[-1].start
    for chunk in woven.values() if longer or empty else ():
        chunk.end_tick, chunk.has_end = max(chunk.end_tick, bars[-1].stop), True  # a bar left empty stays a bar
    bodies = list(source.layout.tracks)
    for index, chunk in woven.items():
        bodies[index] = chunk.body
    starts = [bar.start for bar in bars]
    bodies += added_tracks(added, starts, bars[-1].stop, chunks)
    return source.data if not edits and not added else source.layout.with_tracks(bodies).join()


def _all_bars(score: Score, source: MidiSource, known: list[BarSpan]) -> tuple[list[BarSpan], list[Signature]]:
    """The bars of the file and those the score adds after them, and the time signatures the added ones need."""
    if score.resolution != source.division:
        raise ScoreError(
            f"score.resolution is {score.resolution}, its file has {source.division} ticks per quarter; "
            "bring it back to the file's, or set score.source to None to write a new file"
        )
    metres, new = source.metres, []
    longest = max(score.tracks, key=lambda track: track.n_bars, default=Track())
    bars = source.bars(longest.n_bars)
    for index in range(len(known), longest.n_bars):
        metre = (longest.bars[index].ts_numerator, longest.bars[index].ts_denominator)
        if metre != (bars[index].numerator, bars[index].denominator):
            new.append((bars[index].start, *metre))
            bars = spans(metres + new, source.division, bars[index].start + 1, longest.n_bars)
    for number, track in enumerate(score.tracks):
        if track.part is None:
            _check_metres(track, number, bars)
    return bars, new


def _check_metres(track: Track, number: int, bars: list[BarSpan]) -> None:
    for index, (bar, span) in enumerate(zip(track.bars, bars, strict=False)):
        if (bar.ts_numerator, bar.ts_denominator) != (span.numerator, span.denominator):
            raise ScoreError(
                f"score.tracks[{number}].bars[{index}] is in {bar.ts_numerator}/{bar.ts_denominator}, in its file in "
                f"{span.numerator}/{span.denominator}; set score.source to None to write a new file with other metres"
            )
        if bar.stretch is None:
            check_inside(bar.notes, span.stop - span.start, f"score.tracks[{number}].bars[{index}]")


def _by_place(score: Score, n_chunks: int) -> tuple[dict[Place, Numbered], list[Track]]:
    """The tracks the file has (with their number), by place, and those it does not have."""
    placed: dict[Place, Numbered] = {}
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


def _find_edits(source: MidiSource, placed: dict[Place, Numbered], bars: list[BarSpan]) -> dict[int, Edit]:
    """What happens to each chunk. Only those that change are looked at closely, and only in the bars that change."""
    rows: list[dict[int, Numbered | None]] = [dict.fromkeys(chunk.parts) for chunk in source.outlines]
    for (index, channel), row in placed.items():
        rows[index][channel] = row
    edits = {}
    for index, (outline, here) in enumerate(zip(source.outlines, rows, strict=True)):
        left = [c for c, row in here.items() if not _is_as_read(row, outline.parts.get(c, NOTHING), len(bars))]
        targets = {channel: _ChannelTarget(here[channel], bars) for channel in sorted(left)}
        if any(row and row[1].channels for row in here.values()):
            targets |= _dealt(targets, outline.parts, bars)
        changed = {channel: target.changed(outline.parts.get(channel, NOTHING)) for channel, target in targets.items()}
        if any(changed.values()):
            edits[index] = _edit(source, index, targets, changed)
    return edits


def _is_as_read(row: Numbered | None, part: NoteColumns, n_bars: int) -> bool:
    """Whether a track is still this part of its file, and has no bars but its own."""
    whole = row[1].part if row is not None else None
    return whole is not None and whole.notes is part and len(whole) == n_bars


@dataclass(frozen=True)
class _ChannelTarget:
    """What the score wants of one channel of a chunk."""

    row: Numbered | None  # its track
    bars: list[BarSpan]
    dealt: list[list[NewNote]] | None = None  # per bar, where the track is a line over several channels

    def notes(self, index: int) -> list[NewNote]:
        """The notes of a bar. Raises ScoreError."""
        if self.dealt is not None:
            return self.dealt[index]
        return list(placed_notes(self._bar(index), self.bars[index].start, self._where(index)))

    def changed(self, part: NoteColumns) -> list[int]:
        """The bars that do not play what the file has there."""
        found, first = [], 0
        for index, span in enumerate(self.bars):
            last = bisect_left(part.onsets, span.stop, first) if index + 1 < len(self.bars) else len(part)
            if not self._same(part, index, range(first, last)):
                found.append(index)
            first = last
        return found

    def _same(self, part: NoteColumns, index: int, there: range) -> bool:
        if self.dealt is None and _is_there(self._bar(index), part, there, self.bars[index].start):
            return True
        return sorted(self.notes(index)) == sorted(map(part.row, there))

    def _bar(self, index: int) -> Bar:
        track = self.row[1] if self.row is not None else None
        return track.bars[index] if track is not None and index < len(track.bars) else _SILENT

    def _where(self, index: int) -> str:
        return f"score.tracks[{self.row[0] if self.row is not None else -1}].bars[{index}]"


def _is_there(bar: Bar, part: NoteColumns, there: range, start: int) -> bool:
    """Whether a bar has these very notes of the columns, in their order."""
    stretch = bar.stretch
    if stretch is not None and stretch.part is part:
        return stretch.range == there and stretch.start == start
    return len(bar.notes) == len(there) and all(
        note.pitch == part.pitches[at]
        and note.velocity == part.velocities[at]
        and note.onset_ticks == (onset := part.onsets[at]) - start
        and note.duration_ticks == part.ends[at] - onset
        for at, note in zip(there, bar.notes, strict=True)
    )


def _dealt(targets: dict[int, _ChannelTarget], parts: Parts, bars: list[BarSpan]) -> dict[int, _ChannelTarget]:
    """The targets of lines over several channels, their notes dealt to these."""
    found: dict[int, _ChannelTarget] = {}
    for channel, target in targets.items():
        if target.row is not None and target.row[1].channels and channel not in found:
            notes = [target.notes(index) for index in range(len(bars))]
            dealt = deal(notes, parts, target.row[1].channels, bars)
            found |= {own: _ChannelTarget(target.row, bars, dealt[own]) for own in target.row[1].channels}
    return found


def _edit(source: MidiSource, index: int, targets: dict[int, _ChannelTarget], changed: dict[int, list[int]]) -> Edit:
    """What happens to one chunk: by channel, what the score wants and the bars that change."""
    chunk = source.paired(index)
    edit = Edit()
    for channel, bars in changed.items():
        if not bars:
            continue
        part, target = chunk.parts.get(channel, Paired()), targets[channel]
        removed, new = _exchanged(part, target, bars)
        track = target.row[1] if target.row is not None else None
        if track is not None and track.channels:
            events = source.read_track(index).events
            removed |= expression_of(events, channel, removed, part)
            edit.put_in += ((tick, AFTER, event) for tick, event in at_rest(events, channel, removed, new))
        if track is not None and not part.notes and track.instrument and not _has_program(source, channel):
            edit.put_in.insert(0, (0, BEFORE, bytes((PROGRAM | channel, track.instrument))))
        edit.removed |= removed
        edit.add_notes(new, channel, chunk.silent_offs)
    return edit


def _exchanged(part: Paired, target: _ChannelTarget, changed: list[int]) -> tuple[set[int], list[NewNote]]:
    """Events to remove and notes to put in."""
    gone = [_inside(part.notes, target.bars, index) for index in changed]
    hanging = [_inside(part.hanging, target.bars, index) for index in changed]
    removed = {on for there in hanging for on in part.hanging_ons[there.start : there.stop]}
    for there in gone:
        removed.update(part.ons[there.start : there.stop], part.offs[there.start : there.stop])
    kept = OldNotes(part.notes.without(gone), part.hanging.without(hanging), part.stray)
    new, left = fit_notes((note for index in changed for note in target.notes(index)), kept)
    if left:
        _LOG.warning("%d notes left out: a note of their pitch that is never ended sounds through them", len(left))
    return removed, new


def _inside(notes: NoteColumns, bars: list[BarSpan], index: int) -> range:
    """The notes that begin in a bar."""
    last = bisect_left(notes.onsets, bars[index].stop) if index + 1 < len(bars) else len(notes)
    return range(bisect_left(notes.onsets, bars[index].start), last)


def _woven(source: MidiSource, index: int, edit: Edit) -> Woven:
    return weave(source.layout.tracks[index], source.where(index), edit, source.paired(index).running)


def _has_program(source: MidiSource, channel: int) -> bool:
    return any(event[0] == PROGRAM | channel for chunk in source.outlines for _, event in chunk.events)


def _metre_events(new: list[Signature]) -> list[PutIn]:
    return [
        (tick, LAST, meta(METRE, bytes((numerator, denominator.bit_length() - 1, 24, 8))))
        for tick, numerator, denominator in new
    ]
