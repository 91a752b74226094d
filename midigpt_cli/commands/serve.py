"""`midigpt serve`: the same music over HTTP, for many callers at once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints

import typer

from midigpt_cli.options import completion
from midigpt_cli.options.dataclass_options import command_of
from midigpt_cli.options.shared_options import device_in, threads_in
from midigpt_cli.server.listen_address import check_address
from midigpt_cli.server.server_settings import ANY_ADDRESS, LOOPBACK, ServerSettings, reached_at
from midigpt_core.errors import MidiGptError
from midigpt_core.fields import Door, nearest, read, refused

MODELS, SERVER = "Models", "Server"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Served:
    """Which models, and where they run."""

    ckpt: Annotated[
        str | None, typer.Option(metavar="PATH", help="A checkpoint file or folder.", rich_help_panel=MODELS)
    ] = None
    pretrained: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|REPO",
            help="A model by name (see midigpt models list), or a hub repository.",
            rich_help_panel=MODELS,
            autocompletion=completion.models,
        ),
    ] = None
    hf_filename: Annotated[
        str | None, typer.Option(metavar="FILE", help="File in that repository.", rich_help_panel=MODELS)
    ] = None
    model: Annotated[
        list[str],
        typer.Option(metavar="ID=REF", help="Serve a model under an id (repeatable).", rich_help_panel=MODELS),
    ] = field(default_factory=list)
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="Models and settings; options override it.", rich_help_panel=MODELS),
    ] = None
    device: Annotated[str, device_in(MODELS)] = "auto"
    threads: Annotated[int, threads_in(MODELS)] = 0


def _options() -> type:
    """One option per field of ServerSettings; None stands for not given."""
    rows: list[tuple[str, Any, Any]] = []
    kinds = get_type_hints(ServerSettings)
    for option in dataclasses.fields(ServerSettings):
        meta, kind = option.metadata, kinds[option.name]
        many = get_origin(kind) is tuple
        extra: dict[str, Any] = {"help": meta["help"][0].upper() + meta["help"][1:] + ".", "rich_help_panel": SERVER}
        extra["show_default"] = str(option.default) if option.default not in ("", (), False) else False
        if kind in (int, float):
            extra |= {"min": meta["low"], "max": meta["high"]}
        if "env" in meta:
            extra["envvar"] = meta["env"]
        names = (f"--{option.name.replace('_', '-')}",) if kind is bool else ()
        shape: Any = list[str] if many else kind | None
        annotation = Annotated[shape, typer.Option(*names, **extra)]
        rows.append((option.name, annotation, field(default_factory=list) if many else field(default=None)))
    return dataclasses.make_dataclass("Listening", rows, frozen=True, namespace={"__module__": __name__})


if TYPE_CHECKING:
    Listening = ServerSettings  # with None where an option was not given
else:
    Listening = _options()


@dataclass(frozen=True)
class Serve:
    """The options of `serve`."""

    served: Served
    listening: Listening
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR.", show_default="INFO")] = None
    log_format: Annotated[str, typer.Option(help="text, or json: one object per line.")] = "text"


@command_of(Serve)
def serve(options: Serve) -> None:
    """Serve models over HTTP: the default model unless you name others, for this machine only unless you set --host.

    midigpt serve --port 8000 --api-key SECRET --host 0.0.0.0
    """
    app, settings = application(options)
    from midigpt_cli.server.lifecycle import serve as run

    for line in greeting(settings, list(app.state.midigpt.models.by_id)):
        typer.echo(line, err=True)
    run(app, settings)


def application(options: Serve, listens: bool = True) -> tuple[Any, ServerSettings]:
    """The server that the options ask for, its models loaded; `listens`: at its address, and not behind Ray Serve.

    Raises MidiGptError where the extra is not installed, RequestValidationError where it cannot listen there.
    """
    try:
        from midigpt_cli.server import logs
        from midigpt_cli.server.app import create_app
    except ImportError as error:
        raise MidiGptError(
            f"{error.name} is missing; install the server with: pip install 'midigpt-cli[serve]'"
        ) from error

    specs, default, settings, level = _plan(options)
    if listens:
        check_address(settings.host, settings.port)
    logs.configure(
        _one_of("--log-level", (options.log_level or level).upper(), LEVELS), _log_format(options.log_format)
    )
    from midigpt_cli.server.loaded_models import Models

    _use_threads(options.served.threads)
    models = Models([spec.load(settings.max_lanes) for spec in specs], default)
    return create_app(models, settings), settings


def greeting(settings: ServerSettings, models: Sequence[str]) -> list[str]:
    """What is said at the start."""
    place = "at every address of this machine, here" if settings.host in ANY_ADDRESS else "on"
    url = f"http://{reached_at(settings.host)}:{settings.port}"
    lines = [f"serving {', '.join(models)} {place} {url} (try /studio or /docs; Ctrl-C stops)"]
    if settings.host in LOOPBACK:
        lines.append("only this machine can reach it; open it with --host 0.0.0.0 --api-key SECRET")
    elif not settings.api_key:
        lines.append("anybody who can reach this address may use it; ask for a key with --api-key SECRET")
    return lines


def _plan(options: Serve) -> tuple[Any, str | None, ServerSettings, str]:
    """(models to load, default id, settings, log level); what the command line says wins over the file."""
    from midigpt_cli.server.loaded_models import specs_from_file

    known = [option.name for option in dataclasses.fields(ServerSettings)]
    specs: list[Any] = []
    default, from_file = None, dict[str, Any]()
    if options.served.config is not None:
        if options.served.ckpt or options.served.pretrained or options.served.model:
            raise refused("--config", str(options.served.config), "and other models exclude each other", "keep one")
        specs, default, from_file = specs_from_file(str(options.served.config), [*known, "log_level"])
    level = str(from_file.pop("log_level", "INFO"))
    given = {name: getattr(options.listening, name) for name in known}
    told = {name: value for name, value in given.items() if value not in (None, [])}
    return specs or _specs(options.served), default, _settings({**from_file, **told}), level


def _settings(values: Mapping[str, Any]) -> ServerSettings:
    kinds = get_type_hints(ServerSettings)
    given = {
        name: [value] if get_origin(kinds[name]) is tuple and not isinstance(value, (list, tuple)) else value
        for name, value in values.items()
    }
    return read(ServerSettings, given, "", Door(ranges=False))  # its ranges are looked at when it is made


def _specs(served: Served) -> list[Any]:
    from midigpt_cli.server.loaded_models import ModelSpec
    from midigpt_core.model.names import default_model

    if sum(map(bool, (served.ckpt, served.pretrained, served.model))) > 1:
        raise refused("--ckpt", served.ckpt, "--pretrained and --model exclude each other", "use --model for several")
    device = served.device
    if served.ckpt:
        return [ModelSpec(Path(served.ckpt).stem, served.ckpt, device=device, local=True)]
    if served.pretrained:
        return [ModelSpec(_id(served.pretrained), served.pretrained, served.hf_filename, device=device)]
    specs = []
    for text in served.model:
        name, sign, reference = text.partition("=")
        specs.append(ModelSpec(name if sign else Path(text).stem, reference if sign else text, device=device))
    twice = {spec.id for spec in specs if [other.id for other in specs].count(spec.id) > 1}
    if twice:
        raise refused("--model", sorted(twice), "name the same id twice", "give every model its own: id=reference")
    return specs or [_from_environment(device) or ModelSpec(_id(default_model()), default_model(), device=device)]


def _id(reference: str) -> str:
    """The id a model is served under unless one is given."""
    from midigpt_core.model.names import shown

    name = shown(reference)
    return name if name == reference else Path(name).stem


def _from_environment(device: str) -> Any:
    """The checkpoint that MRT_CKPT_REPO and MRT_CKPT_STEP name, as Magenta RealTime's server reads them, or None."""
    from midigpt_cli.parse.magenta import named_checkpoint
    from midigpt_cli.server.loaded_models import ModelSpec

    repo, step = os.environ.get("MRT_CKPT_REPO"), os.environ.get("MRT_CKPT_STEP")
    if not repo:
        return None
    reference = named_checkpoint(repo, step)
    return ModelSpec(f"checkpoint_{step}" if step else Path(repo).name, reference, device=device)


def _one_of(option: str, word: str, words: Sequence[str]) -> str:
    if word not in words:
        raise refused(option, word, "is not known", nearest(word, words))
    return word


def _log_format(word: str) -> str:
    return _one_of("--log-format", word, ("text", "json"))


def _use_threads(count: int) -> None:
    if count:
        from midigpt_core.model.threads import set_threads

        set_threads(count)
