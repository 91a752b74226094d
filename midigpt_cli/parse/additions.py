"""Add empty bars and tracks to a song, to be written in the same run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import typer

from midigpt_cli.options import completion
from midigpt_cli.options.dataclass_options import READ, labelled
from midigpt_core.fields import refused

if TYPE_CHECKING:
    from midigpt_core.score import Score, Track

DRUMS = "drums"
MOST_BARS = 10_000


@dataclass(frozen=True)
class Additions:
    """What the song gets before its bars are chosen."""

    add_track: Annotated[
        list[str],
        labelled(
            "New tracks",
            typer.Option(
                metavar="INSTRUMENT",
                help="Add a track for this instrument, or drums, and write it (repeatable).",
                rich_help_panel=READ,
                autocompletion=completion.instruments,
            ),
        ),
    ] = field(default_factory=list)
    add_bars: Annotated[
        int,
        labelled(
            "New bars at the end",
            typer.Option(help="Add empty bars after the last; --bars counts them.", rich_help_panel=READ),
        ),
    ] = 0


def with_additions(score: Score, additions: Additions) -> Score:
    """The score with the new tracks after its own, and the new bars at its end. Raises RequestValidationError."""
    if not 0 <= additions.add_bars <= MOST_BARS:
        raise refused("--add-bars", additions.add_bars, "is out of range", f"use 0 to {MOST_BARS}")
    if additions.add_track and not score.tracks:
        raise refused("--add-track", None, "needs a song with a track", "see midigpt generate")
    added = [_empty_track(name, score) for name in additions.add_track]
    return extended(replace(score, tracks=[*score.tracks, *added]), additions.add_bars)


def extended(score: Score, count: int) -> Score:
    """The score with `count` empty bars of its last metre on every track."""
    from midigpt_core.score import Bar

    if not count:
        return score
    tracks = []
    for track in score.tracks:
        last = track.bars[-1] if track.bars else Bar()
        empty = [Bar([], last.ts_numerator, last.ts_denominator) for _ in range(count)]
        tracks.append(replace(track, bars=[*track.bars, *empty]))
    return replace(score, tracks=tracks)


def added_tracks(score: Score, additions: Additions) -> tuple[int, ...]:
    """The numbers of the new tracks, from 0."""
    return tuple(range(len(score.tracks) - len(additions.add_track), len(score.tracks)))


def _empty_track(name: str, score: Score) -> Track:
    from midigpt_cli.parse.instruments import NAMES, program_of
    from midigpt_core.score import DRUM, Track

    longest = max((track.bars for track in score.tracks), key=len)
    bars = [replace(bar, notes=[]) for bar in longest]
    if name.strip().lower() == DRUMS:
        return Track(bars=bars, track_type=DRUM, name="Drums")
    program = program_of(name, "--add-track")
    return Track(bars=bars, instrument=program, name=NAMES[program])
