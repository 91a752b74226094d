"""How soon the studio paints, and how smoothly a long song scrolls: python -m benchmarks.studio

`midigpt serve` in a process of its own, Chromium (on the path, or named in MIDIGPT_BROWSER) without a screen, both on
this machine. First paint is the browser's own mark; the page is ready when its controls are there. The long song has
500 bars and 30 tracks, 120,000 notes; it is scrolled sideways by the wheel, and frames are those that the browser's
trace says were drawn. Writes benchmarks/results/studio.md.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

from benchmarks.measure import spread, table
from midigpt_core.score import Bar, Note, Score, Track

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
BARS, TRACKS = 500, 30
SCREENS = ((1280, 800), (1920, 1080))
PIXELS, PIXELS_PER_SECOND = 12_000, 3_000
FRAMES = "disabled-by-default-devtools.timeline.frame"
DRAWN = "DrawFrame"  # the compositor's event for a frame that came on the screen
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
COUNT_PAINTS = """() => {
    const pen = CanvasRenderingContext2D.prototype;
    const plain = pen.fillRect;
    window.rollPaints = new Set();
    pen.fillRect = function (...box) {
        if (this.canvas.id === "roll") window.rollPaints.add(document.timeline.currentTime);
        plain.apply(this, box);
    };
}"""
READY = "html[data-ready=yes]"


@dataclass
class Scrolled:
    """What a screen showed while the song went by."""

    size: tuple[int, int]
    opened: list[float] = field(default_factory=list)  # seconds from the file to the song on the screen
    rates: list[float] = field(default_factory=list)  # frames drawn per second
    paints: list[float] = field(default_factory=list)  # times per second that the roll was painted
    worst: list[float] = field(default_factory=list)  # the longest time between two frames, in milliseconds


def long_song(path: Path) -> Path:
    """A song that takes some drawing."""
    bar = [[Note(50 + (number + i) % 24, 80, i * 240, 200) for i in range(8)] for number in range(BARS)]
    Score([Track([Bar(notes) for notes in bar], number) for number in range(TRACKS)]).to_midi(str(path))
    return path


def serve() -> tuple[subprocess.Popen[bytes], str]:
    """The server and its address."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port = line.getsockname()[1]
    words = ["serve", "--port", str(port), "--log-level", "ERROR"]
    process = subprocess.Popen([sys.executable, "-m", "midigpt_cli.main", *words])
    until = time.monotonic() + 180
    while time.monotonic() < until:
        try:
            urlopen(f"http://127.0.0.1:{port}/health", timeout=5).read()
            return process, f"http://127.0.0.1:{port}/studio"
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not start")


def painted(browser: Any, url: str) -> tuple[float, float]:
    """Milliseconds to the first paint and to a page that can be used, with nothing cached."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(READY)
    ready = page.evaluate("performance.now()")
    first = page.evaluate(PAINTED)
    context.close()
    return first, ready


def scroll(page: Page) -> tuple[list[float], float]:
    """Milliseconds at which frames were drawn while the song went by, and how often a second the roll was painted."""
    session = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    done: list[object] = []
    session.on("Tracing.dataCollected", lambda told: events.extend(told["value"]))
    session.on("Tracing.tracingComplete", lambda told: done.append(told))
    box = page.locator("#roll").bounding_box()
    assert box
    page.evaluate(COUNT_PAINTS)
    session.send("Tracing.start", {"traceConfig": {"includedCategories": [FRAMES]}})
    before = time.monotonic()
    way = {"xDistance": -PIXELS, "yDistance": 0, "speed": PIXELS_PER_SECOND, "preventFling": True}
    session.send(
        "Input.synthesizeScrollGesture",
        {"x": box["x"] + 200, "y": box["y"] + 200, "gestureSourceType": "mouse", **way},
    )
    seconds = time.monotonic() - before
    session.send("Tracing.end")
    while not done:
        page.wait_for_timeout(50)
    drawn = sorted(event["ts"] / 1000 for event in events if event["name"] == DRAWN)
    return drawn, page.evaluate("window.rollPaints.size") / seconds


def scrolled(browser: Any, url: str, song: Path, size: tuple[int, int]) -> Scrolled:
    """The long song goes by on a screen, several times."""
    row = Scrolled(size)
    for _ in range(ROUNDS):
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(READY)
        before = time.monotonic()
        page.set_input_files("#file", str(song))
        page.wait_for_selector("#panel:not([hidden])")
        row.opened.append(time.monotonic() - before)
        page.wait_for_timeout(3000)  # the chords come meanwhile
        drawn, paints = scroll(page)
        gaps = [after - one for one, after in itertools.pairwise(drawn)]
        row.rates.append(1000 / statistics.mean(gaps))
        row.paints.append(paints)
        row.worst.append(max(gaps))
        context.close()
    return row


def report(first: list[tuple[float, float]], rows: list[Scrolled], version: str, load: str) -> str:
    head = ["screen", "song opened s", "frames drawn per s", "roll painted per s", "longest time between frames ms"]
    lines = [
        [
            f"{row.size[0]} x {row.size[1]}",
            spread(row.opened),
            spread(row.rates, 0),
            spread(row.paints, 0),
            spread(row.worst, 0),
        ]
        for row in rows
    ]
    shown, ready = zip(*first, strict=True)
    return "\n".join(
        [
            "# The studio in a browser",
            "",
            f"`python -m benchmarks.studio`: Chromium {version} without a screen or a graphics card, the server on "
            f"the same machine ({os.cpu_count()} cores, {load}). Median and quartiles of {ROUNDS} rounds, each "
            "with nothing cached.",
            "",
            table(
                ["from the address to", "ms"],
                [["the first paint", spread(shown, 0)], ["a page that takes a song", spread(ready, 0)]],
            ),
            "",
            f"A song of {BARS} bars and {TRACKS} tracks, {BARS * TRACKS * 8:,} notes, scrolled over {PIXELS:,} pixels "
            "by the wheel. Frames are those of the browser's own trace; the roll is painted by the page's scripts.",
            "",
            table(head, lines),
            "",
        ]
    )


def main() -> None:
    found = os.environ.get("MIDIGPT_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        raise SystemExit("no browser: install chromium, or name one in MIDIGPT_BROWSER")
    load = f"load average before {os.getloadavg()[0]:.1f}"
    process, url = serve()
    try:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
            first = [painted(browser, url) for _ in range(ROUNDS)]
            song = long_song(Path(folder) / "long.mid")
            rows = [scrolled(browser, url, song, size) for size in SCREENS]
            text = report(first, rows, browser.version, load)
            browser.close()
    finally:
        process.terminate()
        process.wait(60)
    print(text)
    (ROOT / "benchmarks" / "results" / "studio.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
