"""What a model name means: the built-in model, a file, or a place on the hub; and which one is the default."""

from __future__ import annotations

import difflib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from midigpt_core.errors import CheckpointError

BUILT_IN = "open"
PUBLISHED = "Metacreation/MIDI-GPT"
SUFFIXES = (".safetensors", ".pt")


@dataclass(frozen=True)
class Known:
    """One name that may be used without saying where its file is."""

    name: str
    prefix: str  # what its files on the hub start with; "" for the built-in model, None of them for an unreleased one
    about: str
    repo: str = PUBLISHED


_LICENCE = "non-commercial research licence, gated"
KNOWN = (
    Known(BUILT_IN, "", "comes with this package; free to use"),
    Known("yellow", "yellow_medium", f"general purpose, 4 or 8 bars; {_LICENCE}"),
    Known("yellow_small", "yellow_small", f"yellow, smaller and faster; {_LICENCE}"),
    Known("prism", "prism_medium", f"many controls, up to 16 bars; {_LICENCE}"),
    Known("expressive", "expressive_medium", f"prism with micro-timing and fine velocities; {_LICENCE}"),
)
_KNOWN_NAMES = {name for known in KNOWN for name in (known.name, known.prefix)}
_UNRELEASED = {"ghost": "it is named in the project's early documentation, but its weights were never published"}
_PUBLISHED_STYLE = re.compile(r"[a-z]\w*_(small|medium|large)")
_HUB_STYLE = re.compile(r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>[^:@]+))?(:(?P<filename>.+))?")


@dataclass(frozen=True)
class HubReference:
    """One checkpoint on the hub: a file by name, or the best of those that start with a prefix."""

    repo: str
    filename: str | None = None
    prefix: str | None = None
    revision: str | None = None  # branch, tag or commit; None: main
    name: str = ""  # as the user said it

    def __str__(self) -> str:
        return self.name or f"{self.repo}{f':{self.filename}' if self.filename else ''}"


def understand(name: str, filename: str | None = None, revision: str | None = None) -> Path | HubReference:
    """The file or hub place a name stands for; nothing is fetched. Raises CheckpointError for an unknown name.

    A name is one of KNOWN, a path, `owner/repo`, `owner/repo:file` or `owner/repo@revision:file`.
    """
    if name == BUILT_IN:
        return built_in()
    if name in _UNRELEASED:
        raise CheckpointError(f"model {name!r}: {_UNRELEASED[name]}; choose one of {_names()}")
    if name not in _KNOWN_NAMES and _is_path(name):
        return Path(name).expanduser()
    place = hub_reference(name, filename, revision)
    if place is not None:
        return place
    near = difflib.get_close_matches(name, [known.name for known in KNOWN], 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise CheckpointError(f"model {name!r} is unknown; {hint}use one of {_names()}, a file, or owner/repo:file")


def hub_reference(name: str, filename: str | None = None, revision: str | None = None) -> HubReference | None:
    """The hub place a name stands for by its form alone, or None; no file of this machine is looked at."""
    for known in KNOWN:
        if known.prefix and name in (known.name, known.prefix):
            return HubReference(known.repo, filename, None if filename else known.prefix, revision, name)
    if _PUBLISHED_STYLE.fullmatch(name):
        return HubReference(PUBLISHED, filename, None if filename else name, revision, name)
    place = _HUB_STYLE.fullmatch(name)
    if place is None or ".." in name:
        return None
    wanted = HubReference(place["repo"], filename or place["filename"], None, revision or place["revision"])
    return replace(wanted, name=name if place["filename"] or not filename else "")


def built_in() -> Path:
    """The packaged model's file. Raises CheckpointError where the installation has none."""
    file = Path(__file__).resolve().parents[1] / "weights" / f"{BUILT_IN}.safetensors"
    if not file.is_file():
        raise CheckpointError(f"the built-in model is not part of this installation ({file} is missing); reinstall it")
    return file


def shown(name: str) -> str:
    """What strangers are told of a model's name: of a path, the file's name alone."""
    return Path(name).name if name not in _KNOWN_NAMES and _is_path(name) else name


def pick(files: list[str], prefix: str | None) -> str | None:
    """The best checkpoint of a listing: `<prefix>-final`, else the highest `<prefix>-step<N>`, else the bare name.

    Without a prefix the listing must hold exactly one checkpoint. None: nothing fits.
    """
    checkpoints = [file for file in files if file.endswith(SUFFIXES)]
    if prefix is None:
        return checkpoints[0] if len(checkpoints) == 1 else None
    ranked = {file: _rank(file, prefix) for file in checkpoints}
    best = max(ranked, key=lambda file: ranked[file], default=None)
    return best if best is not None and ranked[best] >= 0 else None


def _rank(file: str, prefix: str) -> float:
    stem, _, suffix = file.rpartition(".")
    if stem == prefix:
        return 0.0 if suffix == "pt" else 0.5
    step = re.fullmatch(re.escape(prefix) + r"-(?:final|step(\d+))", stem)
    if not step or suffix == "pt":
        return -1.0
    return 1.0 + int(step[1]) if step[1] else float("inf")


def _is_path(name: str) -> bool:
    here = Path(name).expanduser()
    if here.exists() or name.startswith((".", "/", "~")) or "\\" in name:
        return True
    return name.endswith((*SUFFIXES, ".tgz", ".tar.gz")) and ":" not in name


def _names() -> str:
    return ", ".join(known.name for known in KNOWN)


# ---- the default model, kept in a small settings file ----


def settings_file() -> Path:
    """`settings.json` under MIDIGPT_HOME, else under the user's configuration folder."""
    home = os.environ.get("MIDIGPT_HOME")
    if home:
        return Path(home).expanduser() / "settings.json"
    base = os.environ.get("XDG_CONFIG_HOME") or (os.environ.get("APPDATA") if os.name == "nt" else None)
    return Path(base or Path.home() / ".config") / "midigpt" / "settings.json"


def default_model() -> str:
    """The model used when none is named: the environment's MIDIGPT_MODEL, the setting, else the built-in one."""
    return os.environ.get("MIDIGPT_MODEL") or str(_settings().get("model", BUILT_IN))


def set_default_model(name: str) -> None:
    """Remember a default model; the built-in name forgets the choice. Raises CheckpointError for an unknown name."""
    reference = understand(name) if name != BUILT_IN else None
    if isinstance(reference, Path) and not reference.exists():
        raise CheckpointError(f"{reference}: no such file; name a checkpoint that exists")
    settings = {**_settings(), "model": str(reference.resolve()) if isinstance(reference, Path) else name}
    file = settings_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _settings() -> dict[str, object]:
    file = settings_file()
    if not file.is_file():
        return {}
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: not JSON ({error}); correct or delete it") from error
    if not isinstance(settings, dict):
        raise CheckpointError(f"{file}: expected an object, found {type(settings).__name__}; correct or delete it")
    return settings
