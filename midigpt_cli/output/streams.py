"""Standard streams that whoever started the command has closed."""

from __future__ import annotations

import os
import sys

_NAMES = ("stdin", "stdout", "stderr")
_closed: set[str] = set()


def open_all() -> None:
    """Put the null device where a standard stream is closed.

    Else the next file to be opened would take its number, and get what is said in its place.
    """
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
        if getattr(sys, name) is None:
            _closed.add(name)
            setattr(sys, name, open(os.devnull, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115


def is_closed(name: str) -> bool:
    """Whether "stdin", "stdout" or "stderr" was closed when the command began."""
    return name in _closed
