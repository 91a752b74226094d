"""Options that commands share, as small dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from midigpt_cli.options import completion
from midigpt_cli.options.dataclass_options import MODEL, MUSIC, OUTPUT, PLAN, labelled

Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite files that exist.", rich_help_panel=OUTPUT)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=OUTPUT)]
NewInstruments = Annotated[
    list[str],
    typer.Option(
        "--instrument",
        "-i",
        help="From scratch: a track for this instrument (repeatable).",
        autocompletion=completion.instruments,
    ),
]
NewDrums = Annotated[bool, typer.Option("--drums", help="From scratch: a drum track.")]


def device_in(panel: str) -> Any:
    """The option that says where a model runs."""
    return typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=panel, autocompletion=completion.devices)


def threads_in(panel: str) -> Any:
    """The option that says on how many processor threads."""
    return typer.Option(help="CPU threads (0: one per core).", min=0, rich_help_panel=panel)


def _tracks(label: str, text: str) -> Any:
    option = typer.Option(metavar="TRACK", help=text, rich_help_panel=PLAN, autocompletion=completion.tracks)
    return labelled(label, option)


@dataclass(frozen=True)
class ModelChoice:
    """Which model, and where it runs."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="A name (see midigpt models list), a file, or owner/repo:file.",
            show_default="the default model",
            rich_help_panel=MODEL,
            autocompletion=completion.models,
        ),
    ] = None
    device: Annotated[str, device_in(MODEL)] = "auto"
    dtype: Annotated[
        str,
        typer.Option(
            help="auto (on a CPU: compiled, 8-bit weights), float32, bfloat16 or float16.",
            rich_help_panel=MODEL,
            autocompletion=completion.dtypes,
        ),
    ] = "auto"
    threads: Annotated[int, threads_in(MODEL)] = 0


@dataclass(frozen=True)
class Output:
    """Where the result goes."""

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR|-",
            help="Output file, folder, or - for standard output.",
            show_default="beside the song",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    filename: Annotated[
        str | None,
        typer.Option(
            metavar="TEMPLATE",
            help="File name template: {stem}, {take}, {rank}, {seed}, {command}, {ext}.",
            show_default="{stem}.{command}.{take}.{ext}",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    force: Force = False
    keep_best: Annotated[
        int,
        typer.Option(help="Write only the N best takes, best first (0: all).", min=0, rich_help_panel=OUTPUT),
    ] = 0
    render: Annotated[
        str | None,
        typer.Option(
            metavar="FORMATS",
            help="Also render each file: wav, mp3, flac, ogg, png, svg, pdf (comma-separated).",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    play: Annotated[
        bool,
        typer.Option(
            "--play",
            help="Hear the takes before saving: 1-9 choose a take, 0 the original, Enter keeps one.",
            rich_help_panel=OUTPUT,
        ),
    ] = False
    allow_partial: Annotated[
        bool,
        typer.Option(
            "--allow-partial", help="Write the best attempt even if every one was rejected.", rich_help_panel=OUTPUT
        ),
    ] = False


@dataclass(frozen=True)
class Many:
    """How a command goes through many songs."""

    jobs: Annotated[
        int,
        typer.Option(
            help="Songs written at once (faster on a GPU).",
            min=1,
            max=256,
            rich_help_panel=OUTPUT,
        ),
    ] = 1
    manifest: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Add a line of JSON per finished song: outputs, seed, scores or the error.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Skip songs that the manifest lists as finished.", rich_help_panel=OUTPUT),
    ] = False
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="auto|local|ADDRESS",
            help="Write the songs on a Ray cluster: auto finds one, local starts one here, or give HOST:PORT.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    workers: Annotated[
        int,
        typer.Option(
            help="Workers on the cluster, each with a model and --jobs songs (0: one per CPU core, or per GPU with "
            "--device cuda).",
            min=0,
            max=100_000,
            rich_help_panel=OUTPUT,
        ),
    ] = 0


@dataclass(frozen=True)
class Reporting:
    """What is said while and after the work is done."""

    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and write nothing.", rich_help_panel=OUTPUT)
    ] = False
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON object.", rich_help_panel=OUTPUT)
    ] = False
    json_lines: Annotated[
        bool,
        typer.Option(
            "--json-lines", help="Print a JSON object per song as soon as it is done.", rich_help_panel=OUTPUT
        ),
    ] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=OUTPUT)] = False
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Log steps, rejected attempts and relaxed constraints.", rich_help_panel=OUTPUT
        ),
    ] = False
    progress: Annotated[
        bool | None,
        typer.Option(
            "--progress/--no-progress",
            help="Show progress bar by bar.",
            rich_help_panel=OUTPUT,
            show_default="on a terminal",
        ),
    ] = None

    @property
    def to_program(self) -> bool:
        """Whether standard output is for JSON alone."""
        return self.as_json or self.json_lines


@dataclass(frozen=True)
class Presets:
    """A handful of options under one name; they are put in place of the options' defaults before this is read."""

    preset: Annotated[
        str | None,
        typer.Option(
            help="A set of options: busier, sparser, simpler, fill, halftime, or your own (see midigpt config).",
            rich_help_panel=MUSIC,
            autocompletion=completion.presets,
        ),
    ] = None


@dataclass(frozen=True)
class Context:
    """What the model sees beside the bars it writes."""

    ignore_track: Annotated[list[str], _tracks("Tracks to hide", "Track to hide from the model (repeatable).")] = field(
        default_factory=list
    )
    mask_bars: Annotated[
        list[str],
        labelled(
            "Bars to hide",
            typer.Option(metavar="[TRACK/]BARS", help="Bars to hide from the model.", rich_help_panel=PLAN),
        ),
    ] = field(default_factory=list)
    context_drop: Annotated[
        list[str], _tracks("Tracks to drop first", "Track to drop first when the context is too long.")
    ] = field(default_factory=list)
    context_keep: Annotated[list[str], _tracks("Tracks to keep", "Track never to drop.")] = field(default_factory=list)
