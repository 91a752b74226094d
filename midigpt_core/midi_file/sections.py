"""Where a song stands in time: its sections, as markers name them, and the second at which each bar begins."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from midigpt_core.midi_file.bars import bar_of
from midigpt_core.midi_file.events import META, meta_data
from midigpt_core.midi_file.source import MidiSource, tempi
from midigpt_core.midi_file.text import decode_text
from midigpt_core.music import seconds_of, tempo_of
from midigpt_core.score import Score

TEXT, MARKER, CUE = 0x01, 0x06, 0x07  # meta kinds
_TEXT_SECTION = "[section "  # how songs for rhythm games write one among their texts


@dataclass(frozen=True)
class Section:
    """A part of a song with a name: from the bar of its marker to that of the next one. Bars count from 0."""

    name: str
    first: int
    end: int  # one past its last bar


def sections(score: Score) -> tuple[Section, ...]:
    """The sections that the file of a score names, in order; none for a score without a file."""
    source = score.source
    names = [] if source is None else sorted(_names(source), key=lambda marker: marker[0])
    if source is None or not names:
        return ()
    lines = [span.start for span in source.bars(score.n_bars)]
    late = source.division // 8  # a marker that stands a little before its bar line
    found = {bar_of(lines, tick + late): name for tick, name in names}  # of markers in one bar, the last
    ends = [*list(found)[1:], score.heard_bars]
    return tuple(Section(name, bar, end) for (bar, name), end in zip(found.items(), ends, strict=True) if end > bar)


def _names(source: MidiSource) -> list[tuple[int, str]]:
    """(tick, name) of every marker, cue point and section text."""
    named = []
    for index, body in enumerate(source.layout.tracks):
        kinds = [kind for kind in (MARKER, CUE) if bytes((META, kind)) in body]
        if bytes((META, TEXT)) in body and _TEXT_SECTION.encode() in body.lower():
            kinds.append(TEXT)
        for tick, event in source.read_metas(index, bytes(kinds)).events if kinds else ():
            named.append((tick, _name(event[1], decode_text(meta_data(event)).strip())))
    return [(tick, name) for tick, name in named if name]


def _name(kind: int, text: str) -> str:
    if text.lower().startswith(_TEXT_SECTION):
        return text[len(_TEXT_SECTION) :].rstrip("]").strip()
    return "" if kind == TEXT else text


def bar_times(score: Score) -> list[float]:
    """The second at which each bar begins, and that at which the last one ends."""
    bars = max((track.bars for track in score.tracks), key=len, default=[])
    lines = [round(tick) for tick in accumulate((bar.beat_length * score.resolution for bar in bars), initial=0.0)]
    changes = tempi(score.source.outlines) if score.source else [(0, score.tempo)]
    times, second, at, tempo = [], 0.0, 0, tempo_of(120)
    for tick, following in sorted([*changes, *((line, 0) for line in lines)], key=lambda item: item[0]):
        second += seconds_of((tick - at) / score.resolution, tempo)
        at, tempo = tick, following or tempo
        if not following:
            times.append(second)
    return times
