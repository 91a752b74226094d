"""Defaults and presets of one's own: midigpt.toml in the folder at hand, and in the user's configuration folder."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from midigpt_core.fields import refused

NAME = "midigpt.toml"
PRESETS: Mapping[str, Mapping[str, Any]] = {  # name -> options, by their long names
    "busier": {"attribute": ["note_density=8"]},
    "sparser": {"attribute": ["note_density=2"]},
    "simpler": {"attribute": ["note_density=3"], "grid": ["eighth"], "temperature": 0.8},
    "fill": {"attribute": ["note_density=9"], "temperature": 1.1, "echo": 0.0},
    "halftime": {"attribute": ["note_density=2"], "grid": ["quarter"]},
}
_OTHER = ("keep_history", "presets")  # keys of a file that are no commands


def files() -> list[Path]:
    """The files that are read, if they are there; what stands in a later one wins."""
    from midigpt_core.model.names import settings_file

    return [settings_file().with_name(NAME), Path(NAME)]


def read() -> dict[str, Any]:
    """What the files say together. Raises RequestValidationError for a file that cannot be read."""
    said: dict[str, Any] = {}
    for file in files():
        if file.is_file():
            for key, value in _parsed(file).items():
                said[key] = {**said.get(key, {}), **value} if isinstance(value, dict) else value
    return said


def presets(said: Mapping[str, Any]) -> dict[str, Any]:
    """The presets by name: those of the files, and those that come with the program."""
    return {**PRESETS, **said.get("presets", {})}


def defaults(words: Sequence[str], said: Mapping[str, Any], commands: Sequence[str]) -> dict[str, dict[str, Any]]:
    """{command: {option: value}} from the files, and from the --preset on this command line, which goes before them.

    Raises RequestValidationError for keys and presets that nobody knows.
    """
    for key, value in said.items():
        if key not in (*commands, *_OTHER) or (key != "keep_history" and not isinstance(value, dict)):
            raise refused(f"{NAME}: {key}", None, "is not a command", _near(key, [*commands, *_OTHER]))
    found = {command: dict(said[command]) for command in commands if command in said}
    name = _preset_on(words)
    if name is not None and words[0] in commands:
        known = presets(said)
        if name not in known:
            raise refused("--preset", name, "is not known", _near(name, list(known)))
        found[words[0]] = {**found.get(words[0], {}), **known[name]}
    return found


def by_parameter(command: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """{parameter: value} of a command, from long names of options. Raises RequestValidationError for unknown ones."""
    known = {word.lstrip("-"): option for option in command.params for word in option.opts if word.startswith("--")}
    found = {}
    for key, value in options.items():
        name = key.replace("_", "-")
        if name not in known:
            raise refused(f"{NAME}: {command.name}.{key}", None, "is not one of its options", _near(name, list(known)))
        found[known[name].name] = _listed(value) if known[name].multiple else value
    return found


def _listed(value: Any) -> list[Any]:
    """The values of an option that may be given more than once; true is the one that may stand without a value."""
    if isinstance(value, list):
        return value
    return [("on" if value else "off") if isinstance(value, bool) else value]


def _preset_on(words: Sequence[str]) -> str | None:
    for word, after in zip(words, [*words[1:], None], strict=False):
        if word == "--preset":
            return after
        if word.startswith("--preset="):
            return word.removeprefix("--preset=")
    return None


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _parsed(file: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        said: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise refused(str(file), None, f"cannot be read ({error})", "correct it, or move it away") from error
    return said
