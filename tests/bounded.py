"""Run a command in a process of its own that may take so much memory and time, and no more."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ADDRESS_SPACE = 4 << 30  # bytes; whatever goes wrong, the machine goes on


@dataclass(frozen=True)
class Ended:
    """How the process ended, and what it took."""

    code: int
    out: str
    err: str
    peak_mb: float
    seconds: float


def midigpt(*arguments: str | Path, seconds: float = 60, **more: Any) -> Ended:
    """Run `midigpt` with these arguments."""
    return bounded([sys.executable, "-m", "midigpt_cli.main", *map(str, arguments)], seconds, **more)


def python(program: str, seconds: float = 60) -> Ended:
    """Run a program text."""
    return bounded([sys.executable, "-c", program], seconds)


def bounded(command: Sequence[str], seconds: float, **more: Any) -> Ended:
    """Run a command; one that takes longer is killed and has the code -9."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.NamedTemporaryFile() as told:
        started = time.perf_counter()
        launcher = [sys.executable, "-S", "-E", "-c", _LAUNCHER, told.name, str(int(seconds) + 1), *command]
        subprocess.run(launcher, stdout=out, stderr=err, check=False, **more)
        took = time.perf_counter() - started
        code, peak = map(int, told.read().split())
        return Ended(code, _text(out), _text(err), peak / 1024, took)


# A child's peak counts what its parent held when it was forked, so a small process forks it.
_LAUNCHER = f"""
import os, resource, sys
told, seconds, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
child = os.fork()
if not child:
    resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE}, {ADDRESS_SPACE}))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    os.execvp(command[0], command)
_, status, used = os.wait4(child, 0)
with open(told, "w") as file:
    file.write(f"{{os.waitstatus_to_exitcode(status)}} {{used.ru_maxrss}}")
"""


def _text(stream: Any) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")
