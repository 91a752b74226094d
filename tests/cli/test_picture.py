"""The picture of what changed fits the terminal and shows old, new and kept notes."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tiny import song

from midigpt_cli.output.result_report import Done
from midigpt_cli.output.terminal_roll import picture
from midigpt_core.score import Bar, Note


@pytest.mark.parametrize("width", [20, 80])
def test_picture_is_no_wider_than_the_terminal(width: int) -> None:
    before = song()
    cells = [(track, bar) for track in range(3) for bar in range(2, 11)]
    drawn = picture(before, before, cells, width).plain
    music = [line for line in drawn.splitlines() if "│" in line]
    assert music
    assert max(map(len, music)) <= width + 1
    assert music[0].endswith("…")


def test_new_notes_are_bright_old_ones_dim_kept_ones_between() -> None:
    before = song(2)
    after = song(2)
    notes = [Note(36, 90, 0, 200), Note(60, 90, 960, 400)]
    after.tracks[1].bars[0] = replace(Bar(), notes=notes)
    drawn = picture(before, after, [(1, 0)], 80)
    styles = {str(span.style) for span in drawn.spans}
    assert any("bright_green" in style for style in styles)
    assert any("bright_black" in style for style in styles)
    assert any("cyan" in style for style in styles)


def test_without_colours_replaced_new_and_kept_notes_have_characters_of_their_own() -> None:
    before = song(2)
    after = song(2)
    after.tracks[1].bars[0] = replace(Bar(), notes=[Note(36, 90, 0, 200), Note(60, 90, 960, 400)])
    drawn = picture(before, after, [(1, 0)], 80, colours=False).plain
    music, key = drawn.rsplit("\n", 2)[0], drawn.splitlines()[-1]
    assert key == "░ replaced █ new ▓ both"
    assert all(glyph in music for glyph in "░█▓")


def test_the_terminal_is_asked_for_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    asked = []
    monkeypatch.setattr("midigpt_cli.output.terminal_roll.picture", lambda *given: asked.append(given[-1]) or "")
    result = SimpleNamespace(takes=[], ranked=[SimpleNamespace(score=song(1))], generated=[(1, 0)])
    for no_color in (True, False):
        console = Console(file=io.StringIO(), force_terminal=True, color_system="256", no_color=no_color)
        Done("x.mid", song(1), None, result, {}, [], 0.0).show(console)
    assert asked == [False, True]
