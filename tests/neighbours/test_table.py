"""docs/neighbours.md: every field of the neighbours' examples has a row, and its state is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from test_magenta_rt import SELECT, START, UPDATE
from test_musicgen_looper import DEFAULTS

from midigpt_cli.parse import magenta

PAGE = (Path(__file__).parents[2] / "docs" / "neighbours.md").read_text()
STATES = ("works", "not used", "differs")


def section(title: str) -> dict[str, str]:
    """{field: state} of the tables under a heading."""
    text = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    found = {}
    for row in rows:
        for name in re.findall(r"`([^`]+)`", row[0]):
            found[name] = row[1].strip()
    return found


def test_every_row_has_a_state():
    titles = re.findall(r"\n## (.+)\n", PAGE)
    assert len(titles) == 5
    assert all(state in STATES for title in titles for state in section(title).values())


def test_every_field_of_magenta_s_examples_has_a_row_and_the_state_it_has_in_the_code():
    table = section("Magenta RealTime")
    start = json.loads(START)
    sent = {*start, *start["params"], *json.loads(UPDATE), *json.loads(SELECT)} - {"params"}
    assert sent <= set(table), sent - set(table)
    unused = {name for name, state in table.items() if state == "not used"} - {"MRT_SIZE", "SPACE_MODE"}
    assert unused == {*magenta.UNUSED, *magenta.OF_BASE}
    assert {name for name in magenta.RENAMED if table[name] != "works"} == set()
    assert {table[name] for name in magenta.AUDIO} == {"differs"}


def test_every_field_of_the_looper_s_schema_has_a_row():
    assert set(DEFAULTS) <= set(section("musicgen-looper"))


@pytest.mark.parametrize(
    "name", ["audio_url", "audio_file", "sonify_midi", "save_note_events", "webhook_url", "Authorization", "task_id"]
)
def test_every_field_of_musicgpt_s_examples_has_a_row(name):
    assert name in section("MusicGPT audio to MIDI")


@pytest.mark.parametrize(
    "name", ["--ckpt", "--pretrained", "--hf-filename", "--device", "--host", "--port", "--log-level"]
)
def test_every_flag_of_midigpt_http_s_page_has_a_row(name):
    assert section("midigpt-http")[name] == "works"
