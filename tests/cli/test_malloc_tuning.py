"""Threads share heaps, so that songs written side by side leave little behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from midigpt_cli import malloc_tuning

AT_WORK = """
import ctypes, sys, threading
from midigpt_cli import malloc_tuning

if sys.argv[1] == "shared":
    malloc_tuning.share_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
together = threading.Barrier(16)

def work():
    together.wait()
    libc.malloc(5000)
    together.wait()

threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stream = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, stream)
libc.fclose(stream)
"""


def heaps(tmp_path, how: str) -> int:
    """How many heaps glibc has made for sixteen threads."""
    told = tmp_path / f"{how}.xml"
    subprocess.run([sys.executable, "-c", AT_WORK, how, str(told)], check=True)
    return told.read_text().count("<heap nr=")


@pytest.mark.skipif(malloc_tuning._libc() is None, reason="only glibc gives threads heaps of their own")
def test_threads_share_a_few_heaps(tmp_path) -> None:
    assert heaps(tmp_path, "shared") <= malloc_tuning.ARENAS
    assert heaps(tmp_path, "apart") > malloc_tuning.ARENAS


def test_free_pages_go_back_after_every_so_many_songs(monkeypatch) -> None:
    class Library:
        trimmed = 0

        def malloc_trim(self, keep: int) -> None:
            self.trimmed += 1

    library = Library()
    monkeypatch.setattr(malloc_tuning, "_libc", lambda: library)
    for number in range(1, 3 * malloc_tuning.SONGS_BETWEEN + 1):
        malloc_tuning.give_back(number)
    assert library.trimmed == 3


def test_nothing_is_asked_of_another_c_library(monkeypatch) -> None:
    looked_for: list[str] = []

    class Musl:
        def __getattr__(self, name: str) -> None:
            looked_for.append(name)
            raise AttributeError(name)

    monkeypatch.setattr(malloc_tuning.ctypes, "CDLL", lambda name: Musl())
    monkeypatch.setattr(malloc_tuning, "_libc", malloc_tuning._libc.__wrapped__)  # not what an earlier test has found
    malloc_tuning.share_heaps()
    malloc_tuning.give_back(malloc_tuning.SONGS_BETWEEN)
    if sys.platform.startswith("linux"):
        assert looked_for == ["malloc_trim", "malloc_trim"]  # only whether it is there, once each
    else:
        assert not looked_for
