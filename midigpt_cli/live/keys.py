"""Single key presses from the terminal, without waiting for Enter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def live_keys() -> Iterator[LiveKeys]:
    """Keys while the block runs; none where standard input is no terminal. The terminal is put back as it was."""
    if not sys.stdin.isatty() or sys.platform == "win32":
        yield LiveKeys(sys.stdin.isatty())
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield LiveKeys(True)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


class LiveKeys:
    """What has been pressed."""

    def __init__(self, there: bool) -> None:
        self.there = there

    def pressed(self) -> str:
        """Every key since the last call; does not wait."""
        found = ""
        while self.there and self._waiting():
            key = self._read()
            if not key:
                self.there = False
            found += key
        return found

    if sys.platform == "win32":

        def _waiting(self) -> bool:
            import msvcrt

            return msvcrt.kbhit()

        def _read(self) -> str:
            import msvcrt

            return msvcrt.getwch()

    else:

        def _waiting(self) -> bool:
            import select

            return bool(select.select([sys.stdin], [], [], 0)[0])

        def _read(self) -> str:
            import os

            return os.read(sys.stdin.fileno(), 1).decode("ascii", "replace")
