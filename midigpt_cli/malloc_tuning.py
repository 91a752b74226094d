"""Keep memory flat over many songs: glibc gives each thread a heap of its own, and keeps what songs have left there."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

ARENAS = 2  # heaps for all threads together; the interpreter lets one of them work at a time
SONGS_BETWEEN = 32  # songs after which free pages are given back: a few milliseconds
_M_ARENA_MAX = -8  # of mallopt(3)


@cache
def _libc() -> Any:
    """The C library, where it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


def share_heaps() -> None:
    """Let the threads that are begun from here on share a few heaps."""
    if (library := _libc()) is not None:
        library.mallopt(_M_ARENA_MAX, ARENAS)


def give_back(finished: int) -> None:
    """Give the system the pages that are free, after every so many songs."""
    if finished % SONGS_BETWEEN == 0 and (library := _libc()) is not None:
        library.malloc_trim(0)
