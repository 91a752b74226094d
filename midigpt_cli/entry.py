"""Where the `midigpt` command begins: Ctrl-C ends it quietly even while it is still being loaded."""

from __future__ import annotations

import os
import signal
from typing import Any


def _leave(*_: Any) -> None:
    """Nothing has been begun: say so and go, without the traceback of whatever was being imported."""
    os.write(2, b"midigpt: interrupted\n")
    os._exit(130)


def main() -> None:
    """Load the command line and run it."""
    usual = signal.signal(signal.SIGINT, _leave)
    from midigpt_cli.main import main as run

    signal.signal(signal.SIGINT, usual)
    run()


if __name__ == "__main__":
    main()
