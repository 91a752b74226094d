"""Run a command in a process of its own that may take so much memory and time, and no more."""

from __future__ import annotations

import os
import resource
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

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, preexec_fn=limits, **more)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.perf_counter() - started
        texts = [_text(stream) for stream in (out, err)]
    return Ended(process.returncode, *texts, used.ru_maxrss / 1024, took)


def _text(stream: Any) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")
