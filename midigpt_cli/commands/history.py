"""`midigpt history` and `midigpt undo`: what was written from what, and back."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Annotated

import typer

from midigpt_cli.options.shared_options import AsJson


def history(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Show runs that read or wrote this file.")
    ] = None,
    most: Annotated[int, typer.Option("--most", "-n", help="Runs to show, newest first.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """List earlier runs with songs and seeds; `infill --from-run NUMBER` repeats one.

    MIDIGPT_HISTORY=off switches the history off.

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
    force: Annotated[bool, typer.Option("--force", "-f", help="Undo even if the file has changed since.")] = False,
) -> None:
    """Undo the last write to these files: restore what they held before, or delete new ones.

    midigpt undo song.infill.mid
    """
    from midigpt_cli.history import undo as take_back

    for file in files:
        typer.echo(take_back(file, force), err=True)
