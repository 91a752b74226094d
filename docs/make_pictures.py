"""Take the pictures of the studio: docs/studio-light.png, studio-dark.png and studio-narrow.png.

python docs/make_pictures.py   needs the extra `studio-test`, and Chromium (or the browser named in MIDIGPT_BROWSER)
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SONG = ROOT / "samples" / "pop.mid"
WIDE, NARROW = {"width": 1280, "height": 720}, {"width": 400, "height": 800}
TRACK, FIRST, LAST = 0, 4, 7  # what is rewritten, from 0
TAKES, SEED = 3, 7


@contextmanager
def studio() -> Iterator[str]:
    """The address of a studio with the song, running until the block ends."""
    command = [sys.executable, "-m", "midigpt_cli.main", "studio", str(SONG), "--no-browser", "--port", "8765"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if found := re.search(r"http://\S+/studio", line):
                yield found[0]
                break
        else:
            raise SystemExit("the studio did not start")
        process.terminate()


def press(page: Any, *keys: str) -> None:
    """Press keys on the roll, one after the other."""
    page.focus("#roll")
    for key in keys:
        page.keyboard.press(key)


def rewrite(page: Any) -> None:
    """Choose four bars of the lead and wait for their takes."""
    page.fill("#ask-num_candidates", str(TAKES))
    page.fill("#ask-seed", str(SEED))
    press(page, "Home", *["ArrowDown"] * TRACK, *["ArrowRight"] * FIRST, *["Shift+ArrowRight"] * (LAST - FIRST), "w")
    page.wait_for_selector(f"#takes label:nth-child({TAKES + 1})", timeout=60_000)
    page.wait_for_selector("#progress", state="hidden")


def take_picture(browser: Any, url: str, name: str, playing: bool = False, **context: Any) -> None:
    """A picture of the page with its takes, in a context of its own."""
    page = browser.new_context(**context).new_page()
    page.goto(url)
    page.wait_for_selector("#panel:not([hidden])")
    rewrite(page)
    if playing:
        press(page, "Space")
        page.wait_for_timeout(3000)
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=str(ROOT / "docs" / f"studio-{name}.png"))
    page.context.close()


def main() -> None:
    from playwright.sync_api import sync_playwright

    program = os.environ.get("MIDIGPT_BROWSER") or shutil.which("chromium")
    with studio() as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        take_picture(browser, url, "light", viewport=WIDE, color_scheme="light")
        take_picture(browser, url, "dark", playing=True, viewport=WIDE, color_scheme="dark")
        take_picture(browser, url, "narrow", viewport=NARROW, color_scheme="light")
        browser.close()


if __name__ == "__main__":
    main()
