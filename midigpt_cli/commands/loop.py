"""`midigpt loop`: variations of a few bars that loop without a seam and may follow one another in any order."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli.options.dataclass_options import OUTPUT, Settings, command_of
from midigpt_cli.options.music_options import Music
from midigpt_cli.options.shared_options import (
    Context,
    ModelChoice,
    NewDrums,
    NewInstruments,
    Output,
    Presets,
    Reporting,
)
from midigpt_cli.output.destination import PIPE
from midigpt_cli.output.rendering import SOUNDS, RenderOptions, make
from midigpt_cli.parse.numbers import count
from midigpt_cli.parse.selectors import BARS_HELP
from midigpt_cli.parse.song_reading import Reading
from midigpt_cli.parse.what_to_write import track_option
from midigpt_core.errors import GenerationError, RequestValidationError
from midigpt_core.fields import limits_of, refused
from midigpt_core.request import SEAMS, LoopRequest
from midigpt_core.score import Score

if TYPE_CHECKING:
    from midigpt_cli.output.destination import Destination
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.loop import Variation

USUAL_BARS = 4
FORMATS = ("mid", *(ending[1:] for ending in SOUNDS))


@dataclass(frozen=True)
class Loop:
    """The options of `loop`."""

    reading: Reading
    presets: Presets
    music: Music
    context: Context
    settings: Settings
    model: ModelChoice
    output: Output
    reporting: Reporting
    song: Annotated[
        str | None,
        typer.Argument(metavar="[SONG]", help="A MIDI file; - reads standard input. Without one, start from scratch."),
    ] = None
    bars: Annotated[str | None, typer.Option("--bars", "-b", help=BARS_HELP + " From scratch: how many.")] = None
    track: Annotated[list[str], track_option()] = field(default_factory=list)
    variations: Annotated[int, typer.Option(help="Variations to write.", **limits_of(LoopRequest, "variations"))] = (
        LoopRequest.variations
    )
    bpm: Annotated[
        float | None,
        typer.Option(
            help="Quarter notes per minute.",
            show_default="the song's there, or 120",
            **limits_of(LoopRequest, "bpm"),
        ),
    ] = None
    seam: Annotated[str, typer.Option(help="Notes held over the seam: cut them, or wrap them to the start.")] = "cut"
    solo: Annotated[bool, typer.Option("--solo", help="Save only the new tracks.")] = False
    instrument: NewInstruments = field(default_factory=list)
    drums: NewDrums = False
    metre: Annotated[
        str | None, typer.Option("--metre", "--meter", help="From scratch: time signature.", show_default="4/4")
    ] = None
    format: Annotated[str, typer.Option(help="mid, wav, mp3, flac or ogg.", rich_help_panel=OUTPUT)] = "mid"
    soundfont: Annotated[
        Path | None,
        typer.Option(
            help="Soundfont for audio.", rich_help_panel=OUTPUT, show_default="the system's, or a built-in one"
        ),
    ] = None


@command_of(Loop)
def loop(options: Loop) -> None:
    """Write variations that loop seamlessly. All are equally long and can follow one another in any order.

    Variations that fail their checks are not saved, unless you add --allow-partial.

    midigpt loop song.mid --bars 1-4 --track bass --variations 4
    """
    from midigpt_cli.cli_errors import in_option_names

    try:
        _run(options)
    except RequestValidationError as error:
        raise in_option_names(error) from error


def _run(options: Loop) -> None:
    from midigpt_cli.load_model import Model
    from midigpt_cli.output.destination import Destination
    from midigpt_cli.output.progress import following
    from midigpt_core.loop import loop as run_loop

    options, understood = _with_words(options)
    _check(options)
    name = options.song or "new"
    destination = Destination(options.output, "loop", {name: Path()}, options.variations, options.format)
    if not options.reporting.dry_run:
        destination.check_free(name)
    model = Model(options.model)
    score = _song(options)
    request = _request(options, score, model.controls)
    if options.reporting.dry_run:
        typer.echo(
            f"{name}: {request.variations} variations of {request.end - request.first} bars, seam {request.seam}"
        )
        return
    reports = []
    with following(name, options.reporting) as listener:
        for variation in run_loop(model.engine, score, request, listener):
            reports.append(_deliver(options, destination, name, variation, request))
    if options.reporting.to_program:
        told: dict[str, Any] = {"understood": understood} if understood else {}
        told |= {"song": name, "bars": [request.first + 1, request.end], "variations": reports, "model": model.facts()}
        typer.echo(json.dumps(told))
    if not any(report["path"] for report in reports):
        raise GenerationError(
            f"every variation was rejected, the last one for {reports[-1]['rejected'][-1]}; raise --max-attempts or "
            "--temperature-escalation, or accept them anyway with --allow-partial"
        )


def _with_words(options: Loop) -> tuple[Loop, dict[str, Any] | None]:
    """The options with what a prompt adds to them, and what was understood of it."""
    from midigpt_cli.parse.prompt_options import PromptOptions, report_prompt

    prompted = PromptOptions.of(options.music.prompt, options.instrument, options.drums)
    if options.song is None:
        bars = prompted.over("--bars", options.bars, "bars")
        options = replace(
            options,
            instrument=prompted.instruments,
            drums=prompted.drums,
            metre=prompted.over("--metre", options.metre, "metre"),
            bars=None if bars is None else str(bars),
        )
    else:
        prompted.leave_out("metre", "bars")
    options = replace(options, bpm=prompted.over("--bpm", options.bpm, "bpm"))
    prompted.beside(options.music)
    return options, report_prompt(prompted, options.reporting)


def _check(options: Loop) -> None:
    if options.format not in FORMATS:
        raise refused("--format", options.format, "is not known", f"use {', '.join(FORMATS)}")
    if options.song is None and not (options.instrument or options.drums):
        raise refused("SONG", None, "is missing", "name a song, or --instrument and --drums to loop from nothing")
    if options.song and (options.instrument or options.drums):
        raise refused("--instrument", None, "is for loops without a song", "choose tracks of the song with --track")
    for option, number in (("--takes", options.settings.num_candidates), ("--keep-best", options.output.keep_best)):
        if number:
            raise refused(option, number, "is for takes; loops have variations", f"use --variations {number}")
    if options.output.play:
        raise refused("--play", None, "is for takes", "hear the files afterwards: midigpt play FILE...")
    _check_output(options)


def _check_output(options: Loop) -> None:
    if options.song is None and options.output.output is None:
        raise refused("--output", None, "is missing", "name the file or folder to write: -o loops/")
    if options.output.output != PIPE:
        return
    if options.format != "mid":
        raise refused("--format", options.format, "cannot go to standard output", "leave out -o -")
    if options.variations != 1:
        raise refused("--output", PIPE, f"takes one file, not {options.variations}", "add --variations 1")
    if options.reporting.to_program:
        raise refused("--json", None, "and MIDI cannot share standard output", "name a file with -o")


def _song(options: Loop) -> Score:
    from midigpt_cli.output.destination import read_song

    if options.song is not None:
        return read_song(options.song, options.reading)
    from midigpt_cli.commands.generate import new_score

    bars = options.bars or str(USUAL_BARS)
    if not count(bars):
        raise refused("--bars", options.bars, "is not a number of bars", "without a song, write how many, such as 4")
    return new_score(options.instrument, options.drums, options.bpm or 120.0, options.metre or "4/4", int(bars))


def _request(options: Loop, score: Score, table: AttributeTable) -> LoopRequest:
    from midigpt_cli.parse.build_request import RequestOptions, build_request
    from midigpt_cli.parse.selectors import tracks_to_write
    from midigpt_cli.parse.where_to_write import select_whole_bars
    from midigpt_core.midi_file.excerpt import excerpt

    if options.seam not in SEAMS:
        raise refused("--seam", options.seam, "is not known", f"use {' or '.join(SEAMS)}")
    bars = select_whole_bars(options.bars if options.song and options.bars else "all", score)
    if options.song and not options.bars:
        bars = bars[:USUAL_BARS]
    first, end = min(bars), max(bars) + 1
    if end - first != len(bars):
        raise refused("--bars", options.bars, "are not one run of bars", "name a run such as 1-4")
    if (end - first) & (end - first - 1):
        typer.echo(f"midigpt: {end - first} bars are not a power of two; most loops are 1, 2, 4 or 8 long", err=True)
    part = excerpt(score, first, end)
    tracks = tracks_to_write(options.track, score, bars)
    written = {number: range(end - first) for number in tracks}
    request = build_request(RequestOptions(written, options.music, options.context, options.settings), part, table)
    return LoopRequest(
        first,
        end,
        tuple(tracks),
        options.variations,
        options.seam,
        options.bpm,
        request.config,
        {prompt.id: prompt for prompt in request.tracks},
    )


def _deliver(
    options: Loop, destination: Destination, name: str, variation: Variation, request: LoopRequest
) -> dict[str, Any]:
    """Write one variation as soon as it is there, if it may be; what is reported of it."""
    path: str | None = None
    rendered: list[Any] = []
    if variation.accepted or options.output.allow_partial:
        path, rendered = _write(options, destination, name, variation, request)
    if not options.reporting.quiet and not options.reporting.to_program:
        fault = "" if variation.accepted else f"; rejected: {variation.rejected[-1]}"
        told = f"variation {variation.number}, seed {variation.seed}, seam {variation.seam:.2f} per token{fault}"
        typer.echo(f"{path or 'not written'}: {told}", err=True)
    if path and path != PIPE and not (options.reporting.quiet or options.reporting.to_program or sys.stdout.isatty()):
        typer.echo(path)
    return {
        "path": path,
        **({"rendered": rendered} if rendered else {}),
        "number": variation.number,
        "seed": variation.seed,
        "consensus": variation.consensus,
        "logprob": variation.logprob,
        "seam": variation.seam,
        "accepted": variation.accepted,
        "rejected": list(variation.rejected),
    }


def _write(
    options: Loop, destination: Destination, name: str, variation: Variation, request: LoopRequest
) -> tuple[str, list[str]]:
    """Where the variation went, and the sounds and pictures made of it."""
    from midigpt_cli.output.destination import Written
    from midigpt_cli.output.loop_audio import write_loop

    score, tracks = variation.score, list(request.tracks)
    if options.solo:
        score = replace(score, source=None, tracks=[score.tracks[t] for t in tracks])
        tracks = list(range(len(tracks)))
    result = Written(score, variation.number, variation.number, variation.seed)
    put = Written.to_midi if options.format == "mid" else partial(write_loop, options.soundfont)
    [path] = destination.write(name, [result], put)
    how = RenderOptions(options.soundfont, lit={(t, b) for t in tracks for b in range(score.n_bars)})
    return path, [make(score, file, how)["path"] for file in destination.beside(path)]
