"""`midigpt models`: which models there are, fetch them, remove them, choose the default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from midigpt_cli.commands.publish import pack, push

app = typer.Typer(help="List, download, inspect and delete models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name from the list, a file, or owner/repo[@revision]:file.")]
MaybeName = Annotated[str | None, typer.Argument(help="A name from the list, a file, or owner/repo:file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit on the hub.")]
Filename = Annotated[str | None, typer.Option(help="File in the repository, if the name is owner/repo.")]
Token = Annotated[str | None, typer.Option(help="Hub access token (default: HF_TOKEN or the saved login).")]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List named and downloaded models, and the default."""
    from midigpt_core.model.names import default_model

    rows = _rows(default_model())
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("", "name", "on this machine", "about", box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row("*" if row["default"] else "", row["name"], _size(row["bytes"]) or "-", row["about"])
    Console().print(table)
    typer.echo("* the default; change it with: midigpt models default NAME")


@app.command()
def info(name: MaybeName = None, as_json: AsJson = False) -> None:
    """Show a downloaded model's size, shape and encoder settings."""
    facts = _facts(_local(name))
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    width = max(map(len, facts)) + 2
    for key, value in facts.items():
        typer.echo(f"{key:<{width}}{_text(value)}")


@app.command()
def pull(
    name: Name, revision: Revision = None, filename: Filename = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Download a model, or its newest version, and check it."""
    from midigpt_core.model.hub import resolve

    file = resolve(name, filename=filename, revision=revision, token=token, refresh=True)
    _show_file(name, file, as_json)


@app.command()
def path(name: MaybeName = None, as_json: AsJson = False) -> None:
    """Print the path of a downloaded model."""
    from midigpt_core.model.names import default_model

    _show_file(name or default_model(), _local(name), as_json)


@app.command()
def rm(name: Name, as_json: AsJson = False) -> None:
    """Delete a downloaded model."""
    from midigpt_core.errors import CheckpointError
    from midigpt_core.model import hub_cache, names

    reference = names.understand(name)
    if isinstance(reference, Path):
        raise CheckpointError(f"{reference}: only downloaded models are removed here; delete your own files yourself")
    freed = hub_cache.remove(reference)
    typer.echo(json.dumps({"name": name, "freed_bytes": freed}) if as_json else f"{name}: {_size(freed)} freed")


@app.command()
def default(name: MaybeName = None, as_json: AsJson = False) -> None:
    """Show or change the default model."""
    from midigpt_core.model import names

    if name:
        names.set_default_model(name)
    chosen = names.default_model()
    typer.echo(json.dumps({"default": chosen}) if as_json else chosen)


app.command()(pack)
app.command()(push)


def _local(name: str | None) -> Path:
    """The model's file on this machine; CheckpointError, with the way to get it, if it is not here."""
    from midigpt_core.errors import CheckpointError
    from midigpt_core.model import hub_cache, names

    reference = names.understand(name or names.default_model())
    if isinstance(reference, Path):
        if not reference.exists():
            raise CheckpointError(f"{reference}: no such file; see midigpt models list for names that work")
        return reference
    file = hub_cache.cached_file(reference)
    if file is None:
        raise CheckpointError(
            f"model {reference} is not on this machine; fetch it with: midigpt models pull {reference}"
        )
    return file


def _rows(default_name: str) -> list[dict[str, Any]]:
    """Known names first, then whatever else is downloaded."""
    from midigpt_core.errors import CheckpointError
    from midigpt_core.model import hub_cache, names

    rows, shown = [], set()
    for known in names.KNOWN:
        try:
            file: Path | None = _local(known.name)
        except CheckpointError:
            file = None
        shown.add(file)
        rows.append(_row(known.name, file, known.about))
    for repo, file in hub_cache.downloaded():
        if file not in shown:
            name = file.relative_to(next(parent for parent in file.parents if parent.parent.name == "snapshots"))
            rows.append(_row(f"{repo}:{name.as_posix()}", file, "downloaded"))
    if default_name not in [row["name"] for row in rows]:
        rows.append(_row(default_name, Path(default_name) if Path(default_name).exists() else None, "your default"))
    return [{**row, "default": row["name"] == default_name} for row in rows]


def _row(name: str, file: Path | None, about: str) -> dict[str, Any]:
    size = file.stat().st_size if file else None
    return {"name": name, "path": str(file) if file else None, "bytes": size, "about": about}


def _facts(file: Path) -> dict[str, Any]:
    """What the file says of itself; a .pt bundle or folder has to be loaded for that."""
    if file.suffix == ".safetensors":
        from midigpt_core.model.checkpoint import read_metadata

        facts = read_metadata(file)
        shape, encoder = facts.pop("config"), facts.pop("encoder_config")
    else:
        from midigpt_core.model.checkpoint import load_checkpoint

        loaded = load_checkpoint(file)
        shape, encoder = loaded.model.config_dict(), loaded.encoder_config.to_dict()
        facts = {"parameters": loaded.model.num_parameters()}
    wanted = ("num_bars_map", "resolution", "velocity_levels", "supports_infill", "supports_mask_bar_token")
    return {"path": str(file), **facts, **shape, **{key: encoder[key] for key in wanted if key in encoder}}


def _show_file(name: str, file: Path, as_json: bool) -> None:
    facts = {"name": name, "path": str(file), "bytes": file.stat().st_size}
    typer.echo(json.dumps(facts) if as_json else str(file))


def _size(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.1f} MB"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
