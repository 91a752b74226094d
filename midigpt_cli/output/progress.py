"""Follow a run on standard error, bar by bar, with its rate."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from midigpt_cli.options.shared_options import Reporting
from midigpt_cli.parse.selectors import MOST_NAMED
from midigpt_core import trace

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def following(song: str, reporting: Reporting, number: int | None = 0, songs: int = 1) -> Iterator[trace.Listener]:
    """A listener that draws progress, one that writes a log, or one that hears nothing where nobody watches.

    Of several songs, `number` are done: a second bar is drawn for them all. Without a number several are under way at
    once, and nobody could follow each.
    """
    if reporting.verbose:
        yield _Log(song, everything=True)
        return
    if number is None or not _wanted(reporting):
        yield trace.ignore
        return
    if not sys.stderr.isatty():
        yield _Log(song)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield _Follower(shown, song, number, songs)


def _wanted(reporting: Reporting) -> bool:
    return reporting.progress if reporting.progress is not None else sys.stderr.isatty() and not reporting.quiet


@contextmanager
def counting(reporting: Reporting, songs: int) -> Iterator[Callable[[int], None]]:
    """A function that is told how many of several songs are finished, and draws it with rate and time left."""
    if songs < 2 or reporting.verbose or not _wanted(reporting):
        yield lambda _: None
        return
    started = time.perf_counter()

    def words(finished: int) -> str:
        return f"{finished} of {songs} songs, {finished / (time.perf_counter() - started):.2f} songs/s"

    if not sys.stderr.isatty():
        yield lambda finished: typer.echo(words(finished), err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(words(0), total=songs)
        yield lambda finished: shown.update(task, completed=finished, description=words(finished))


class _Log:
    """A line per finished bar and rejected attempt, for a log; with `everything`, per other event too."""

    def __init__(self, song: str, everything: bool = False) -> None:
        self.song, self.everything, self.pace = song, everything, _Pace()

    def __call__(self, event: trace.Event) -> None:
        words = self._words(event)
        if words:
            typer.echo(f"{self.song}: {words}", err=True)

    def _words(self, event: trace.Event) -> str:
        match event:
            case trace.BarReady():
                return self.pace.words(event)
            case trace.AttemptRejected():
                return f"take {event.take + 1}, attempt {event.attempt}: {event.reason}"
        return _detail(event) if self.everything else ""


def _detail(event: trace.Event) -> str:
    """What only those want to know who ask for everything; tracks and bars count from 1."""
    match event:
        case trace.StepStarted(window=(first, end)):
            count = len(event.targets)
            return (
                f"step {event.step + 1} of {event.steps}: {count} bar{'s' * (count != 1)} to write in the window of "
                f"bars {first + 1}-{end}, {event.prompt_tokens} tokens to read"
            )
        case trace.StepDone():
            return f"step {event.step + 1} of {event.steps}: done, {event.tokens} tokens written"
        case trace.ContextDropped():
            few = ", ".join(str(track + 1) for track in event.tracks)
            told = f"tracks {few}" if len(event.tracks) <= MOST_NAMED else f"{len(event.tracks)} tracks"
            return f"left out, for want of room: {told}"
        case trace.ConstraintRelaxed():
            return f"take {event.take + 1}: {event.preference} gave way at token {event.position + 1}"
        case trace.TakeReady():
            return f"take {event.take + 1}: ready"
    return ""


class _Pace:
    """How many tokens were written, and how fast."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.tokens = 0
        self.latest: dict[int, int] = {}  # take -> tokens of the attempt at hand

    def words(self, event: trace.BarReady) -> str:
        """The bar, and the rate so far."""
        before = self.latest.get(event.take, 0)
        self.tokens += event.tokens - before if event.tokens > before else event.tokens
        self.latest[event.take] = event.tokens
        rate = self.tokens / max(1e-6, time.perf_counter() - self.started)
        return f"track {event.track + 1}, bar {event.bar + 1}  {rate:.0f} tokens/s"


class _Follower:
    """Counts bars as they come, of all takes and steps."""

    def __init__(self, shown: Progress, song: str, number: int = 0, songs: int = 1) -> None:
        self.shown, self.number = shown, number
        self.all = shown.add_task(f"song {number + 1} of {songs}", total=songs, told="") if songs > 1 else None
        self.task = shown.add_task(song, total=None, told="")
        self.pace = _Pace()
        self.closed = 0.0  # steps that are done, as a share of all
        self.share = 1.0  # of one step
        self.targets = 1
        self.bars: dict[int, int] = {}  # take -> bars written in this step's latest attempt

    def __call__(self, event: trace.Event) -> None:
        if isinstance(event, trace.StepStarted):
            self.share, self.targets = 1.0 / event.steps, len(event.targets)
            self.closed, self.bars = event.step / event.steps, {}
        elif isinstance(event, trace.BarReady):
            self.bars[event.take] = self.bars.get(event.take, 0) + 1
            self._tell(self.pace.words(event))
        elif isinstance(event, trace.AttemptRejected):
            self.bars[event.take] = 0
        elif isinstance(event, trace.StepDone):
            self.closed, self.bars = (event.step + 1) / event.steps, {}
            self._tell("")

    def _tell(self, words: str) -> None:
        done = sum(min(bars, self.targets) for bars in self.bars.values()) / max(1, self.targets * len(self.bars))
        here = self.closed + self.share * done
        self.shown.update(self.task, total=1.0, completed=here, told=words)
        if self.all is not None:
            self.shown.update(self.all, completed=self.number + here)


@contextmanager
def showing(name: str, wanted: bool) -> Iterator[Callable[[float], None] | None]:
    """A function that draws the finished share, 0 to 1; None where nobody watches."""
    if not wanted:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(name, total=1.0)
        yield lambda share: shown.update(task, completed=share)
