"""A song's facts in words, with a picture of which track sounds in which bar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from midigpt_cli.output.chord_list import SHOWN, chord_line
from midigpt_cli.output.section_list import section_line
from midigpt_cli.parse.selectors import describe_bars
from midigpt_core.music import pitch_name

SOME, EVERY = 8, 1 << 30  # changes of metre, tempo or key that are told


def report_lines(report: dict[str, Any], width: int, most: int = SOME) -> Iterator[str]:
    """The report in words, with at most `most` changes of each kind, and a picture `width` wide (0: none)."""
    tracks = report["tracks"]
    minutes, seconds = divmod(round(report["seconds"]), 60)
    yield (
        f"{report['song']}: {_count(len(tracks), 'track')}, {_count(report['bars'], 'bar')}, {minutes}:{seconds:02d}; "
        f"format {report['format']}, {report['ticks_per_quarter']} ticks per quarter note"
    )
    yield "metre  " + _changes([(change["bar"], change["metre"]) for change in report["metres"]], most)
    if report["short_bars"]:
        yield "short  " + ", ".join(
            f"bar {bar['bar']}: {bar['quarters']:g} quarters" for bar in report["short_bars"][:most]
        )
    yield "tempo  " + _tempi([(change["bar"], change["bpm"]) for change in report["tempi"]], most)
    if report["keys"]:
        yield "key    " + _changes([(change["bar"], change["key"]) for change in report["keys"]], most)
    elif report["key_by_notes"]:
        yield f"key    {report['key_by_notes']}, by its notes; the file names none"
    if report["sections"]:
        yield "sections " + section_line(report["sections"], SHOWN if most == SOME else most)
    if report["chords"]:
        yield "chords " + chord_line(report["chords"], SHOWN if most == SOME else most)
    yield ""
    yield from _table(tracks)
    yield from _remarks(report)
    if tracks and width:
        yield ""
        yield from _picture(tracks, report["bars"], width)
    yield from _attribute_lines(tracks, width)
    yield ""
    yield "Tracks, bars and channels count from 1; chunk is the track chunk of the file, from 0."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _changes(changes: Sequence[tuple[int, str]], shown: int) -> str:
    """The first value, then each other one with the bar it begins in."""
    words = [f"{value}" if i == 0 and bar == 1 else f"{value} from bar {bar}" for i, (bar, value) in enumerate(changes)]
    return ", ".join(words[:shown]) + (f" and {len(words) - shown} more changes" if len(words) > shown else "")


def _tempi(changes: Sequence[tuple[int, float]], shown: int) -> str:
    speeds = [bpm for _, bpm in changes]
    if len(changes) <= shown // 2:
        return _changes([(bar, f"{bpm:.4g} bpm") for bar, bpm in changes], shown)
    return f"{speeds[0]:.4g} bpm at first, {len(speeds) - 1} changes between {min(speeds):.4g} and {max(speeds):.4g}"


def _table(tracks: Sequence[dict[str, Any]]) -> Iterator[str]:
    rows: list[Sequence[str]] = [("#", "name", "instrument", "channel", "chunk", "notes", "pitches", "bars")]
    for track in tracks:
        low, high = track["lowest"], track["highest"]
        pitches = f"{pitch_name(low)}-{pitch_name(high)}" if low is not None and not track["drums"] else ""
        sounding = describe_bars(bar - 1 for bar in track["sounding_bars"])
        channel, chunk = track["channel"] + 1, track["midi_track"]
        cells = (track["number"], track["name"], track["instrument"], channel, chunk, track["notes"], pitches)
        rows.append((*map(str, cells), sounding if len(sounding) <= 24 else f"{len(track['sounding_bars'])} bars"))
    yield from aligned(rows)


def _remarks(report: dict[str, Any]) -> Iterator[str]:
    """What the table does not say: why a track is drums, over which channels a line plays, and what is silent."""
    for track in report["tracks"]:
        number = track["number"]
        if track["told_by"] and track["told_by"] != "channel 10":
            yield f"track {number} is {'drums' if track['drums'] else 'melodic'}: told by {track['told_by']}"
        if track["channels"]:
            told = describe_bars(track["channels"])
            yield f"track {number} is one line over channels {told} (--split-channels keeps them apart)"
    for silent in report["silent_tracks"]:
        yield f"chunk {silent['midi_track']}, {silent['name']!r}, is silent; name it with --track to have it written"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as columns of equal width; long cells are cut."""
    columns = []
    for column in zip(*rows, strict=True):
        cut = [cell if len(cell) <= 24 else cell[:23] + "…" for cell in column]
        width = max(map(len, cut))
        columns.append([cell.ljust(width) for cell in cut])
    yield from ("  ".join(row).rstrip() for row in zip(*columns, strict=True))


def _picture(tracks: Sequence[dict[str, Any]], n_bars: int, width: int) -> Iterator[str]:
    """One line per track, one mark per bar, or per few bars where the song is longer than the line."""
    names = [f"{track['number']} {track['name'] or track['instrument']}"[:20] for track in tracks]
    margin = max(map(len, names)) + 2
    per_mark = max(-(-n_bars // max(width - margin - 1, 16)), 1)
    ruler = ""
    for mark in range(0, -(-n_bars // per_mark), 8):
        ruler = ruler.ljust(mark) + str(mark * per_mark + 1)
    yield " " * margin + ruler
    for name, track in zip(names, tracks, strict=True):
        yield name.ljust(margin) + _row(track["sounding_bars"], n_bars, per_mark)
    unit = "bar" if per_mark == 1 else f"{per_mark} bars"
    yield " " * margin + f"one mark per {unit}: # sounds, . is silent"


def _row(sounding: Iterable[int], n_bars: int, per_mark: int) -> str:
    heard = {(bar - 1) // per_mark for bar in sounding}
    return "".join("#" if mark in heard else "." for mark in range(-(-n_bars // per_mark)))


def _attribute_lines(tracks: Sequence[dict[str, Any]], width: int) -> Iterator[str]:
    """The controls, a column per track, in as many blocks as the line's width asks for."""
    names = list(dict.fromkeys(name for track in tracks for name in track["attributes"]))
    if not names:
        return
    per_block = max((width - max(map(len, names))) // 16, 1)
    for first in range(0, len(tracks), per_block):
        block = tracks[first : first + per_block]
        yield ""
        rows = [["control of track", *(str(track["number"]) for track in block)]]
        for name in names:
            rows.append([name, *(track["attributes"].get(name, {}).get("label", "") for track in block)])
        yield from aligned(rows)
