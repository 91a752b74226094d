"""A jam beside its listener: one thread writes ahead, the listener takes chunks in order and in time."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from midigpt_cli.live.late_chunks import NEVER, SKIP, ChunkClock, stand_in
from midigpt_core.errors import CancelledError, MidiGptError
from midigpt_core.fields import check, refused, setting
from midigpt_core.jam import Chunk, Jam, JamSettings
from midigpt_core.music import seconds_of
from midigpt_core.score import Score

PACES = ("realtime", "asap")
MOST_AHEAD = 64
KEPT = 16  # delivered chunks that can be asked for again


@dataclass(frozen=True)
class Pacing:
    """How fast a jam is written. In `realtime` the bar clock starts with the first chunk that is taken."""

    pace: str = setting("realtime", "against the clock, or as fast as chunks are taken", choices=PACES)
    ahead: int = setting(2, "most chunks ready and not yet taken (or, once acknowledged, consumed)", 1, MOST_AHEAD)
    expires: float = NEVER  # seconds without a sign of life after which the jam ends

    def __post_init__(self) -> None:
        check(self, "")


@dataclass(frozen=True)
class Delivery:
    """A chunk at its place in what the listener hears."""

    chunk: Chunk  # index and start_bar are those of its place
    late: str | None = None  # "repeat" or "rest": stands in for a chunk that was not ready
    skipped: int = 0  # places left out just before it

    def to_dict(self, midi: bool = False) -> dict[str, Any]:
        """The JSON form."""
        return {**self.chunk.to_dict(midi), "late": self.late, "skipped": self.skipped}


class JamSession:
    """Writes on a thread of its own; every method may be called from any thread."""

    def __init__(self, jam: Jam, pacing: Pacing | None = None) -> None:
        self.pacing = pacing or Pacing()
        self.engine = jam.engine
        self.settings = jam.settings  # as last asked for
        self.version = jam.version  # of what was last asked for
        self.ended = ""  # why: stopped, expired, failed, ...
        self.error: MidiGptError | None = None  # what it failed with, where that can be told
        self.late: Counter[str] = Counter()
        self.latencies: deque[float] = deque(maxlen=512)  # milliseconds of the last chunks
        self.next_index = 0  # of the place that is delivered next
        self.consumed = -1  # last place acknowledged
        self._jam = jam
        self._changed = threading.Condition()
        self._watchers: list[Callable[[], object]] = []
        self._changes: list[Callable[[Jam], object]] = []
        self._ready: deque[Chunk] = deque()
        self._kept: OrderedDict[int, Delivery] = OrderedDict()
        self._writing = False
        self._bar = 0
        self._skipped = 0
        self._clock = ChunkClock(self.pacing.pace == "realtime")
        self._last: Chunk | None = None
        self._touched = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="midigpt-jam", daemon=True)
        self._thread.start()

    # ---- the writing thread ----

    def _run(self) -> None:
        try:
            while self._my_turn():
                chunk = self._jam.next_chunk()
                with self._changed:
                    self._writing = False
                    self._ready.append(chunk)
                    self.latencies.append(chunk.latency_ms)
                    self._tell()
        except CancelledError:
            self.end("stopped")
        except MidiGptError as error:
            self.error = error
        finally:
            self.end("failed")

    def _my_turn(self) -> bool:
        """Wait until a chunk may be written, and apply changes made meanwhile; False at the end."""
        with self._changed:
            while not self.ended:
                now = time.monotonic()
                if now - self._touched > self.pacing.expires:
                    self._end("expired")
                    return False
                wait = self._until_allowed(now)
                if wait <= 0:
                    changes, self._changes = self._changes, []
                    for change in changes:
                        change(self._jam)
                    self._writing = True
                    return True
                self._changed.wait(min(wait, self._touched + self.pacing.expires - now + 0.01, 60.0))
            return False

    def _until_allowed(self, now: float) -> float:
        """Seconds until the next chunk may be written; NEVER while the listener has enough."""
        index = self.next_index + len(self._ready)
        heard = self.consumed if self.consumed >= 0 else self.next_index - 1
        if index - heard > self.pacing.ahead:
            return NEVER
        seconds = self.settings.chunk_seconds
        begins = self._clock.begins_in(now, len(self._ready) * seconds)
        return 0.0 if begins is None else max(0.0, begins - self.pacing.ahead * seconds)

    # ---- listening ----

    def take(self) -> Delivery | None:
        """The next chunk if it is there, or what stands in for it if it is due; None: not yet. Raises its error."""
        with self._changed:
            if self._ready:
                return self._deliver(self._ready.popleft(), None)
            if self.error:
                raise self.error
            while self._overdue():
                policy = self.settings.late
                self.late[policy] += 1
                if policy != SKIP:
                    assert self._last is not None  # the clock starts with the first chunk
                    return self._deliver(stand_in(self._last, policy), policy)
                self._leave_out()
            return None

    def wait(self, seconds: float) -> Delivery | None:
        """The same, waiting for it; None after that time or at the end."""
        until = time.monotonic() + seconds
        with self._changed:
            while (given := self.take()) is None and not self.ended:
                left = min(until - time.monotonic(), self.until_due())
                if time.monotonic() >= until:
                    return None
                self._changed.wait(max(left, 0.001))
            return given

    def again(self, index: int) -> Delivery | None:
        """A chunk that was delivered and not yet consumed."""
        with self._changed:
            return self._kept.get(index)

    def until_due(self) -> float:
        """Seconds until something has to be delivered, ready or not; NEVER where nothing has to."""
        return NEVER if self.ended else self._clock.until_due()

    @contextmanager
    def watched(self, tell: Callable[[], object]) -> Iterator[None]:
        """Meanwhile call `tell`, from the writing thread, whenever something has changed."""
        with self._changed:
            self._watchers.append(tell)
        try:
            yield
        finally:
            with self._changed:
                self._watchers.remove(tell)

    def _overdue(self) -> bool:
        now = time.monotonic()
        if self.ended or not self._clock.overdue(now):
            return False
        if not self._writing and self._until_allowed(now) > 0:  # it waits for the listener: so does the clock
            self._clock.wait_for_listener(now, self.settings.chunk_seconds)
            return False
        return True

    def _deliver(self, chunk: Chunk, late: str | None) -> Delivery:
        given = Delivery(replace(chunk, index=self.next_index, start_bar=self._bar), late, self._skipped)
        self._skipped, self._last = 0, chunk
        bars = len(chunk.score.tracks[0].bars)
        self._advance(bars, seconds_of(bars * self.settings.bar_quarters, chunk.score.tempo))
        self._kept[given.chunk.index] = given
        while len(self._kept) > KEPT + self.pacing.ahead:
            self._kept.popitem(last=False)
        return given

    def _leave_out(self) -> None:
        self._skipped += 1
        self._advance(self.settings.bars_per_chunk, self.settings.chunk_seconds)

    def _advance(self, bars: int, seconds: float) -> None:
        self.next_index += 1
        self._bar += bars
        self._clock.advance(seconds)
        self._changed.notify_all()

    # ---- steering ----

    def touch(self) -> None:
        """Note a sign of life."""
        self._touched = time.monotonic()

    def consume(self, index: int) -> int:
        """Everything up to this chunk has been played and may be forgotten; how many are still kept.

        Raises RequestValidationError for a chunk that was not delivered.
        """
        with self._changed:
            if not 0 <= index < self.next_index:
                what = f"is not delivered yet; the next one is {self.next_index}"
                raise refused("index", index, what, "acknowledge what was taken")
            self.consumed = max(self.consumed, index)
            for old in [i for i in self._kept if i <= self.consumed]:
                del self._kept[old]
            self._tell()
            return len(self._kept)

    def update(self, settings: JamSettings) -> tuple[int, int]:
        """Play under other settings; (version, first chunk that does). Parts and metre stay.

        Raises RequestValidationError for settings no chunk could be written under.
        """
        Jam(self.engine, settings)
        with self._changed:
            self.settings = settings
            return self._change(lambda jam: jam.update(settings))

    def reseed(self, song: Score) -> tuple[int, int]:
        """Go on from the last bars of this song; (version, first chunk that does). Raises RequestValidationError."""
        Jam(self.engine, self.settings, song)
        with self._changed:
            return self._change(lambda jam: jam.reseed(song))

    def _change(self, change: Callable[[Jam], object]) -> tuple[int, int]:
        self._changes.append(change)
        self.version += 1
        return self.version, self.next_index + len(self._ready) + self._writing

    def end(self, why: str = "stopped") -> None:
        """End it, the chunk being written included."""
        with self._changed:
            self._end(why)

    def _end(self, why: str) -> None:
        self.ended = self.ended or why
        self._jam.cancel_event.set()
        self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        for tell in self._watchers:
            tell()

    def join(self, seconds: float = 30.0) -> None:
        """Wait until the writing thread is done."""
        self._thread.join(seconds)

    def status(self) -> dict[str, Any]:
        """Where it stands, as plain values."""
        with self._changed:
            known = sorted(self.latencies)
            return {
                "state": self.ended or "running",
                "version": self.version,
                "next_index": self.next_index,
                "consumed": self.consumed,
                "ready": len(self._ready),
                "writing": self._writing,
                "late_chunks": {"total": sum(self.late.values()), **self.late},
                "latency_ms": {
                    "p50": round(statistics.median(known), 1) if known else None,
                    "p99": round(known[min(len(known) - 1, round(0.99 * len(known)))], 1) if known else None,
                },
                "chunk_seconds": self.settings.chunk_seconds,
            }
