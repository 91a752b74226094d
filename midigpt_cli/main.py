"""The `midigpt` command: which commands there are, and how an error becomes a message and an exit code."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from midigpt_cli import config
from midigpt_cli.exit_codes import DONE, FAILURE, INTERRUPTED, TABLE, USAGE, code_of
from midigpt_cli.gc_tuning import stop_collecting
from midigpt_cli.options import shells
from midigpt_cli.options.short_help import FoldedCommand
from midigpt_cli.output.streams import open_all
from midigpt_core.errors import MidiGptError

UsageError: Any = typer.BadParameter.__mro__[1]  # the parser's own, wherever this version of typer keeps it
NoCommandError: Any = getattr(sys.modules[UsageError.__module__], "NoArgsIsHelpError", ())  # () in older ones
HELP = {"help_option_names": ["--help", "-h"]}  # handed on to every command


class CommandRow(NamedTuple):
    """One command, loaded on demand so that the others cost nothing."""

    module: str
    attribute: str  # a command function, or a Typer app for a group of commands
    help: str


COMMANDS = {
    "infill": CommandRow("infill", "infill", "Fill in bars of songs."),
    "continue": CommandRow("extend", "extend", "Add new bars to the end of songs."),
    "generate": CommandRow("generate", "generate", "Write a new piece, or add a track to a song."),
    "info": CommandRow("info", "info", "Show tracks, bars, metres, tempi and where each track plays."),
    "plan": CommandRow("plan", "plan", "Show how bars would be written."),
    "loop": CommandRow("loop", "loop", "Write variations that loop seamlessly."),
    "jam": CommandRow("jam", "jam", "Play new bars endlessly."),
    "play": CommandRow("play", "play", "Play songs, or some bars of them."),
    "render": CommandRow("render", "render", "Render a song as audio or a picture."),
    "transcribe": CommandRow("transcribe", "transcribe", "Turn audio into MIDI."),
    "history": CommandRow("history", "history", "List earlier runs with songs and seeds."),
    "undo": CommandRow("history", "undo", "Undo the last write to a file."),
    "config": CommandRow("config", "config", "Show defaults and presets."),
    "studio": CommandRow("studio", "studio", "Edit and hear a song in the browser."),
    "serve": CommandRow("serve", "serve", "Serve all of this over HTTP."),
    "osc": CommandRow("osc", "osc", "Accompany a player over Open Sound Control."),
    "models": CommandRow("models", "app", "List, download and choose models."),
    "train": CommandRow("train", "app", "Train a model on your own MIDI files, or fine-tune one."),
    "evaluate": CommandRow("evaluate", "evaluate", "Evaluate a model on held-out songs."),
}

EPILOG = (
    "Bars and tracks count from 1. Exit codes: " + "; ".join(f"{code} {text}" for code, text in TABLE.items()) + "."
)


class Commands(TyperGroup):
    """The group whose members are the rows of COMMANDS: a line each in the overview, loaded when one is run."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        row = COMMANDS.get(cmd_name)
        return TyperCommand(cmd_name, help=row.help) if row else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in COMMANDS:
            command = load(args[0])
            options = (ctx.default_map or {}).get(args[0])
            if options:
                ctx.default_map[args[0]] = config.by_parameter(command, options)
            return args[0], command, args[1:]
        near = difflib.get_close_matches(args[0].lower(), COMMANDS, 1) if args else []
        if near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """The command of this name, with its options."""
    row = COMMANDS[name]
    found = getattr(importlib.import_module(f"midigpt_cli.commands.{row.module}"), row.attribute)
    if isinstance(found, typer.Typer):
        command = typer.main.get_command(found)
    else:
        app = typer.Typer(add_completion=False)
        app.command(name, cls=FoldedCommand, help=found.__doc__)(found)
        command = typer.main.get_command(app)
    command.name = name
    return command


app = typer.Typer(
    cls=Commands, no_args_is_help=True, epilog=EPILOG, pretty_exceptions_enable=False, context_settings=HELP
)


def _say_version(wanted: bool) -> None:
    if wanted:
        import midigpt_core

        typer.echo(f"midigpt {midigpt_core.__version__}")
        raise typer.Exit


@app.callback()
def midigpt(
    version: bool = typer.Option(
        False, "--version", "-V", help="Print the version.", is_eager=True, callback=_say_version
    ),
) -> None:
    """Fill in bars of a MIDI song."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; the only place that turns an error into a sentence and an exit code."""
    open_all()
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    code = run(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody listens any more, and Python would say so
    except OSError as error:
        code = _said(f"standard output: {error.strerror}", FAILURE)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    stop_collecting()
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    if shells.ASKED in os.environ:
        shells.prepare()
    words = list(arguments) if arguments is not None else sys.argv[1:]
    try:
        own = config.defaults(words, config.read(), tuple(COMMANDS))
        outcome: Any = app(words, standalone_mode=False, prog_name="midigpt", default_map=own)
    except (typer.Abort, KeyboardInterrupt):
        return _said("interrupted", INTERRUPTED)
    except NoCommandError as error:
        typer.echo(error.message, nl=False)  # empty where the help was printed in colour
        return DONE
    except UsageError as error:
        error.show()
        return USAGE
    except MidiGptError as error:
        return _said(str(error), code_of(error))
    except (BrokenPipeError, SystemExit) as leaving:
        return _unheard(leaving)
    except ModuleNotFoundError as error:
        return _without_torch(error)
    except OSError as error:  # a full disk, a vanished folder: whatever no command saw coming
        place = f"{error.filename}: " if error.filename else ""
        return _said(f"{place}{error.strerror or error}", FAILURE)
    if outcome == INTERRUPTED:  # typer's own answer to Ctrl-C
        return _said("interrupted", INTERRUPTED)
    return outcome if isinstance(outcome, int) else DONE


def _without_torch(error: ModuleNotFoundError) -> int:
    """The answer where PyTorch was left out of the installation and is needed after all."""
    if error.name != "torch":
        raise error
    way = "`pip install torch`; on Linux without a GPU, its CPU build: see PyTorch's install page"
    return _said(f"this needs PyTorch, which is not installed: {way}", FAILURE)


def _unheard(leaving: BaseException) -> int:
    """The answer to a pipe that nobody reads any more, for which typer leaves the program by itself."""
    if isinstance(leaving, BrokenPipeError) or isinstance(leaving.__context__, BrokenPipeError):
        return DONE
    raise leaving


def _show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    """Ours as a sentence, others as Python writes them."""
    if category.__module__.startswith("midigpt"):
        typer.echo(f"midigpt: {message}", err=True)
    else:
        sys.stderr.write(warnings.formatwarning(message, category, *place[:2]))


def _said(sentence: str, code: int) -> int:
    typer.echo(f"midigpt: {sentence}", err=True)
    return code


if __name__ == "__main__":
    main()
