"""In Firefox: drop a song, choose, write, keep, download; the referee looks at the file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from midi.referee import referee_main, verdict
from serving import Live
from studio.studio_page import POP, first_with_notes

from midigpt_core.score import Score

pytest.importorskip("websockets.sync.client", reason="install websockets")
from studio.firefox import Firefox

pytestmark = pytest.mark.browser
NAMES = ("firefox-esr", "firefox")
DROP = """([name, bytes]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name, {type: "audio/midi"}));
    document.querySelector("main").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
}"""


def shown(browser: Firefox, selector: str) -> None:
    """Wait until something is there and not hidden."""
    browser.until(lambda: browser.run("(selector) => Boolean(document.querySelector(selector))", selector))


def test_firefox_rewrites_the_chosen_bars_alone(server: Live, tmp_path: Path) -> None:
    program = os.environ.get("MIDIGPT_FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)
    if not program:
        pytest.skip("no Firefox: install firefox-esr, or name one in MIDIGPT_FIREFOX")
    track, bar = first_with_notes(POP)
    with Firefox(program, tmp_path) as browser:
        browser.go(f"{server.url}/studio")
        shown(browser, "html[data-ready=yes]")
        browser.run(DROP, [POP.name, list(POP.read_bytes())])
        shown(browser, "#panel:not([hidden])")
        browser.run("() => { document.getElementById('roll').focus(); }")
        browser.press("Home", *["ArrowDown"] * track, *["ArrowRight"] * bar, "Shift+ArrowRight")
        browser.run("() => { document.getElementById('ask-num_candidates').value = 1; }")
        browser.press("w")
        shown(browser, "#takes label:nth-child(2)")
        shown(browser, "#progress[hidden]")
        browser.press("k")
        shown(browser, "#history li:nth-child(2)")
        assert browser.run("() => document.getElementById('song-key').textContent")
        browser.press("Control+s")
        changed = browser.until(lambda: next(browser.downloads.glob("*.mid"), None))
        browser.until(lambda: changed.stat().st_size)
        source = Score.from_midi(str(POP)).tracks[track]
        assert changed.read_bytes() != POP.read_bytes()
        assert verdict(referee_main(), POP, changed, {bar, bar + 1}, f"{source.midi_track}:{source.channel}") == 0
