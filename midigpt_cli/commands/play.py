"""`midigpt play`: hear a song, or some bars of it, without leaving the terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer

from midigpt_cli.options.dataclass_options import OUTPUT, command_of
from midigpt_cli.parse.selectors import BARS_HELP, select_tracks
from midigpt_cli.parse.what_to_write import track_option
from midigpt_cli.parse.where_to_write import select_whole_bars

MOST = 10  # songs, one for each digit


@dataclass(frozen=True)
class Play:
    """Everything `play` may be told."""

    songs: Annotated[list[str], typer.Argument(metavar="SONG...", help="MIDI files, up to nine.")]
    bars: Annotated[str, typer.Option("--bars", "-b", help=BARS_HELP)] = "all"
    track: Annotated[list[str], track_option("all")] = field(default_factory=list)
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=OUTPUT)] = False


@command_of(Play)
def play(options: Play) -> None:
    """Play songs. Keys: space pauses, 1-9 switch between songs, q quits.

    midigpt play song.mid song.infill.mid --bars 5-8
    """
    from dataclasses import replace
    from pathlib import Path

    from midigpt_cli.live.audition import Version, listen, say, sound_of
    from midigpt_cli.live.sound import open_device
    from midigpt_cli.output.destination import read_song
    from midigpt_core.fields import refused
    from midigpt_core.score import Score

    if len(options.songs) >= MOST:
        raise refused("SONG", None, f"is given {len(options.songs)} times", f"name up to {MOST - 1}, one for each key")

    def heard(song: str) -> Score:
        score = read_song(song)
        if not options.track:
            return score
        chosen = select_tracks(options.track, score)
        return replace(score, source=None, tracks=[score.tracks[number] for number in chosen])

    versions = []
    device = open_device()
    for number, song in enumerate(options.songs, 1):
        score = heard(song)
        bars = select_whole_bars(options.bars, score)
        wave = sound_of(score, range(bars[0], bars[-1] + 1))
        versions.append(Version(str(number), f"{number} {Path(song).name}", wave))
    listen(versions, device, (lambda words: None) if options.quiet else say)
