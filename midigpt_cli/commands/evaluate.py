"""`midigpt evaluate`: judge a model on held-out songs against floors and the original."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli.options.dataclass_options import OUTPUT, Settings, command_of, given
from midigpt_cli.options.shared_options import AsJson, ModelChoice

if TYPE_CHECKING:
    from midigpt_core.evaluate.tasks import Task
    from midigpt_core.request import InferenceConfig

TASKS = "Tasks"


@dataclass(frozen=True)
class Evaluate:
    """What is to be judged, on what, and where the report goes."""

    songs: Annotated[list[Path], typer.Argument(metavar="FOLDER|SONG...", help="MIDI files or folders.")]
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="CSV with columns path, source and split, which chooses the files.",
            rich_help_panel=TASKS,
        ),
    ] = None
    split: Annotated[str, typer.Option(help="The split to take from the manifest.", rich_help_panel=TASKS)] = "valid"
    source: Annotated[
        list[str],
        typer.Option(help="Use only these sources of the manifest.", rich_help_panel=TASKS, show_default="all"),
    ] = field(default_factory=list)
    per_kind: Annotated[int, typer.Option(help="Tasks of each kind.", min=1, rich_help_panel=TASKS)] = 24
    samplings: Annotated[int, typer.Option(help="Takes per task.", min=1, max=16, rich_help_panel=TASKS)] = 3
    task_seed: Annotated[int, typer.Option(help="Seed of the tasks.", rich_help_panel=TASKS)] = 0
    controls: Annotated[
        bool,
        typer.Option(
            "--controls/--no-controls", help="Also measure how closely attributes are followed.", rich_help_panel=TASKS
        ),
    ] = True
    listen: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write originals, takes and baselines of some tasks to this folder.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    report: Annotated[
        Path | None,
        typer.Option("--report", "-o", metavar="FILE.md", help="Write the tables as Markdown.", rich_help_panel=OUTPUT),
    ] = None
    as_json: AsJson = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)] = False
    model: ModelChoice = field(default_factory=ModelChoice)
    settings: Settings = field(default_factory=Settings)


@command_of(Evaluate)
def evaluate(options: Evaluate) -> None:
    """Evaluate a model: remove bars of held-out songs, write them again and compare with the original."""
    from midigpt_cli.load_model import Model
    from midigpt_cli.output.destination import check_folder
    from midigpt_cli.output.heartbeat import Alive
    from midigpt_core.evaluate.adherence import adherence
    from midigpt_core.evaluate.constraint_measures import constraints_met
    from midigpt_core.evaluate.evaluation_report import markdown
    from midigpt_core.evaluate.judge import judge
    from midigpt_core.evaluate.listen import write_listening_folder
    from midigpt_core.request import InferenceConfig

    if options.report:
        check_folder(options.report.parent)
    config = InferenceConfig.from_dict(given(options.settings))
    with Alive(options.quiet) as progress:
        progress.of("reading songs")
        tasks = _tasks(options)
        model = Model(options.model)
        sheet = judge(model.engine, tasks, options.samplings, config, progress.of("tasks"))
        followed = (
            adherence(model.engine, _control_tasks(tasks), config, progress.of("controls")) if options.controls else []
        )
        met = (
            constraints_met(model.engine, _control_tasks(tasks), config, progress.of("constraints"))
            if options.controls
            else []
        )
        if options.listen:
            progress.of("songs to listen to")
            write_listening_folder(model.engine, tasks[:: max(1, len(tasks) // 12)], options.listen, config=config)
    facts = {"model": model.facts()["name"], "sha256": model.facts()["sha256"], **_described(options, tasks, config)}
    summary = sheet.summary()
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(markdown(summary, followed, facts, met), encoding="utf-8")
    if options.as_json:
        typer.echo(json.dumps({**facts, "summary": summary, "controls": followed, "wishes": met}, indent=1))
    else:
        _show(summary, followed, met)


def _tasks(options: Evaluate) -> list[Task]:
    from midigpt_core.errors import MidiFileError
    from midigpt_core.evaluate.tasks import draw_tasks, held_out

    for place in options.songs:
        if not place.exists():
            raise MidiFileError(f"{place}: no such file or folder; name MIDI files, or folders of them")
    if options.manifest:
        files = [
            file
            for folder in options.songs
            for file in held_out(options.manifest, folder, options.source, options.split)
        ]
    else:
        files = [
            file for place in options.songs for file in (sorted(place.rglob("*.mid")) if place.is_dir() else [place])
        ]
    tasks = draw_tasks([file for file in files if file.exists()], options.per_kind, options.task_seed)
    if not tasks:
        raise MidiFileError(
            f"no task could be drawn from {len(files)} files; give songs of at least 8 bars that can be read"
        )
    return tasks


def _control_tasks(tasks: list[Task]) -> list[Task]:
    """Attributes are set for runs of two and four bars of one track."""
    return [task for task in tasks if task.kind in ("2 bars", "4 bars")]


def _described(options: Evaluate, tasks: list[Task], config: InferenceConfig) -> dict[str, Any]:
    from midigpt_core.request import InferenceConfig as Defaults

    usual = Defaults().to_dict()
    changed = {key: value for key, value in config.to_dict().items() if usual[key] != value}
    return {
        "tasks": len(tasks),
        "songs": len({task.file for task in tasks}),
        "samplings": options.samplings,
        "task seed": options.task_seed,
        "settings": changed or "defaults",
    }


def _show(summary: list[dict[str, Any]], followed: list[dict[str, Any]], met: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from midigpt_core.evaluate.evaluation_report import METRICS

    console = Console()
    for voice in ("all", "melodic", "bass", "drums"):
        rows = [row for row in summary if row["kind"] == "all" and row["voice"] == voice]
        rows.sort(key=lambda row: row["doer"] != "model")
        if not rows:
            continue
        table = Table(title=f"{voice} tracks", title_justify="left")
        table.add_column("")
        for row in rows:
            table.add_column(row["doer"], justify="right")
        for key, (heading, decimals, _) in METRICS.items():
            if any(key in row for row in rows):
                table.add_row(heading, *(f"{row[key][0]:.{decimals}f}" if key in row else "" for row in rows))
        console.print(table)
    if followed:
        heads = ("exact", "within one", "guided: exact", "within one")
        table = Table("control", "n", *heads, title="controls", title_justify="left")
        for row in followed:
            shares = [row[key] for key in ("exact", "within_one", "guided_exact", "guided_within_one")]
            table.add_row(str(row["control"]), str(row["n"]), *(f"{share:.2f}" for share in shares))
        console.print(table)
    if met:
        table = Table("constraint", "n", "met", "unasked", title="constraints", title_justify="left")
        for row in met:
            table.add_row(str(row["wish"]), str(row["n"]), f"{row['met']:.2f}", f"{row['unasked']:.2f}")
        console.print(table)
