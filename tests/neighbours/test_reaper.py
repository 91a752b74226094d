"""midigpt-REAPER's own script, unchanged, on a stand-in for REAPER, against a server on a real socket.

It is not part of this repository: MIDIGPT_REAPER names the folder that holds REAPER_midigpt_infill.py and
midi_extraction.py (https://github.com/Metacreation-Lab/midigpt-REAPER, src/Scripts/MIDI-GPT).
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from reaper_stand_in import EXPRESSIVE, GLOBAL, PRISM, YELLOW, Hit, Item, Project, Track, module_for

FOLDER = os.environ.get("MIDIGPT_REAPER", "")
if not Path(FOLDER, "REAPER_midigpt_infill.py").is_file():
    pytest.skip("set MIDIGPT_REAPER to midigpt-REAPER's src/Scripts/MIDI-GPT", allow_module_level=True)

BARS = 8
PANEL = {  # its sliders with their defaults
    "temperature": 1.0, "model_dim": 4, "bars_per_step": 1, "tracks_per_step": 1, "polyphony_hard_limit": 0,
    "density_hard_limit": 0, "max_attempts": 3, "temp_escalation": 1.0, "top_p": 1.0, "top_k": 0, "mask_p": 0.0,
    "mask_k": 0, "seed": 7, "checks": 3, "shuffle": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def url(served) -> Iterator[str]:
    with served(["midigpt_cli.http_entry", "--host", "127.0.0.1"]) as address:  # the built-in model
        yield address


def looped(chosen: int = 1, **panel: float) -> Project:
    """Drums, bass and piano, every bar of a track alike; two bars of one track are selected."""
    ticks = 4 * 960
    drums = [Hit(t * 480, t * 480 + 120, 9, 36 if t % 4 == 0 else 38 if t % 4 == 2 else 42, 100) for t in range(8)]
    bass = [Hit(t * 960, t * 960 + 800, 0, pitch, 90) for t, pitch in enumerate((36, 36, 43, 41))]
    piano = [Hit(0, ticks - 10, 0, pitch, 70) for pitch in (60, 64, 67)]

    def items(notes: list[Hit]) -> list[Item]:
        return [Item(bar * 2.0, 2.0, [Hit(**vars(hit)) for hit in notes]) for bar in range(BARS)]

    tracks = [Track("Drums", items(drums)), Track("Bass", items(bass)), Track("Piano", items(piano))]
    for bar in (4, 5):
        tracks[chosen].items[bar].selected = True
    return Project(tracks, master=[[GLOBAL, *{**PANEL, **panel}.values()]])


@pytest.fixture
def script(url, monkeypatch) -> Callable[[Project], str]:
    """Runs the script on a project; what it says."""

    def run(project: Project) -> str:
        with monkeypatch.context() as patch:
            patch.syspath_prepend(FOLDER)
            patch.setattr(sys, "stdout", sys.stdout)
            patch.setattr(sys, "stderr", sys.stderr)
            module_for(project)
            for name in ("REAPER_midigpt_infill", "midi_extraction"):
                sys.modules.pop(name, None)
            found = importlib.import_module("REAPER_midigpt_infill")
            patch.setattr(found, "SERVER_URL", url)
            found.run_midigpt_infill()
        return "".join(project.console)

    return run


def notes_of(project: Project) -> list[list[list[Hit]]]:
    return [[[Hit(**vars(hit)) for hit in item.notes] for item in track.items] for track in project.tracks]


@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_selected_bars_of_looped_material_come_back_new_and_nothing_else_changes(script, chosen):
    project = looped(chosen)
    before = notes_of(project)
    said = script(project)
    assert "Done." in said, said
    after = notes_of(project)
    for track in range(3):
        for bar in range(BARS):
            if track == chosen and bar in (4, 5):
                places = {(hit.start, hit.pitch) for hit in after[track][bar]}
                assert places
                assert places != {(hit.start, hit.pitch) for hit in before[track][bar]}
            else:
                assert after[track][bar] == before[track][bar]


SETTINGS = [
    *({"temperature": value} for value in (0.1, 3.0)),
    *({"model_dim": value} for value in (4, 8)),
    {"model_dim": 8, "bars_per_step": 8, "tracks_per_step": 3},
    *({"tracks_per_step": value} for value in (2, 16)),
    *({"polyphony_hard_limit": value} for value in (1, 32)),
    *({"density_hard_limit": value} for value in (4, 64)),
    *({"max_attempts": value} for value in (0, 10)),
    {"temp_escalation": 3.0},
    *({"top_p": value} for value in (0.05, 0.9)),
    *({"top_k": value} for value in (1, 500)),
    {"mask_p": 0.2},
    {"mask_k": 2},
    {"seed": -1},
    *({"checks": value} for value in (0, 1, 2)),
    {"shuffle": 1},
]


@pytest.mark.parametrize("panel", SETTINGS, ids=str)
def test_every_setting_of_the_panel_writes_bars(script, panel):
    said = script(looped(**panel))
    assert "Done." in said, said


@pytest.mark.parametrize("panel", [{"top_p": 0.0}, {"model_dim": 5}, {"mask_p": 0.9, "top_p": 0.5}], ids=str)
def test_settings_that_mean_nothing_are_refused_in_a_sentence(script, panel):
    said = script(looped(**panel))
    assert "HTTP Server Error 422" in said
    assert next(iter(panel)).split("_")[0] in said


def panel_of(url: str) -> tuple[float, int]:
    """The track panel that fits the model served, and how many sliders it has."""
    attributes = httpx.get(f"{url}/info").json()["attributes"]
    if "nomml" in attributes:
        return EXPRESSIVE, 12
    return (PRISM, 11) if "key_signature" in attributes else (YELLOW, 8)


def test_every_slider_of_the_track_panel_writes_bars(script, url):
    kind, count = panel_of(url)
    for slider in range(count):
        project = looped(checks=2)
        sliders = [0.0] * count
        sliders[slider] = 1.0
        project.tracks[1].panels = [[kind, *sliders]]
        said = script(project)
        assert "Done." in said or (slider == count - 1 and "HTTP Server Error" in said), (slider, said)


def test_the_last_slider_leaves_a_track_out_and_the_one_before_continues_it(script, url):
    kind, count = panel_of(url)
    project = looped(checks=2)
    project.tracks[2].panels = [[kind, *[0.0] * (count - 1), 1.0]]
    assert "Done." in script(project)
    project = looped(checks=2, model_dim=8)
    project.tracks[1].panels = [[kind, *[0.0] * (count - 2), 1.0, 0.0]]
    before = notes_of(project)
    assert "Done." in script(project)
    assert notes_of(project)[1] != before[1]
