"""The OpenAPI document describes every field, parameter and route, in words that other APIs use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from serving import client_of

OWN_WORDS = (  # that once stood in these texts and that no other API has
    r"\b(heeds?|wish(es)?|lanes?|at hand|makes? room|sign of life|once more|told|forget|forgotten|places)\b"
    r"|\bin words\b|\bis (said|asked|heard)\b|\bcontrol values\b|\bif left out\b|\bwhat was read\b|--\w"
)
UNITS = {
    "bpm": "quarter note",
    "beats per minute": "",
    "seconds": "second",
    "_ms": "millisecond",
    "_rate": "Hz",
    "ticks": "tick",
}


@pytest.fixture(scope="module")
def document() -> Iterator[dict[str, Any]]:
    with client_of() as client:
        yield client.get("/openapi.json").json()


def properties(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(where, name, row) of every field of a body, form or response, and of every parameter."""
    for model, schema in document["components"]["schemas"].items():
        yield from ((model, name, row) for name, row in schema.get("properties", {}).items())
    for path, methods in document["paths"].items():
        for route in methods.values():
            yield from ((path, row["name"], row) for row in route.get("parameters", []))
            for content in route.get("requestBody", {}).get("content", {}).values():
                yield from ((path, name, row) for name, row in content["schema"].get("properties", {}).items())


def texts(document: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Every summary and description."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in ("summary", "description") and isinstance(value, str):
                yield where, value
            elif key not in ("default", "examples"):
                yield from texts(value, f"{where}/{key}")
    elif isinstance(document, list):
        for value in document:
            yield from texts(value, where)


def test_field_and_parameter_has_a_description(document: dict[str, Any]) -> None:
    rows = list(properties(document))
    assert len(rows) > 300
    assert [(where, name) for where, name, row in rows if not row.get("description")] == []


def test_text_has_no_word_of_our_own_and_no_option_of_the_command_line(document: dict[str, Any]) -> None:
    server_options = ("--audio-urls", "--allow-model", "`midigpt info --json`")
    found = [(where, text) for where, text in texts(document)]
    assert [row for row in found if re.search(OWN_WORDS, without(row[1], server_options))] == []


def without(text: str, words: tuple[str, ...]) -> str:
    for word in words:
        text = text.replace(word, "")
    return text


def test_description_of_a_quantity_names_its_unit(document: dict[str, Any]) -> None:
    for where, name, row in properties(document):
        text, kind = row.get("description", ""), row.get("type", "number")
        for part, units in UNITS.items():
            if kind in ("number", "integer") and name.endswith(part):
                assert any(unit in text for unit in units), f"{where}.{name}: {text}"


def test_bound_of_a_jam_setting_is_that_of_the_library(document: dict[str, Any]) -> None:
    jam = document["components"]["schemas"]["JamStart"]["properties"]
    assert (jam["ramp_seconds"]["minimum"], jam["ramp_seconds"]["maximum"]) == (0.0, 600.0)
