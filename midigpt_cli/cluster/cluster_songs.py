"""The songs of one command, written by workers of a Ray cluster with a model each.

Only bytes travel: this side reads the songs and writes the files, so machines need no common folder. Ray begins a lost
worker anew, and gives it its songs once more.
"""

from __future__ import annotations

import io
import itertools
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import midigpt_core
from midigpt_cli import malloc_tuning
from midigpt_cli.cluster.connect import connected
from midigpt_cli.load_model import Model
from midigpt_cli.make_takes import LANES_OF_MANY, LANES_OF_ONE, Prepare, Read, SongMaker, SongRequest, SongTakes
from midigpt_cli.options.shared_options import Many, ModelChoice, Reporting
from midigpt_cli.output.destination import PIPE
from midigpt_core.errors import MidiGptError

AHEAD = 2  # songs sent to a worker for each that it writes at once: it never waits for the next one
TRIES_AGAIN = 3  # times that a song is begun again because its worker was lost

Free = Callable[[str], None]  # raises where the files of a song may not be written


@dataclass(frozen=True)
class WorkOrder:
    """What every worker is told once."""

    choice: ModelChoice
    jobs: int
    prepare: Prepare
    read: Read
    packed: bool  # whether takes come back as files alone


class Worker:
    """One process of the cluster with a model of its own."""

    def __init__(self, order: WorkOrder) -> None:
        self.order = order
        self.made = itertools.count(1)
        malloc_tuning.share_heaps()
        model = Model(order.choice, *(LANES_OF_MANY if order.jobs > 1 else LANES_OF_ONE))
        self.maker = SongMaker(model, order.prepare, order.read, Reporting(quiet=True, progress=False))

    def ready(self) -> str | MidiGptError:
        """Load the model; the version that is installed here."""
        try:
            _ = self.maker.model.engine
        except MidiGptError as error:
            return error
        return midigpt_core.__version__

    def make(self, song: str, data: bytes) -> SongRequest | MidiGptError:
        """The takes of a song, or what is wrong with it."""
        file = io.BytesIO(data)
        file.name = song
        try:
            made = self.maker.make(song, file)
        except MidiGptError as error:
            return error
        finally:
            malloc_tuning.give_back(next(self.made))
        return made.packed() if isinstance(made, SongTakes) and self.order.packed else made


class Crew:
    """The workers of one command. A context: they are gone when it ends."""

    def __init__(self, many: Many, order: WorkOrder) -> None:
        self.order = order
        self.ray = connected(many.cluster or "")
        self.count = many.workers or self._one_each()
        self._idle: Counter[Any] = Counter()  # worker that is ready -> songs it can still be sent
        self._starting: dict[Any, Any] = {}
        self._under_way: dict[Any, Any] = {}  # what a song comes to -> its worker
        self._actors: list[Any] = []

    @classmethod
    def of(cls, many: Many, maker: SongMaker, packed: bool) -> Crew:
        """Workers for the songs of a maker. Raises MidiGptError where no cluster answers."""
        model, choice = maker.model.name, maker.model.choice
        choice = replace(choice, model=_everywhere(model), threads=choice.threads or 1)
        return cls(many, WorkOrder(choice, many.jobs, maker.prepare, maker.read, packed))

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self._actors:
            self.ray.kill(actor)
        self.ray.shutdown()

    @property
    def _needs(self) -> dict[str, float]:
        """What one worker takes up of a machine."""
        gpus = 1 if self.order.choice.device.startswith("cuda") else 0
        return {"num_cpus": self.order.choice.threads, "num_gpus": gpus}

    def _one_each(self) -> int:
        """As many workers as there is room for now."""
        there, needs = self.ray.cluster_resources(), self._needs
        if needs["num_gpus"]:
            return max(1, int(there.get("GPU", 0)))
        return max(1, int(there.get("CPU", 1) // needs["num_cpus"]))

    def written(self, songs: Sequence[str], check_free: Free) -> Iterator[tuple[str, Callable[[], SongRequest]]]:
        """Each song in its order, with what gives its takes or raises its error."""
        self._start(min(self.count, len(songs)))
        rest = iter(songs)
        begun: deque[tuple[str, Any]] = deque()  # with a reference to what it comes to, or with its error
        ahead = self.count * self.order.jobs * AHEAD
        song = next(rest, None)
        while begun or song is not None:
            while song is not None and self._has_room and len(begun) < 2 * ahead:
                begun.append((song, self._sent(song, check_free)))
                song = next(rest, None)
            if begun and self._is_there(begun[0][1]):
                first, made = begun.popleft()
                yield first, partial(self._came, made)
            else:
                self._wait()

    def _start(self, count: int) -> None:
        kind = self.ray.remote(Worker).options(
            **self._needs,
            max_concurrency=self.order.jobs,
            max_restarts=-1,
            max_task_retries=TRIES_AGAIN,
        )
        self._actors = [kind.remote(self.order) for _ in range(count)]
        self._starting = {actor.ready.remote(): actor for actor in self._actors}

    @property
    def _has_room(self) -> bool:
        return any(self._idle.values())

    def _sent(self, song: str, check_free: Free) -> Any:
        """A reference to what a song comes to, at the worker that has least to do; its error where it is not sent."""
        try:
            check_free(song)
            data = _contents(song)
        except MidiGptError as error:
            return error
        worker = max(self._idle, key=self._idle.__getitem__)
        self._idle[worker] -= 1
        made = worker.make.remote(song, data)
        self._under_way[made] = worker
        return made

    def _is_there(self, made: Any) -> bool:
        return isinstance(made, MidiGptError) or made not in self._under_way

    def _wait(self) -> None:
        """Until a worker is ready, or a song has come."""
        (found,), _ = self.ray.wait([*self._starting, *self._under_way], num_returns=1)
        if found in self._under_way:
            self._idle[self._under_way.pop(found)] += 1
            return
        worker = self._starting.pop(found)
        version = self._got(found)
        if isinstance(version, MidiGptError):
            raise version
        if version != midigpt_core.__version__:
            raise MidiGptError(
                f"a worker runs midigpt {version}, this machine {midigpt_core.__version__}; install the same everywhere"
            )
        self._idle[worker] = self.order.jobs * AHEAD

    def _came(self, made: Any) -> SongRequest:
        """The takes of a song. Raises what its worker met with, or MidiGptError where that was lost too often."""
        if not isinstance(made, MidiGptError):
            made = self._got(made)
        if isinstance(made, MidiGptError):
            raise made
        whole: SongRequest = made
        return whole

    def _got(self, reference: Any) -> Any:
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            raise MidiGptError(
                f"its worker was lost {TRIES_AGAIN + 1} times ({type(error).__name__}); "
                "was there too little memory? Run the command again with --resume"
            ) from error


def _contents(song: str) -> bytes:
    """The bytes of a song. Raises MidiFileError."""
    from midigpt_core.midi_file.midi_bytes import take

    return take(sys.stdin.buffer if song == PIPE else song).data


def _everywhere(model: str) -> str:
    """A model as every machine finds it: a file by its whole path, anything else by its name."""
    return os.path.abspath(model) if Path(model).exists() else model
