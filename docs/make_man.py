"""Write docs/man/*.1: the help of every command as man pages, which the wheel installs.

python docs/make_man.py          write them
python docs/make_man.py --check  exit 1 where they are out of date
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "man"
MADE_WITH = '.\\" Made from the help by docs/make_man.py, with typer '


def pages() -> dict[str, str]:
    """File name -> page, for `midigpt` and each of its commands."""
    import typer
    from typer.main import get_command

    from midigpt_cli.exit_codes import TABLE
    from midigpt_cli.main import COMMANDS, app, load

    names = [name for name, row in COMMANDS.items() if importlib.util.find_spec(f"midigpt_cli.commands.{row.module}")]
    commands = {"midigpt": get_command(app), **{f"midigpt {name}": load(name) for name in names}}
    codes = [line for code, text in TABLE.items() for line in (".TP", f".B {code}", f"{_roff(text)}.")]
    made = {}
    for title, command in commands.items():
        others = list(commands)[1:] if title == "midigpt" else ["midigpt"]
        lines = [f"{MADE_WITH}{typer.__version__}.", f'.TH {title.replace(" ", "-").upper()} 1 "" midigpt']
        lines += [".SH NAME", f"{title.replace(' ', '-')} \\- {_roff(_first(command)).rstrip('.')}"]
        lines += [*_page(command, title), ".SH EXIT STATUS", *codes, ".SH SEE ALSO", *_listed(others)]
        made[f"{title.replace(' ', '-')}.1"] = "\n".join([*lines, ""])
    return made


def _page(command: Any, title: str) -> Iterator[str]:
    """Synopsis, description, commands and options; the commands of a group each with their own."""
    context = command.context_class(command, info_name=title, help_option_names=["--help", "-h"])
    usage = command.collect_usage_pieces(context)
    yield from (".SH SYNOPSIS", f".B {title}", _roff(" ".join(usage)), ".SH DESCRIPTION", *_text(command.help or ""))
    if title == "midigpt":
        yield ".SH COMMANDS"
        for name in command.list_commands(context):
            yield from (".TP", f".BR midigpt-{_roff(name)} (1)", _roff(command.get_command(context, name).help))
    yield from (".SH OPTIONS", *_options(command, context))
    for name in command.list_commands(context) if title != "midigpt" and hasattr(command, "list_commands") else ():
        below = command.get_command(context, name)
        inside = below.context_class(below, info_name=f"{title} {name}", help_option_names=["--help", "-h"])
        yield f'.SH "{title.upper()} {name.upper()}"'
        yield from (f".B {title} {name}", _roff(" ".join(below.collect_usage_pieces(inside))), ".PP")
        yield from (*_text(below.help or ""), *_options(below, inside))


def _options(command: Any, context: Any) -> Iterator[str]:
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record:
            names, text = record
            yield from (".TP", f".B {_roff(names)}", _roff(" ".join(text.split())) or "\\&")


def _text(text: str) -> Iterator[str]:
    """Paragraphs; an example stands in by itself."""
    for number, part in enumerate(re.split(r"\n\s*\n", text.replace("\b", "").strip())):
        if number:
            yield ".PP"
        line = _roff(" ".join(part.split()))
        yield from (".RS 4", line, ".RE") if line.startswith("midigpt ") else (line,)


def _listed(others: list[str]) -> Iterator[str]:
    for name in others:
        yield f".BR {name.replace(' ', '-')} (1){' ,' * (name != others[-1])}"


def _first(command: Any) -> str:
    return " ".join(re.split(r"(?<=[.:;])\s", command.help or "", maxsplit=1)[0].split()).rstrip(":;")


def _roff(text: str) -> str:
    """Text as roff takes it: hyphens that can be copied, no line that begins a request."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace("[bold]", "").replace("[/bold]", "")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe


def main() -> int:
    """Write the pages, or compare them."""
    wanted = pages()
    if "--check" in sys.argv[1:]:
        return int({page.name: page.read_text(encoding="utf-8") for page in FOLDER.glob("*.1")} != wanted)
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.1"):
        old.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
