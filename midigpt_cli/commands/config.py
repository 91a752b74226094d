"""`midigpt config`: which files of one's own are read, and what they and the presets say."""

from __future__ import annotations

import json
from typing import Any

import typer

from midigpt_cli.options.shared_options import AsJson


def config(as_json: AsJson = False) -> None:
    """Show presets and your own defaults, read from midigpt.toml here and in your configuration folder.

    In the file, a table per command holds its options: [infill] takes = 4; [presets.mine] temperature = 1.2.
    keep_history = false switches midigpt history off.
    """
    from midigpt_cli.config import files, presets, read

    said = read()
    if as_json:
        places = {str(file): file.is_file() for file in files()}
        typer.echo(json.dumps({"files": places, "settings": said, "presets": presets(said)}, indent=1))
        return
    for file in files():
        typer.echo(f"{file}{'' if file.is_file() else '  (not there)'}")
    for name, value in said.items():
        if name != "presets":
            typer.echo(f"{name:<12}{_words(value)}")
    for name, value in presets(said).items():
        typer.echo(f"--preset {name:<12}{_words(value)}")


def _words(value: Any) -> str:
    """Options as they are written on the command line."""
    if not isinstance(value, dict):
        return json.dumps(value)
    parts = []
    for key, one in value.items():
        for item in one if isinstance(one, list) else [one]:
            parts.append(f"--{key.replace('_', '-')}" + ("" if item is True else f" {item}"))
    return " ".join(parts)
