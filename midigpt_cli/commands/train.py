"""`midigpt train`: turn MIDI files into a data set, and a data set into a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Train a model on your own MIDI files, or fine-tune one.", no_args_is_help=True)

BUILT_IN_ENCODER = "open"

Places = Annotated[list[Path], typer.Argument(help="Folders, archives (.zip, .tar.*) or MIDI files.")]
Data = Annotated[Path, typer.Argument(help="Folder made by `midigpt train prepare`.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder to write.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def prepare(  # noqa: PLR0913
    places: Places,
    out: Out,
    encoder: Annotated[
        str, typer.Option(help="Encoder JSON or checkpoint that defines the tokens.")
    ] = BUILT_IN_ENCODER,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="CSV with a path column, and optionally source, piece, split and tier; only its files are used."
        ),
    ] = None,
    valid_share: Annotated[
        float, typer.Option(help="Share of pieces to hold out for validation.", min=0, max=0.9)
    ] = 0.05,
    min_bars: Annotated[int, typer.Option(help="Skip files with fewer bars.", min=1)] = 4,
    min_notes: Annotated[int, typer.Option(help="Skip files with fewer notes.", min=1)] = 30,
    any_key: Annotated[bool, typer.Option(help="Treat the same piece in another key as a duplicate.")] = False,
    processes: Annotated[int, typer.Option(help="Parsing processes.", min=1)] = 2,
    as_json: AsJson = False,
) -> None:
    """Parse, deduplicate, split and tokenise MIDI files."""
    from midigpt_cli.output.heartbeat import Alive
    from midigpt_core.train.prepare import PrepareOptions
    from midigpt_core.train.prepare import prepare as run_prepare
    from midigpt_core.train.summary import as_text

    options = PrepareOptions(
        manifest=str(manifest) if manifest else None,
        valid_share=valid_share,
        min_bars=min_bars,
        min_notes=min_notes,
        any_key=any_key,
        processes=processes,
    )
    with Alive() as progress:
        result = run_prepare(places, out, _encoder(encoder), options, progress.of("files"))
    typer.echo(json.dumps(result, indent=1) if as_json else as_text(result))


@app.command()
def run(  # noqa: PLR0913
    data: Data,
    out: Out,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings (see docs/finetuning.md).")] = None,
    init: Annotated[str | None, typer.Option(help="Checkpoint or model name to fine-tune, e.g. open.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the last state in the folder.")] = False,
    decay_from: Annotated[
        Path | None,
        typer.Option(help="Start from the state of the run in this folder and let the learning rate fall to zero."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps (default: from the settings).", min=1)] = None,
    time_budget: Annotated[
        str | None, typer.Option(help="Train for this time, e.g. 90s, 30m, 2h; the schedule adapts.")
    ] = None,
    devices: Annotated[str, typer.Option(help="Devices per machine: number or auto.")] = "auto",
    nodes: Annotated[int, typer.Option(help="Machines.", min=1)] = 1,
    as_json: AsJson = False,
) -> None:
    """Train, or fine-tune with --init; the folder's latest.safetensors is usable at any time."""
    from dataclasses import replace

    from midigpt_cli.gc_tuning import collect_as_usual
    from midigpt_core.model.hub import resolve
    from midigpt_core.train.launch import RunPlan
    from midigpt_core.train.training_config import FINE_TUNING, load_config
    from midigpt_core.train.training_run import train as run_train

    settings = load_config(config) if config or not init else FINE_TUNING
    plan = RunPlan(
        data=str(data),
        out=str(out),
        init=str(resolve(init)) if init else None,
        resume=resume,
        decay_from=str(decay_from) if decay_from else None,
        seconds=_seconds(time_budget) if time_budget else None,
        devices=int(devices) if devices.isdecimal() else devices,
        nodes=nodes,
    )
    settings = replace(settings, steps=steps) if steps else settings
    collect_as_usual()
    result = run_train(plan, settings, show := _Lines())
    typer.echo(json.dumps(result, indent=1) if as_json else show.closing(result, out))


def _encoder(name: str) -> Any:
    """The encoder configuration in a JSON file or a checkpoint, or the built-in one."""
    from midigpt_core.model.checkpoint import read_metadata
    from midigpt_core.model.hub import resolve
    from midigpt_core.tokens.encoder_config import EncoderConfig
    from midigpt_core.train.prepare import OPEN_ENCODER

    if name == BUILT_IN_ENCODER:
        return EncoderConfig.load(OPEN_ENCODER)
    if name.endswith(".json"):
        return EncoderConfig.load(name)
    return EncoderConfig.from_dict(read_metadata(resolve(name))["encoder_config"])


def _seconds(text: str) -> float:
    """90s, 30m, 2h or plain seconds."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1.0)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise typer.BadParameter(
            f"{text!r} is not a time; write 90s, 30m or 2h, for example", param_hint="--time-budget"
        )
    return seconds


class _Lines:
    """Reports of a run as lines on standard error; remembers the first and the last valid loss."""

    def __init__(self) -> None:
        self._first: float | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        line = getattr(self, f"_{event['kind']}")(event)
        if line:
            typer.echo(line, err=True)

    def closing(self, result: dict[str, Any], out: Path) -> str:
        """The last words: where the model is, and the held-out loss before and after."""
        after = result["valid"].get("written")
        gain = "" if after is None or self._first is None else f"; held-out loss {self._first:.3f} -> {after:.3f}"
        return f"{out / 'latest.safetensors'}: {result['step']} steps, {result['tokens']:,} tokens{gain}"

    def _start(self, event: dict[str, Any]) -> str:
        return f"{event['parameters'] / 1e6:.1f} M parameters, from step {event['step']}"

    def _step(self, event: dict[str, Any]) -> str:
        minutes, memory = event["remaining"] / 60, event["memory"] / 2**30
        rate = f"{event['rate']:,.0f} tokens/s, {minutes:.1f} min left, {memory:.1f} GiB at most"
        return f"step {event['step']}  loss {event['loss']:.3f}  {rate}"

    def _valid(self, event: dict[str, Any]) -> str:
        loss = event["losses"]["written"]
        self._first = loss if self._first is None else self._first
        return f"step {event['step']}  held-out loss {loss:.3f} nats per written token"

    def _saved(self, event: dict[str, Any]) -> str:
        return f"saved {event['file']}"

    def _done(self, event: dict[str, Any]) -> str:
        return ""
