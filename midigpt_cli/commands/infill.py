"""`midigpt infill`: write some bars of songs anew, and leave everything else as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midigpt_cli import completion
from midigpt_cli.groups import Context, ModelChoice, Music, Output, Talk
from midigpt_cli.options import Settings, command_of
from midigpt_cli.selectors import BARS_HELP, TRACK_HELP
from midigpt_core.request import refused

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
            show_default="every track that sounds",
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
    talk: Talk


@command_of(Infill)
def infill(asked: Infill) -> None:
    """Fill in bars of songs. Only the notes asked for change; the rest of each file stays as it is, event by event.

    midigpt infill song.mid --bars 4-8 --track drums
    """
    from midigpt_cli.job import Asked, Job

    whole = _whole_request(asked)
    takes = whole.config.num_candidates if whole else asked.settings.num_candidates or 1
    job = Job(Asked("infill", asked.model, asked.output, asked.talk, by_file=whole is not None), takes, asked.songs)

    def prepare(score: Score, table: AttributeTable) -> tuple[Score, GenerationRequest]:
        return score, whole or _request(asked, score, table)

    job.run(prepare)


def _whole_request(asked: Infill) -> GenerationRequest | None:
    """The request of --request, which leaves no other option to say what is written."""
    if asked.request is None:
        if asked.bars is None:
            raise refused("--bars", None, "is missing", "say which bars to write, such as --bars 4-8")
        return None
    for option, value in (("--bars", asked.bars), ("--track", asked.track)):
        if value:
            raise refused(option, value, "and --request both say what is written", "keep one of them")
    if asked.music != Music() or asked.context != Context():
        raise refused("--request", str(asked.request), "holds the musical controls and context", "put them there")
    from midigpt_cli.wishes import read_request

    return read_request(asked.request, asked.settings)


def _request(asked: Infill, score: Score, table: AttributeTable) -> GenerationRequest:
    from midigpt_cli.selectors import select_bars, select_tracks
    from midigpt_cli.wishes import Wishes, build_request

    bars = select_bars(asked.bars or "", score.n_bars, heard=score.heard_bars)
    tracks = select_tracks(asked.track or ["all"], score)
    return build_request(
        Wishes({number: bars for number in tracks}, asked.music, asked.context, asked.settings), score, table
    )
