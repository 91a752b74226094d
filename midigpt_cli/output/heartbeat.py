"""Show on standard error that long work goes on: bars on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import typer

EVERY = 10.0  # seconds between two lines

Tell = Callable[[int, int], None]  # (done, in all)


class Alive:
    """While it is entered, somebody who watches sees how far the work is; nothing is said when quiet."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet, self._drawn = quiet, sys.stderr.isatty()
        self._begun, self._now = time.monotonic(), "at work"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> Alive:
        if self._drawn and not self._quiet:
            self._bars = _bars()
            self._bars.start()
        elif not self._quiet:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._drawn and not self._quiet:
            self._bars.stop()
        elif not self._quiet:
            self._thread.join()

    def of(self, what: str) -> Tell:
        """A function to be told how much of one part is done."""
        if self._quiet:
            return lambda done, total: None
        if self._drawn:
            bar = self._bars.add_task(what, total=None)
            return lambda done, total: self._bars.update(bar, completed=done, total=total)

        def note(done: int, total: int) -> None:
            self._now = f"{what} {done} of {total}"

        self._now = what
        return note

    def _speak(self) -> None:
        while not self._over.wait(EVERY):
            typer.echo(f"{self._now}, {time.monotonic() - self._begun:.0f} s", err=True)


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
