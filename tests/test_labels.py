"""Every setting has a label: a few words for people, unlike those of any other setting beside it."""

from __future__ import annotations

import dataclasses
import re

import pytest

from midigpt_core.attributes.attribute_table import IMPLIED, make_attribute
from midigpt_core.inference_config import InferenceConfig
from midigpt_core.request import GenerationRequest, LoopRequest, TrackPrompt

LONGEST = 28  # letters, which fit two lines of the studio's panel
ENGLISH = {  # names that say what they do as they stand
    *("attributes", "bars", "chords", "controls", "genre", "model", "note_density", "pitch_range", "rounds", "swing"),
    *("bars_per_step", "plan_only", "syncopation", "time_signature", "tracks_per_step", "variations"),
}


def assert_reads_well(labels: dict[str, str]) -> None:
    """Short, begun with a capital, none twice, and none that is a field's name without being English too."""
    assert len(set(labels.values())) == len(labels), sorted(labels.values())
    for name, label in labels.items():
        assert re.fullmatch(r"[A-Z][a-z, -]+(\([a-z]+\))?", label), (name, label)
        assert len(label) <= LONGEST, label
        assert label.lower() != name.replace("_", " ") or name in ENGLISH, f"{name}: say what it does"


@pytest.mark.parametrize("cls", [InferenceConfig, TrackPrompt, GenerationRequest, LoopRequest])
def test_setting_of_a_request_has_a_label(cls: type) -> None:
    described = [row for row in dataclasses.fields(cls) if "low" in row.metadata]
    assert described
    assert_reads_well({row.name: row.metadata["label"] for row in described})


def test_attribute_has_a_title() -> None:
    made = [make_attribute({"name": name, "params": params}) for name, params in IMPLIED.values()]
    assert_reads_well({attribute.name: attribute.title for attribute in made if attribute.level == "track"})
    assert {attribute.full_title.endswith("in each bar") for attribute in made if attribute.level == "bar"} == {True}


def test_field_of_the_form_has_a_label_and_a_section_of_the_help() -> None:
    pytest.importorskip("fastapi")
    import typer

    from midigpt_cli.commands.infill import infill
    from midigpt_cli.server.form import OWN, schema

    rows = schema()["properties"]
    assert_reads_well({name: row["title"] for name, row in rows.items()})
    app = typer.Typer()
    app.command()(infill)
    command = typer.main.get_command(app)
    panels = {option.name: getattr(option, "rich_help_panel", None) for option in command.params}
    assert {name: row["x-section"] for name, row in rows.items() if "x-section" in row} == {
        name: panels[name] for name in rows if name not in {"file", *OWN}
    }


def test_range_and_default_of_a_setting_stand_in_the_form() -> None:
    pytest.importorskip("fastapi")
    from midigpt_cli.server.form import schema

    rows = schema()["properties"]
    assert (rows["temperature"]["exclusiveMinimum"], rows["temperature"]["maximum"]) == (0.0, 10.0)
    assert rows["temperature"]["default"] == 1.0
    assert rows["mask_mode"]["enum"][0] == rows["mask_mode"]["default"] == "auto"
