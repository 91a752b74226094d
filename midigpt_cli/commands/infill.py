"""`midigpt infill`: write some bars of songs anew, and leave everything else as it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli.options.dataclass_options import command_of
from midigpt_cli.options.music_options import Music
from midigpt_cli.options.shared_options import Context, Many, ModelChoice, Output, Reporting
from midigpt_cli.parse.what_to_write import WhatToWrite
from midigpt_core.fields import refused

if TYPE_CHECKING:
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.request import GenerationRequest
    from midigpt_core.score import Score


@dataclass(frozen=True, kw_only=True)
class Infill:
    """The options of `infill`."""

    songs: Annotated[
        list[str],
        typer.Argument(metavar="SONG...", help="MIDI files or folders; - reads standard input.", show_default=False),
    ] = field(default_factory=list)
    what: WhatToWrite
    request: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="The whole request as JSON (bars and tracks from 0); options given here override it.",
        ),
    ] = None
    from_run: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            help="Repeat a run listed by midigpt history; options given here override it.",
        ),
    ] = None
    model: ModelChoice
    output: Output
    many: Many
    reporting: Reporting


@command_of(Infill)
def infill(options: Infill) -> None:
    """Fill in bars of songs. Everything else in the file stays as it is, event for event.

    midigpt infill song.mid --bars 4-8 --track drums
    """
    from midigpt_cli.output.destination import read_song
    from midigpt_cli.parse.prompt_options import PromptOptions, report_prompt
    from midigpt_cli.parse.song_paths import songs_in
    from midigpt_cli.run_songs import CommandOptions, CommandRun

    options = _with_song(options)
    prompted = PromptOptions.of(options.what.music.prompt)
    prompted.leave_out("bpm", "metre", "bars")
    prompted.beside(options.what.music)
    understood = report_prompt(prompted, options.reporting)
    whole = _whole_request(options)
    takes = _takes(whole, options)
    job = CommandRun(
        CommandOptions(
            "infill", options.model, options.output, options.reporting, options.many, whole is not None, understood
        ),
        takes,
        songs_in(options.songs),
    )

    def prepare(score: Score, table: AttributeTable) -> tuple[Score, GenerationRequest]:
        from midigpt_cli.parse.build_request import request_of

        score = options.what.prepared(score)
        if whole is not None:
            return score, request_of(whole, options.what.settings, score)
        return score, options.what.request(score, table)

    job.run(prepare, lambda song: read_song(song, options.what.reading))


def _with_song(options: Infill) -> Infill:
    """With the song of the run that is made again, where none is named."""
    if not options.songs and options.from_run is not None:
        from midigpt_cli.history import run_of

        options = replace(options, songs=[song for song in [run_of(options.from_run).song] if song])
    if not options.songs:
        raise refused("SONG", None, "is missing", "name a MIDI file")
    return options


def _takes(whole: dict[str, Any] | None, options: Infill) -> int:
    from midigpt_cli.parse.build_request import request_of

    return (
        request_of(whole, options.what.settings).config.num_candidates
        if whole
        else options.what.settings.num_candidates or 1
    )


def _whole_request(options: Infill) -> dict[str, Any] | None:
    """The JSON form of the request of --request or --from-run, which leaves no other option to say what is written."""
    name, given = ("--from-run", options.from_run) if options.request is None else ("--request", options.request)
    if given is None:
        options.what.check()
        return None
    what = options.what
    said = {"--bars": what.bars, "--where": what.where, "--track": what.track, "--region": what.region}
    for option, value in said.items():
        if value:
            raise refused(option, value, f"and {name} exclude each other", "keep one of them")
    if what.music != Music() or what.context != Context():
        raise refused(name, str(given), "holds the musical controls and context", "put them there")
    from midigpt_cli.parse.build_request import read_request

    if options.request is not None:
        if options.from_run is not None:
            raise refused("--from-run", given, "and --request exclude each other", "keep one of them")
        found: dict[str, Any] = read_request(options.request)
        return found
    return _remembered(options)


def _remembered(options: Infill) -> dict[str, Any]:
    """The request of the run. Raises RequestValidationError where it was another command's, tells of a changed song."""
    from midigpt_cli.history import digest, run_of

    run = run_of(options.from_run or 0)
    if run.command != "infill":
        raise refused("--from-run", run.id, f"was made by midigpt {run.command}", "run that command again")
    if run.song and digest(Path(run.song)) != run.song_sha:
        typer.echo(f"midigpt: {run.song} has changed since run {run.id}", err=True)
    return run.request
