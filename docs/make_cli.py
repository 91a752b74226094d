"""Write docs/cli.md: what every command says when it is asked for --help.

python docs/make_cli.py          write it
python docs/make_cli.py --check  exit 1 where it is out of date
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WIDTH = 100
PAGE = Path(__file__).resolve().parent / "cli.md"
HEAD = """# Commands

This page is made by `python docs/make_cli.py` from what each command says with `--help`.

## Numbers and names

Bars and tracks count from 1: `--bars 4-8`, `--bars 5,7-9`, `--bars 17-`. A track is a number, a name or a part of
one, `drums`, `melodic` or `all`. The JSON of `--request` and `--json` is that of Python and HTTP, and counts from 0.

A musical control may be kept to some tracks by putting them before it: `--pitch-range bass/C1-C3`,
`--scale 2/C:minor`, `--grid drums/sixteenth:0.8`, `--attribute drums/note_density=7`. An attribute may be kept to
bars: `--attribute 6:note_density=2`, `--attribute drums/6-7:note_density=2`. Without tracks, pitches are asked of the
melodic tracks among those to be written, and an attribute of those it applies to. C4 is MIDI pitch 60.

An attribute is told to the model, held to note by note where that can be done (notes per bar, chord sizes, durations,
silence, range, pitch classes, key), and of eight versions of each step the one nearest to it is kept. The versions
share model calls and take about twice as long as one; `--control-tries 1` writes a single one. Scales, grids, rhythm
lock, remix and limits are stricter: where both cannot be had, the attribute gives way, and `--verbose` says where.

`-` is standard input or output. MIDI goes to standard output only where that is no terminal; words about the work go to
standard error, and one JSON object to standard output with `--json`. The files written are listed on standard output
where that is a pipe.

    cat song.mid | midigpt infill - --bars 4-8 -o - | midigpt info - --json
    midigpt infill song.mid --bars 4-8 --json > run.json
    midigpt infill song.mid --request run.json          # the same notes again

## Shell completion

`midigpt --install-completion` sets it up for the shell it is run in; `midigpt --show-completion` prints it. Options,
models, controls, scales, grids, instruments and the tracks of the song on the line are completed.
"""


MADE_WITH = "Made with typer "


def page() -> str:
    """The page as it should be."""
    import typer
    from typer.main import get_command

    from midigpt_cli.main import COMMANDS, app, load

    overview = get_command(app)
    parts = [HEAD, *_sections(overview, "midigpt", deep=False)]
    for name, row in COMMANDS.items():
        if importlib.util.find_spec(f"midigpt_cli.commands.{row.module}"):
            parts += _sections(load(name), f"midigpt {name}")
    return "\n".join([*parts, f"{MADE_WITH}{typer.__version__}.", ""])


def _sections(command: Any, title: str, deep: bool = True) -> Iterator[str]:
    """The help of a command and of the commands in it."""
    command.rich_markup_mode, command.folded = None, False
    context = command.context_class(command, info_name=title, terminal_width=WIDTH, max_content_width=WIDTH)
    help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield f"## {title}\n\n```\n{help_text}\n```\n"
    for name in command.list_commands(context) if deep and hasattr(command, "list_commands") else ():
        yield from _sections(command.get_command(context, name), f"{title} {name}")


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
