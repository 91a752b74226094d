"""Build the documentation as a site in build/site/html: the pages as they lie here, and references made from the code.

python docs/make_site.py   needs mkdocs-material and mkdocstrings-python; a link that leads nowhere ends it with 1
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "site" / "source"
FILES = ("*.md", "LICENSE", "docs/*", "docs/examples/**/*", "samples/*", "benchmarks/*", "benchmarks/results/*")
PYTHON = """# Python

Everything that `import midigpt_core` offers. Bars and tracks count from 0. Made from the source.
"""
HTTP = """# HTTP

Made from the OpenAPI description, which a running server has at `/openapi.json` and shows at `/docs`.
[Serving](serve.md) explains what belongs together.
"""


def stage() -> None:
    """Copy the pages, side by side as in the repository so that their links hold, and add the references."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for pattern in FILES:
        for file in sorted(ROOT.glob(pattern)):
            if file.is_file():
                place = SOURCE / file.relative_to(ROOT)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
    (SOURCE / "docs" / "python.md").write_text(python(), encoding="utf-8")
    (SOURCE / "docs" / "http.md").write_text(http(), encoding="utf-8")


def python() -> str:
    """A section per public name."""
    import midigpt_core

    homes = midigpt_core._HOME
    return "\n".join([PYTHON, *(f"::: midigpt_core.{homes[name]}.{name}\n" for name in homes)])


def http() -> str:
    """A section per route."""
    from midigpt_cli.server.app import create_app
    from midigpt_cli.server.loaded_models import ModelEntry, Models
    from midigpt_core.engine import InferenceEngine

    schema = create_app(Models([ModelEntry("open", InferenceEngine.from_pretrained("open"), "open")])).openapi()
    parts = [HTTP]
    for path, verbs in schema["paths"].items():
        for verb, route in verbs.items():
            parts += _route(schema, f"{verb.upper()} {path}", route)
    return "\n".join([*parts, ""])


def _route(schema: dict[str, Any], title: str, route: dict[str, Any]) -> Iterator[str]:
    yield f"## `{title}`\n"
    yield f"{(route.get('description') or route.get('summary', '')).strip()}\n"
    asked = [*_parameters(route), *_fields(schema, route.get("requestBody", {}).get("content", {}))]
    if asked:
        yield "| field | type | meaning |\n|---|---|---|"
        yield from (*asked, "")
    told = ", ".join(f"{code} {_cell(each['description'])}" for code, each in route["responses"].items() if code < "4")
    yield f"Answers: {told}; or an [error](serve.md#errors).\n"


def _parameters(route: dict[str, Any]) -> Iterator[str]:
    for field in route.get("parameters", ()):
        text = field.get("description") or field["schema"].get("description", "")
        yield f"| `{field['name']}` ({field['in']}) | {_type(field['schema'])} | {_cell(text)} |"


def _fields(schema: dict[str, Any], content: dict[str, Any]) -> Iterator[str]:
    """The fields of a body: of a form as of a JSON object."""
    for kind, body in content.items():
        found = _resolved(schema, body.get("schema", {}))
        for name, field in found.get("properties", {}).items():
            needed = ", required" if name in found.get("required", ()) else ""
            words = f"`{name}` ({kind.rpartition('/')[2]})", _type(field) + needed, _cell(field.get("description", ""))
            yield f"| {' | '.join(words)} |"


def _resolved(schema: dict[str, Any], field: dict[str, Any]) -> dict[str, Any]:
    name = field.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema["components"]["schemas"][name] if name else field
    return found


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    either = field.get("anyOf") or field.get("oneOf")
    if either:
        return " or ".join(_type(one) for one in either)
    word = field.get("type", "any")
    return f"list of {_type(field.get('items', {}))}" if word == "array" else str(word)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def main() -> int:
    """Copy, add, build."""
    stage()
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(ROOT / "docs" / "site.yml")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(words, check=False, env=quiet).returncode


if __name__ == "__main__":
    raise SystemExit(main())
