"""`midigpt continue`: new bars after the end of songs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from midigpt_cli.options.dataclass_options import Settings, command_of
from midigpt_cli.options.music_options import Music
from midigpt_cli.options.shared_options import Context, Many, ModelChoice, Output, Presets, Reporting
from midigpt_cli.parse.song_reading import Reading
from midigpt_cli.parse.what_to_write import track_option
from midigpt_core.fields import refused

if TYPE_CHECKING:
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.request import GenerationRequest
    from midigpt_core.score import Score

RECENT_BARS = 8  # a track silent for longer is not taken up again unasked


@dataclass(frozen=True, kw_only=True)
class Continue:
    """The options of `continue`."""

    songs: Annotated[
        list[str], typer.Argument(metavar="SONG...", help="MIDI files or folders; - reads standard input.")
    ]
    bars: Annotated[int, typer.Option("--bars", "-b", help="Bars to write.", min=1, max=10_000)]
    start: Annotated[
        int | None,
        typer.Option(
            "--from",
            metavar="BAR",
            help="First new bar, counted from 1.",
            min=1,
            show_default="the bar after the last note",
        ),
    ] = None
    track: Annotated[list[str], track_option(f"every track that sounds in the last {RECENT_BARS} bars")] = field(
        default_factory=list
    )
    reading: Reading
    presets: Presets
    music: Music
    context: Context
    settings: Settings
    model: ModelChoice
    output: Output
    many: Many
    reporting: Reporting


@command_of(Continue)
def extend(options: Continue) -> None:
    """Write new bars after the last note, in the song's metre. Existing bars stay as they are.

    midigpt continue song.mid --bars 8
    """
    from midigpt_cli.output.destination import read_song
    from midigpt_cli.parse.song_paths import songs_in
    from midigpt_cli.run_songs import CommandOptions, CommandRun

    job = CommandRun(
        CommandOptions("continue", options.model, options.output, options.reporting, options.many),
        options.settings.num_candidates or 1,
        songs_in(options.songs),
    )

    def prepare(score: Score, table: AttributeTable) -> tuple[Score, GenerationRequest]:
        from midigpt_cli.parse.additions import extended
        from midigpt_cli.parse.build_request import RequestOptions, build_request
        from midigpt_cli.parse.named_silent_tracks import with_silent
        from midigpt_cli.parse.selectors import select_tracks

        score = with_silent(score, options.track)
        start = _start(options, score)
        new = range(start, start + options.bars)
        tracks = select_tracks(options.track, score) if options.track else _lately_heard(score, start)
        chosen = RequestOptions(
            {number: new for number in tracks}, options.music, options.context, options.settings, autoregressive=True
        )
        longer = extended(score, new.stop - score.n_bars)
        return longer, build_request(chosen, longer, table)

    job.run(prepare, lambda song: read_song(song, options.reading))


def _start(options: Continue, score: Score) -> int:
    """The first new bar, from 0. Raises RequestValidationError for one beyond the song's end."""
    if options.start is not None:
        if options.start > score.n_bars + 1:
            raise refused(
                "--from",
                options.start,
                "lies beyond the end",
                f"the song has {score.n_bars} bars; use 1 to {score.n_bars + 1}",
            )
        return options.start - 1
    start, silent = score.heard_bars, score.n_bars - score.heard_bars
    if silent and not options.reporting.quiet:
        bars = "the last bar is" if silent == 1 else f"the last {silent} bars are"
        typer.echo(
            f"midigpt: {bars} silent and left out: the new ones begin at bar {start + 1} "
            f"(--from {score.n_bars + 1} to begin after the silence)",
            err=True,
        )
    return start


def _lately_heard(score: Score, end: int) -> list[int]:
    recent = slice(max(0, end - RECENT_BARS), end)
    heard = [i for i, track in enumerate(score.tracks) if any(bar.n_notes for bar in track.bars[recent])]
    return heard or list(range(len(score.tracks)))
