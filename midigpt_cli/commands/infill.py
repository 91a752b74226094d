"""`midigpt infill`: write some bars of songs anew, and leave everything else as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midigpt_cli.options import completion
from midigpt_cli.options.groups import Context, ModelChoice, Music, Output, Reporting
from midigpt_cli.options.settings import Settings, command_of
from midigpt_cli.parse.selectors import BARS_HELP, SOUNDING, TRACK_HELP
from midigpt_core.fields import refused

if TYPE_CHECKING:
    from midigpt_core.attributes.table import AttributeTable
    from midigpt_core.request import GenerationRequest
    from midigpt_core.score import Score


@dataclass(frozen=True, kw_only=True)
class Infill:
    """Everything `infill` may be told."""

    songs: Annotated[list[str], typer.Argument(metavar="SONG...", help="MIDI files; - reads standard input.")]
    bars: Annotated[str | None, typer.Option("--bars", "-b", help=BARS_HELP)] = None
    track: Annotated[
        list[str],
        typer.Option(
            "--track",
            "-t",
            help=TRACK_HELP,
            show_default=SOUNDING,
            autocompletion=completion.tracks,
        ),
    ] = field(default_factory=list)
    request: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="The whole request, as Python and HTTP have it (bars and tracks from 0); settings given here win.",
        ),
    ] = None
    music: Music
    context: Context
    settings: Settings  # type: ignore[valid-type]
    model: ModelChoice
    output: Output
    reporting: Reporting


@command_of(Infill)
def infill(options: Infill) -> None:
    """Fill in bars of songs. Only the notes asked for change; the rest of each file stays as it is, event by event.

    midigpt infill song.mid --bars 4-8 --track drums
    """
    from midigpt_cli.job import CommandOptions, CommandRun
    from midigpt_cli.parse.words import Wishes, told_of

    understood = told_of(Wishes.of(options.music.prompt), options.reporting)
    whole = _whole_request(options)
    takes = whole.config.num_candidates if whole else options.settings.num_candidates or 1
    job = CommandRun(
        CommandOptions("infill", options.model, options.output, options.reporting, whole is not None, understood),
        takes,
        options.songs,
    )

    def prepare(score: Score, table: AttributeTable) -> tuple[Score, GenerationRequest]:
        return score, whole or _request(options, score, table)

    job.run(prepare)


def _whole_request(options: Infill) -> GenerationRequest | None:
    """The request of --request, which leaves no other option to say what is written."""
    if options.request is None:
        if options.bars is None:
            raise refused("--bars", None, "is missing", "say which bars to write, such as --bars 4-8")
        return None
    for option, value in (("--bars", options.bars), ("--track", options.track)):
        if value:
            raise refused(option, value, "and --request both say what is written", "keep one of them")
    if options.music != Music() or options.context != Context():
        raise refused("--request", str(options.request), "holds the musical controls and context", "put them there")
    from midigpt_cli.parse.request import read_request

    return read_request(options.request, options.settings)


def _request(options: Infill, score: Score, table: AttributeTable) -> GenerationRequest:
    from midigpt_cli.parse.request import RequestOptions, build_request
    from midigpt_cli.parse.selectors import select_bars, tracks_to_write
    from midigpt_cli.parse.words import tracks_named

    bars = select_bars(options.bars or "", score.n_bars)
    tracks = () if options.track else tracks_named(options.music.prompt, score)
    tracks = tracks or tracks_to_write(options.track, score, bars)
    return build_request(
        RequestOptions({number: bars for number in tracks}, options.music, options.context, options.settings),
        score,
        table,
    )
