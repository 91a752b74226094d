"""The arrows between rooms point one way, modules say what they do, and importing stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import midigpt_core

ROOT = Path(midigpt_core.__file__).parent.parent
PACKAGES = ("midigpt_core", "midigpt_cli")

# Rooms from low to high. A module may import its own room and the rows above its room's, nothing else.
ORDER = (
    ("errors", "trace", "compiled", "files", "music", "plain_sum"),
    ("fields", "notebook"),
    ("inference_config",),
    ("score", "request", "words", "chords"),
    ("midi_file", "plan", "attributes", "voices"),
    ("tokens", "audio"),
    ("constraints", "model"),
    ("echo", "harmony", "sampling", "train"),
    ("generation",),
    ("engine",),
    ("loop", "jam", "evaluate"),
)
FRONT_DOORS = {  # imports inside a function that run back on purpose: a method offered where users look for it
    ("score", "midi_file"),
}
NAMED_ALIKE = ("__init__", "base")  # module names that may stand in several folders
NAMED_BY_USERS = (".commands", ".routes")  # folders whose modules have the names of commands and of HTTP paths


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "midigpt_core" and len(parts) > 1 else None


def sources(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts), ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_room_has_a_place_in_the_order() -> None:
    known = {room for row in ORDER for room in row}
    rooms = {room_of(name) for name, _ in sources("midigpt_core")} - {None, "__init__"}
    assert rooms <= known, f"give these rooms a row in ORDER: {sorted(map(str, rooms - known))}"


def test_no_import_runs_back() -> None:
    height = {room: i for i, row in enumerate(ORDER) for room in row}
    backwards = []
    for name, tree in sources("midigpt_core"):
        room = room_of(name)
        for target in imports(tree):
            other = room_of(target)
            if room not in height or other not in height or room == other or (room, other) in FRONT_DOORS:
                continue
            if height[other] >= height[room]:
                backwards.append(f"{name} -> {target}")
    assert not backwards


def arrows() -> dict[str, set[str]]:
    """Every module of both packages, with the modules it imports anywhere, inside functions and for types alone too."""
    trees = {name.removesuffix(".__init__"): tree for part in PACKAGES for name, tree in sources(part)}
    found: dict[str, set[str]] = {}
    for name, tree in trees.items():
        targets = {target if target in trees else target.rpartition(".")[0] for target in imports(tree)}
        doors = {other for other in targets if (room_of(name), room_of(other)) in FRONT_DOORS}
        found[name] = (targets & trees.keys()) - doors - {name}
    return found


def test_no_module_leads_back_to_itself() -> None:
    graph = arrows()
    reached = {name: set(others) for name, others in graph.items()}
    for through in graph:
        for others in reached.values():
            if through in others:
                others |= reached[through]
    circles = sorted(name for name, others in reached.items() if name in others)
    assert not circles, f"these modules import each other in a circle: {circles}"


def test_the_library_knows_nothing_of_its_faces() -> None:
    web = ("fastapi", "uvicorn", "typer", "click", "rich")
    found = [
        f"{name} -> {target}"
        for name, tree in sources("midigpt_core")
        for target in imports(tree)
        if target.split(".")[0] in ("midigpt_cli", *web) and not name.startswith("midigpt_core.train")
    ]
    assert not found


def test_a_class_name_stands_in_one_module() -> None:
    homes: dict[str, set[str]] = {}
    for package in PACKAGES:
        for name, tree in sources(package):
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    homes.setdefault(node.name.lstrip("_"), set()).add(name)
    twice = {word: sorted(modules) for word, modules in homes.items() if len(modules) > 1}
    assert not twice


def test_a_module_name_stands_in_one_folder() -> None:
    homes: dict[str, list[str]] = {}
    for package in PACKAGES:
        for name, _ in sources(package):
            folder, _, word = name.rpartition(".")
            if word not in NAMED_ALIKE and not folder.endswith(NAMED_BY_USERS):
                homes.setdefault(word, []).append(name)
    assert not {word: modules for word, modules in homes.items() if len(modules) > 1}


def test_every_module_begins_with_one_sentence() -> None:
    missing = [
        name
        for package in PACKAGES
        for name, tree in sources(package)
        if not (ast.get_docstring(tree) or "").split("\n")[0].rstrip().endswith((".", ":")) and tree.body
    ]
    assert not missing


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import midigpt_core, sys; print([m for m in ('torch', 'pretty_midi', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_resolves() -> None:
    for name in midigpt_core.__all__:
        assert getattr(midigpt_core, name) is not None
