"""Work on several songs at once: begun side by side, finished one after another in their order."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Song = TypeVar("Song")
Begun = TypeVar("Begun")

AHEAD = 2  # songs begun for each that is worked on: no thread waits for a slow song before it, and memory stays flat


def in_parallel(
    songs: Iterable[Song], begin: Callable[[Song], Begun], at_once: int, stop: Callable[[], None]
) -> Iterator[tuple[Song, Future[Begun]]]:
    """Each song with what `begin` makes of it, in order; `stop` is called to end what is under way when left early."""
    rest = iter(songs)
    under_way: deque[tuple[Song, Future[Begun]]] = deque()
    pool = ThreadPoolExecutor(at_once, "midigpt-song")
    try:
        while True:
            for song in itertools.islice(rest, at_once * AHEAD - len(under_way)):
                under_way.append((song, pool.submit(begin, song)))
            if not under_way:
                return
            song, begun = under_way.popleft()
            begun.exception()  # wait for it
            yield song, begun
    finally:
        stop()
        pool.shutdown(cancel_futures=True)
