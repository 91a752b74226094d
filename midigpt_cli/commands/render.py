"""`midigpt render`: turn a song into audio or a picture."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli.options.dataclass_options import OUTPUT, command_of
from midigpt_cli.options.shared_options import Force
from midigpt_cli.output.destination import PIPE, free_name, read_song
from midigpt_cli.output.rendering import PICTURES, RATE, SOUNDS, RenderOptions, make
from midigpt_cli.parse.selectors import BARS_HELP, select_cells
from midigpt_cli.parse.where_to_write import select_whole_bars
from midigpt_core.fields import refused

if TYPE_CHECKING:
    from midigpt_core.score import Score

SOUND, PICTURE = "Sound", "Picture"


@dataclass(frozen=True)
class Render:
    """The options of `render`."""

    song: Annotated[str, typer.Argument(metavar="SONG", help="A MIDI file; - reads standard input.")]
    output: Annotated[
        list[str],
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"File to write, by its extension: {' '.join(SOUNDS + PICTURES)} (repeatable).",
            show_default="a .wav beside the song",
            rich_help_panel=OUTPUT,
        ),
    ] = field(default_factory=list)
    force: Force = False
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the measurements as one JSON object.", rich_help_panel=OUTPUT)
    ] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress or summary.", rich_help_panel=OUTPUT)] = (
        False
    )
    engine: Annotated[
        str,
        typer.Option(
            help="fluidsynth, builtin (nothing to install) or sine (no soundfont).",
            show_default="fluidsynth if installed, else builtin",
            rich_help_panel=SOUND,
        ),
    ] = "auto"
    soundfont: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.sf2",
            help="General MIDI soundfont (or set MIDIGPT_SOUNDFONT).",
            show_default="the system's, else pretty_midi's",
            rich_help_panel=SOUND,
        ),
    ] = None
    rate: Annotated[int, typer.Option(help="Sample rate in Hz.", rich_help_panel=SOUND)] = RATE
    bars: Annotated[str, typer.Option("--bars", "-b", help=f"Only these bars. {BARS_HELP}", rich_help_panel=OUTPUT)] = (
        "all"
    )
    highlight: Annotated[
        list[str],
        typer.Option(
            metavar="TRACK:BARS",
            help="Highlight bars, such as drums:5-8 (repeatable).",
            rich_help_panel=PICTURE,
        ),
    ] = field(default_factory=list)
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="BEFORE.mid",
            help="Draw this song as well and highlight the differences.",
            rich_help_panel=PICTURE,
        ),
    ] = None


@command_of(Render)
def render(options: Render) -> None:
    """Render a song as audio (wav, flac, ogg, mp3) or a picture (png, svg, pdf).

    midigpt render song.mid --bars 5-8 -o song.mp3 -o song.png
    """
    from midigpt_cli.output.progress import showing

    targets = _targets(options)
    score = read_song(options.song)
    how = _how(options, score)
    made = []
    for target in targets:
        with showing(target.name, wanted=sys.stderr.isatty() and not options.quiet) as progress:
            made.append(make(score, target, how, progress))
    if options.as_json:
        typer.echo(json.dumps({"command": "render", "song": options.song, "files": made}))
        return
    for facts in () if options.quiet else made:
        typer.echo(_sentence(facts), err=True)
        if not sys.stdout.isatty():
            typer.echo(facts["path"])


def _targets(options: Render) -> list[Path]:
    """The files to write; refused where one is not known by its ending, or is there already."""
    if not options.output and options.song == PIPE:
        raise refused("--output", None, "is missing", "name the file to write")
    usual = Path(options.song).with_suffix(".wav")
    targets = [Path(name) for name in options.output] or [usual if options.force else free_name(usual)]
    for target in targets:
        if target.suffix.lower() not in SOUNDS + PICTURES:
            known = " ".join(SOUNDS + PICTURES)
            raise refused("--output", str(target), "has no known extension", f"use one of {known}")
        if target.exists() and not options.force:
            raise refused("--output", str(target), "exists", "add --force to overwrite it, or choose another name")
        if not target.parent.is_dir():
            raise refused("--output", str(target), "is in a folder that does not exist", "make the folder first")
    drawn = {"--highlight": options.highlight, "--compare": options.compare}
    for option in (name for name, value in drawn.items() if value):
        if not any(target.suffix.lower() in PICTURES for target in targets):
            raise refused(option, None, "shows in pictures alone", f"add a picture, such as -o {targets[0].stem}.png")
    return targets


def _how(options: Render, score: Score) -> RenderOptions:
    lit = select_cells(options.highlight, score)
    before = read_song(options.compare) if options.compare else None
    if before is not None and not lit:
        from midigpt_core.audio.piano_roll import changed_cells

        lit = changed_cells(before, score)
    bars = None
    if options.bars != "all":
        chosen = select_whole_bars(options.bars, score)
        bars = range(chosen[0], chosen[-1] + 1)
    title = Path(options.song).name.strip("-")
    return RenderOptions(options.soundfont, options.rate, options.engine, lit, before, bars, bars, title)


def _sentence(facts: dict[str, Any]) -> str:
    if "seconds" not in facts:
        lit = f", {facts['highlighted']} highlighted" if facts["highlighted"] else ""
        return f"{facts['path']}: {facts['tracks']} tracks, {facts['bars']} bars{lit}"
    font = f" with {facts['soundfont']}" if facts["soundfont"] else ""
    return (
        f"{facts['path']}: {facts['seconds']:.1f} s, peak {facts['peak_dbfs']:.1f} dBFS, {facts['engine']}{font}, "
        f"{facts['times_real_time']:.0f} times real time"
    )
