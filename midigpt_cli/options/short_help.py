"""Commands with many options: `--help` shows the dozen that people use first, `--help-all` every one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand

FIRST = frozenset(  # options of the shared groups that everyone needs; a command's own are always shown
    {
        "num_candidates",
        "seed",
        "temperature",
        "attribute",
        "scale",
        "rhythm_lock",
        "remix",
        "model",
        "output",
        "force",
        "render",
    }
)
BARE: Mapping[str, tuple[str, str]] = {  # option that may stand without a value -> what that means, what a value is
    "--rhythm-lock": ("on", "on|off|onsets"),
    "--velocity": ("on", r"on|off|own|\d+-\d+"),
    "--keep-range": ("on", "on|off"),
    "--keep-contour": ("on", "on|off"),
}
OFF = {"--no-velocity": "--velocity=off"}  # the other half of an option of BARE
FEW = 15  # options that need no folding
ROOMY = 100  # columns from which on a table of options in boxes cuts no name


class FoldedCommand(TyperCommand):
    """A command whose `--help` fits a screen; `folded` is False where all of it is to be shown."""

    folded = True

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.rest = [each for each in self.params if _panel(each) and each.name not in FIRST]
        if len(self.params) <= FEW:
            self.rest = []
        if self.rest:
            self.params.append(_help_all())

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_values(args))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        if self.folded and self.rest:
            with _hidden(self.rest):
                self.epilog = f"{len(self.rest)} more options: {ctx.command_path} --help-all"
                self._format(ctx, formatter)
        else:
            self.epilog = None
            self._format(ctx, formatter)

    def _format(self, ctx: Any, formatter: Any) -> None:
        """In boxes where they have room; else as plain lists, in which no name is cut."""
        boxes = self.folded and shutil.get_terminal_size().columns >= ROOMY
        if boxes or self.rich_markup_mode is None:
            super().format_help(ctx, formatter)
            return
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        panels: dict[str, list[tuple[str, str]]] = {}
        for each in self.get_params(ctx):
            row = each.get_help_record(ctx)
            if row:
                panels.setdefault(_panel(each) or f"{each.param_type_name}s".capitalize(), []).append(row)
        for name, rows in panels.items():
            with formatter.section(name):
                formatter.write_dl(rows)
        self.format_epilog(ctx, formatter)


def with_values(words: Sequence[str]) -> list[str]:
    """The words of a command line, where an option of BARE that stands alone gets its value."""
    full: list[str] = []
    for word, after in zip(words, [*words[1:], None], strict=False):
        value, shape = BARE.get(word, ("", ""))
        bare = value and (after is None or not re.fullmatch(rf"(.+[/:])?({shape})", after))
        full.append(f"{word}={value}" if bare else OFF.get(word, word))
    return full


def _panel(option: Any) -> str | None:
    panel: str | None = getattr(option, "rich_help_panel", None)
    return panel


def _help_all() -> Any:
    """The option, made by typer itself, whose own classes change from release to release."""
    made = typer.Option(
        False, "--help-all", is_eager=True, expose_value=False, callback=_show_all, help="Show every option and exit."
    )
    holder = typer.Typer(add_completion=False)

    @holder.command()
    def command(help_all: bool = made) -> None: ...

    return typer.main.get_command(holder).params[0]


def _show_all(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        command: Any = ctx.command
        command.folded = False
        typer.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


@contextmanager
def _hidden(options: list[Any]) -> Iterator[None]:
    before = [option.hidden for option in options]
    for option in options:
        option.hidden = True
    try:
        yield
    finally:
        for option, hidden in zip(options, before, strict=True):
            option.hidden = hidden
