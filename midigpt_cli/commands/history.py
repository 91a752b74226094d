"""`midigpt history` and `midigpt undo`: what was written from what, and back."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Annotated

import typer

from midigpt_cli.options.groups import AsJson


def history(
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help="A song, or a file that was written.")] = None,
    most: Annotated[int, typer.Option("--most", "-n", help="Runs to show, the newest first.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what was written from what, with seeds; `infill --from-run NUMBER` makes it again.

    MIDIGPT_HISTORY=off keeps none.

    midigpt history song.mid
    """
    from midigpt_cli.history import runs

    found = runs(file, most)
    if as_json:
        typer.echo(json.dumps([asdict(run) for run in found], indent=1))
        return
    for run in found:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.at))
        typer.echo(f"{run.id:>5}  {day}  {run.command}  {run.song}  seed {run.seed}  {run.model}")
        for path in run.files:
            typer.echo(f"       -> {path}")


def undo(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files that midigpt wrote.")],
    force: Annotated[bool, typer.Option("--force", "-f", help="Even if they were changed since.")] = False,
) -> None:
    """Take back the last write to these files: what they held before comes back, or they go.

    midigpt undo song.infill.mid
    """
    from midigpt_cli.history import undo as take_back

    for file in files:
        typer.echo(take_back(file, force), err=True)
