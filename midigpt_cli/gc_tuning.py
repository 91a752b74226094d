"""How often the process looks for garbage: hardly while it loads, as usual at work, not at all when it ends.

Loading a command makes 90,000 objects that stay. Looking through them again and again took 5 % of a short command, and
another 15 % as the interpreter ended.
"""

from __future__ import annotations

import gc

_USUAL = gc.get_threshold()


def collect_rarely() -> None:
    """From here on much is made and little thrown away."""
    gc.set_threshold(50_000, 20, 20)


def collect_as_usual() -> None:
    """What is there by now stays; look for garbage among what comes."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


def stop_collecting() -> None:
    """The process is about to end, and its memory with it."""
    gc.freeze()
