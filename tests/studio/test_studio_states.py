"""In a real browser: what the page says and shows stays true when a write stops or fails, and when a take is undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from serving import Live
from studio.studio_page import POP, begin_long, choose, chosen_bar, keep, open_song, until, write

pytestmark = pytest.mark.browser

SHOWN = """async () => {
    const pen = CanvasRenderingContext2D.prototype;
    const plain = pen.fillRect;
    const found = [];
    pen.fillRect = function (...box) {
        if (this.canvas.id === "roll") found.push([this.fillStyle, ...box].join(" "));
        plain.apply(this, box);
    };
    document.getElementById("scroller").dispatchEvent(new Event("scroll"));
    for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
    pen.fillRect = plain;
    return found;
}"""


def refused(page: Any) -> None:
    """Ask for what the server refuses."""
    page.fill("#ask-scale", "H:odd")
    page.focus("#roll")
    page.keyboard.press("w")
    page.wait_for_selector("#message.bad")


def test_write_that_is_stopped_before_its_first_take_leaves_the_song_as_it_was(
    page: Any, server: Live, tmp_path: Path
) -> None:
    begin_long(page, tmp_path)
    before = page.evaluate(SHOWN)
    until(page, lambda: page.locator("#legend:not(.off)").count() == 1)  # notes are drawn as they are written
    page.click("#stop")
    page.wait_for_selector("#progress", state="hidden")
    assert page.locator("#takes label").count() == 0
    assert page.inner_text("#message") == "Stopped; no take was finished."
    assert page.locator("#legend.off").count() == 1
    assert page.evaluate(SHOWN) == before
    server.until(lambda: not server.busy)


def test_write_that_fails_leaves_the_takes_of_before(page: Any) -> None:
    chosen_bar(page, POP)
    write(page)
    page.check("#takes input[value='1']")
    lines, shown = page.inner_text("#takes"), page.evaluate(SHOWN)
    refused(page)
    until(page, lambda: page.is_checked("#takes input[value='1']"))
    assert page.inner_text("#takes") == lines
    assert page.evaluate(SHOWN) == shown
    keep(page)
    assert page.is_hidden("#message")


def test_write_that_fails_after_a_take_was_kept_leaves_its_new_notes_lit(page: Any) -> None:
    chosen_bar(page, POP)
    write(page, takes=1)
    keep(page)
    shown = page.evaluate(SHOWN)
    refused(page)
    page.wait_for_selector("#progress", state="hidden")
    assert page.locator("#legend:not(.off)").count() == 1
    assert page.evaluate(SHOWN) == shown


def test_takes_of_before_go_with_the_first_new_one(page: Any) -> None:
    chosen_bar(page, POP)
    write(page, takes=3)
    write(page, takes=2, seed=8)
    assert page.locator("#takes label").count() == 3


def test_bars_and_tracks_that_are_undone_are_no_longer_chosen(page: Any) -> None:
    open_song(page, POP)
    page.click("#add-bars")
    write(page, takes=1)
    keep(page)
    assert page.inner_text("#chosen").startswith("Bars 17-20 of ")
    page.click("#undo")
    page.wait_for_selector("#undo[disabled]")
    assert page.inner_text("#chosen") == "Drag over bars, or click one."
    assert page.is_disabled("#write")
    page.select_option("#add-track", "Violin")
    write(page, takes=1)
    page.keyboard.press("k")
    page.wait_for_selector("#history li:nth-child(2)")
    page.focus("#roll")
    page.keyboard.press("Shift+ArrowUp")
    assert "Violin" in page.inner_text("#chosen")
    page.click("#undo")
    page.wait_for_selector("#undo[disabled]")
    assert page.inner_text("#chosen")
    assert "Violin" not in page.inner_text("#chosen")
    assert page.is_enabled("#write")


def test_message_of_a_failure_goes_with_a_new_selection(page: Any) -> None:
    chosen_bar(page, POP)
    refused(page)
    choose(page, 0, 5, 6)
    assert page.is_hidden("#message")


def test_kept_is_said_of_the_latest_version_alone(page: Any) -> None:
    chosen_bar(page, POP)
    for count in (2, 3):
        write(page, takes=1)
        page.keyboard.press("k")
        page.wait_for_selector(f"#history li:nth-child({count})")
        assert page.inner_text("#no-takes").startswith("Kept.")
    page.click("#undo")
    page.wait_for_selector("#redo:not([disabled])")
    assert page.inner_text("#no-takes").startswith("Takes appear here")


def test_asking_for_more_different_takes_ends_when_one_is_kept(page: Any) -> None:
    open_song(page, POP)
    choose(page, 1, 4, 5)
    write(page)
    page.click("#bolder")
    page.wait_for_selector("#asked-bolder:not([hidden])")
    page.wait_for_selector("#progress", state="hidden")
    keep(page)
    assert page.is_hidden("#asked-bolder")
    assert page.input_value("#ask-num_candidates") == "2"
