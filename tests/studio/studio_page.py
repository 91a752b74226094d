"""A page of the studio in a browser, and what a user does on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from midigpt_core.score import Bar, Note, Score, Track

INSTALL = "install the browser tests: pip install '.[studio-test]'"
WAIT = 60_000  # milliseconds
SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.mid"))
POP = next(path for path in SAMPLES if path.stem == "pop")


class PageOn:
    """A page of its own, whose scripts must not fail nor break the policy."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.context = browser.new_context(accept_downloads=True, **context)
        self.url, self.faults = url, list[str]()

    def __enter__(self) -> Any:
        page = self.context.new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda line: "Security Policy" in line.text and self.faults.append(line.text))
        page.goto(self.url)
        page.wait_for_selector("html[data-ready=yes]")
        return page

    def __exit__(self, kind: Any, *_: object) -> None:
        self.context.close()
        assert kind or not self.faults, self.faults


@contextmanager
def page_with_key(browser: Any, url: str, key: str) -> Iterator[Any]:
    """A page of a server that asks for a key, once it is typed in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    page.fill("#key", key)
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-ready=yes]")
    yield page
    context.close()


def open_song(page: Any, path: Path) -> None:
    page.set_input_files("#file", str(path))
    page.wait_for_selector("#panel:not([hidden])")


def drop_song(page: Any, path: Path) -> None:
    """Drop a file on the page, as from a file manager."""
    data = page.evaluate_handle(
        """([name, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name, {type: "audio/midi"}));
            return data;
        }""",
        [path.name, list(path.read_bytes())],
    )
    page.dispatch_event("main", "drop", {"dataTransfer": data})
    page.wait_for_selector("#panel:not([hidden])")


def choose(page: Any, track: int, first: int, last: int) -> None:
    """Choose bars of a track with the keyboard; all from 0."""
    page.focus("#roll")
    for _ in range(12):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    for key in ["ArrowDown"] * track + ["ArrowRight"] * first + ["Shift+ArrowRight"] * (last - first):
        page.keyboard.press(key)


def write(page: Any, takes: int = 2, seed: int = 7) -> None:
    page.fill("#ask-num_candidates", str(takes))
    page.fill("#ask-seed", str(seed))
    page.focus("#roll")
    page.keyboard.press("w")
    page.wait_for_selector(f"#takes label:nth-child({takes + 1})")
    page.wait_for_selector("#progress", state="hidden")


def keep(page: Any) -> None:
    page.keyboard.press("k")
    page.wait_for_selector("#history li:nth-child(2)")


def download(page: Any, folder: Path) -> Path:
    with page.expect_download() as found:
        page.click("#download")
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


def first_with_notes(path: Path) -> tuple[int, int]:
    """A track and a bar of it with notes, and a bar after it."""
    score = Score.from_midi(str(path))
    return next(
        (number, bar)
        for number, track in enumerate(score.tracks)
        for bar in range(1, len(track.bars) - 1)
        if track.bars[bar].notes
    )


def chosen_bar(page: Any, path: Path) -> None:
    """Open a song and choose the first bar with notes after its first bar."""
    open_song(page, path)
    track, bar = first_with_notes(path)
    choose(page, track, bar, bar)


def until(page: Any, test: Callable[[], bool]) -> None:
    """Wait until something holds (the page's policy lets nobody evaluate strings in it again and again)."""
    end = time.monotonic() + WAIT / 1000
    while not test():
        assert time.monotonic() < end, "waited too long"
        page.wait_for_timeout(50)


def long_song(path: Path, bars: int = 500, tracks: int = 30) -> Path:
    """A song that takes some drawing."""
    bar = [[Note(50 + (number + i) % 24, 80, i * 240, 200) for i in range(8)] for number in range(bars)]
    Score([Track([Bar(notes) for notes in bar], number) for number in range(tracks)]).to_midi(str(path))
    return path


def begin_long(page: Any, folder: Path) -> None:
    """Have eight takes of very many bars written, which takes far longer than a test waits."""
    open_song(page, long_song(folder / "long.mid", bars=120, tracks=4))
    choose(page, 0, 0, 0)
    page.keyboard.press("Shift+End")
    page.fill("#ask-num_candidates", "8")
    page.click("#write")
    page.wait_for_selector("#stop:not([hidden])")
