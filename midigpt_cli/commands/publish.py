"""`midigpt models pack` and `push`: hand a trained model on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from midigpt_core.fields import nearest, refused

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def pack(  # noqa: PLR0913
    origin: Annotated[Path, typer.Argument(help="A training folder (for its latest weights) or a checkpoint.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .safetensors file to write.")],
    name: Annotated[str | None, typer.Option(help="Name on the model card.", show_default="the file's name")] = None,
    licence: Annotated[str, typer.Option("--licence", "--license", help="SPDX name, e.g. CC-BY-SA-4.0.")] = "unknown",
    dtype: Annotated[str, typer.Option(help="Type of the weights: float16, bfloat16 or float32.")] = "float16",
    eight_bit: Annotated[
        bool,
        typer.Option(
            "--eight-bit",
            help="Round weights to 8 bits as the CPU decoder does, so that all devices give the same music.",
        ),
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Data set, to list its sources on the card.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite files that exist.")] = False,
    as_json: AsJson = False,
) -> None:
    """Pack a model into one file, with metadata (.json) and a model card (README.md) beside it."""
    from midigpt_core.train.pack import DTYPES, PackOptions, parts_of
    from midigpt_core.train.pack import pack as write

    if dtype not in DTYPES:
        raise refused("--dtype", dtype, "is not known", nearest(dtype, DTYPES))
    for file in parts_of(out):
        if file.exists() and not force:
            raise refused("--out", str(file), "exists", "add --force to overwrite it, or choose another folder")
    options = PackOptions(name or out.stem, licence, dtype, str(data) if data else None, eight_bit)
    facts = write(origin, out, options)
    typer.echo(json.dumps(facts, indent=1) if as_json else f"{out}: {facts['bytes'] / 1e6:.1f} MB, {facts['dtype']}")


def push(
    file: Annotated[Path, typer.Argument(help="A packed model.")],
    repo: Annotated[str, typer.Argument(help="Repository on the hub, owner/name; created if it does not exist.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    token: Annotated[str | None, typer.Option(help="Hub access token (default: HF_TOKEN or the saved login).")] = None,
) -> None:
    """Upload a packed model with its card to the hub."""
    from midigpt_core.train.pack import push as upload

    typer.echo(upload(file, repo, private, token))
