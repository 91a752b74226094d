"""`midigpt info`: what is in a song, and which track sounds in which bar."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import Annotated

import typer

from midigpt_cli.exit_codes import DONE, UNREADABLE
from midigpt_cli.options.dataclass_options import command_of
from midigpt_cli.output.destination import read_song
from midigpt_cli.output.song_json import song_json
from midigpt_cli.output.song_report import EVERY, SOME, report_lines
from midigpt_cli.parse.song_reading import Reading
from midigpt_core.errors import MidiGptError, RequestValidationError


@dataclass(frozen=True, kw_only=True)
class Info:
    """Everything `info` may be told."""

    songs: Annotated[list[str], typer.Argument(metavar="SONG...", help="MIDI files; - reads standard input.")]
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
    attributes: Annotated[bool, typer.Option(help="Show the attributes measured on each track.")] = True
    reading: Reading
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No piano roll, no attributes.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every change of metre, tempo and key.")] = False


@command_of(Info)
def info(options: Info) -> None:
    """Show tracks, bars, metres, tempi, key and length, and where each track plays. Bars and tracks count from 1."""
    found, code = [], DONE
    for song in options.songs:
        try:
            score = read_song(song, options.reading)
            found.append(song_json(score, song, options.attributes and not options.quiet))
        except RequestValidationError:
            raise
        except MidiGptError as error:
            typer.echo(f"midigpt: {error}", err=True)
            code = UNREADABLE
    if options.as_json and found:
        told = found[0] if len(options.songs) == 1 else {"songs": found}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    width = 0 if options.quiet else shutil.get_terminal_size().columns
    most = EVERY if options.verbose else SOME
    for number, report in enumerate([] if options.as_json else found):
        typer.echo("\n" * bool(number) + "\n".join(report_lines(report, width, most)))
    if code != DONE:
        raise typer.Exit(code)
