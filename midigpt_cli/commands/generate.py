"""`midigpt generate`: music from nothing, or a new track for a song."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midigpt_cli.options import completion
from midigpt_cli.options.dataclass_options import Settings, command_of
from midigpt_cli.options.music_options import Music
from midigpt_cli.options.shared_options import Context, ModelChoice, Output, Presets, Reporting
from midigpt_cli.parse.song_reading import Reading
from midigpt_core.fields import refused
from midigpt_core.music import metre_of, tempo_of

if TYPE_CHECKING:
    from midigpt_cli.parse.prompt_options import PromptOptions
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.request import GenerationRequest
    from midigpt_core.score import Bar, Score, Track

USUAL_BARS = 8
USUAL_TEMPO, USUAL_METRE = 120.0, "4/4"
RESOLUTION = 480  # ticks per quarter note of a new file


@dataclass(frozen=True, kw_only=True)
class Generate:
    """The options of `generate`."""

    bars: Annotated[
        int | None,
        typer.Option("--bars", "-b", help="Bars to write.", min=1, show_default=f"{USUAL_BARS}, or all of the song's"),
    ] = None
    instrument: Annotated[
        list[str],
        typer.Option(
            "--instrument",
            "-i",
            help="Add a track for this General MIDI instrument (repeatable; help lists them).",
            autocompletion=completion.instruments,
        ),
    ] = field(default_factory=list)
    drums: Annotated[bool, typer.Option("--drums", help="Add a drum track.")] = False
    tempo: Annotated[
        float | None, typer.Option(help="Quarter notes per minute.", min=4, max=1000, show_default=f"{USUAL_TEMPO:g}")
    ] = None
    metre: Annotated[
        str | None, typer.Option("--metre", "--meter", help="Time signature.", show_default=USUAL_METRE)
    ] = None
    to: Annotated[
        str | None,
        typer.Option(metavar="SONG", help="Song to add the tracks to, in its tempo and metre; - reads standard input."),
    ] = None
    reading: Reading
    presets: Presets
    music: Music
    context: Context
    settings: Settings
    model: ModelChoice
    output: Output
    reporting: Reporting


@command_of(Generate)
def generate(options: Generate) -> None:
    """Write a new piece, track by track, or add tracks to a song.

    midigpt generate -o new.mid --instrument piano --instrument "acoustic bass" --drums
    """
    if "help" in options.instrument:
        from midigpt_cli.parse.instruments import NAMES

        typer.echo("\n".join(NAMES))
        return
    from midigpt_cli.output.destination import read_song
    from midigpt_cli.parse.prompt_options import PromptOptions, report_prompt
    from midigpt_cli.run_songs import CommandOptions, CommandRun

    prompted = PromptOptions.of(options.music.prompt, options.instrument, options.drums)
    options = _as_prompted(options, prompted)
    tracks = _new_tracks(options)
    if options.to is None and options.output.output is None:
        raise refused("--output", None, "is missing", "name the file to write: -o new.mid")
    told = CommandOptions(
        "generate",
        options.model,
        options.output,
        options.reporting,
        understood=report_prompt(prompted, options.reporting),
    )
    job = CommandRun(told, options.settings.num_candidates or 1, {options.to or "new": Path()})

    def prepare(score: Score, table: AttributeTable) -> tuple[Score, GenerationRequest]:
        from midigpt_cli.parse.build_request import RequestOptions, build_request

        old = len(score.tracks)
        longer = _with_tracks(score, tracks, _metres(options, score))
        bars = range(min(options.bars or longer.n_bars, longer.n_bars))
        new = {old + i: bars for i in range(len(tracks))}
        chosen = RequestOptions(
            new, options.music, options.context, options.settings, autoregressive=options.to is None
        )
        return longer, build_request(chosen, longer, table)

    if options.to:
        job.run(prepare, lambda song: read_song(song, options.reading))
    else:
        job.run(prepare, lambda song: _nothing(options))


def _as_prompted(options: Generate, prompted: PromptOptions) -> Generate:
    """The options with what a prompt in words says where they are silent."""
    found = replace(
        options,
        instrument=prompted.instruments,
        drums=prompted.drums,
        tempo=prompted.over("--tempo", options.tempo, "bpm"),
        metre=prompted.over("--metre", options.metre, "metre"),
        bars=prompted.over("--bars", options.bars, "bars"),
    )
    prompted.beside(options.music)
    return found


def _new_tracks(options: Generate) -> list[Track]:
    from midigpt_cli.parse.instruments import NAMES, program_of
    from midigpt_core.score import DRUM, Track

    programs = [program_of(name) for name in options.instrument]
    tracks = [Track(instrument=program, name=NAMES[program]) for program in programs]
    if options.drums:
        tracks.append(Track(track_type=DRUM, name="Drums", channel=9))
    if not tracks:
        raise refused("--instrument", None, "is missing", "name an instrument, or add --drums")
    return tracks


def new_score(instruments: list[str], drums: bool, tempo: float, metre: str, bars: int) -> Score:
    """Empty tracks for these instruments, `tempo` in quarter notes per minute. Raises RequestValidationError."""
    options = Generate(
        bars=bars,
        instrument=instruments,
        drums=drums,
        tempo=tempo,
        metre=metre,
        presets=Presets(),
        music=Music(),
        context=Context(),
        settings=Settings(),
        model=ModelChoice(),
        output=Output(),
        reporting=Reporting(),
        reading=Reading(),
    )
    nothing = _nothing(options)
    return _with_tracks(nothing, _new_tracks(options), _metres(options, nothing))


def _nothing(options: Generate) -> Score:
    from midigpt_core.score import Score

    return Score([], RESOLUTION, tempo_of(options.tempo or USUAL_TEMPO))


def _metres(options: Generate, score: Score) -> list[Bar]:
    """Empty bars for the new tracks: the song's, or as many as requested."""
    from midigpt_core.score import Bar

    if score.n_bars:
        longest = max((track.bars for track in score.tracks), key=len)
        return [replace(bar, notes=[], future=False) for bar in longest]
    metre = metre_of(options.metre or USUAL_METRE)
    if metre is None or metre[1] not in (1, 2, 4, 8, 16, 32, 64):
        raise refused("--metre", options.metre, "is not a time signature", "write 4/4, 3/4, 6/8, ...")
    return [Bar([], *metre)] * (options.bars or USUAL_BARS)


def _with_tracks(score: Score, tracks: list[Track], metres: list[Bar]) -> Score:
    new = [replace(track, bars=[replace(bar, notes=[]) for bar in metres]) for track in tracks]
    return replace(score, tracks=[*score.tracks, *new])
