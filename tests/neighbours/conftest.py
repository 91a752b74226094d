"""A server in a process of its own, on a real socket, as clients of neighbouring systems meet it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

for _needed in ("fastapi", "uvicorn", "httpx", "multipart", "websockets"):
    pytest.importorskip(_needed)

import httpx  # noqa: E402
from serving import free_port  # noqa: E402
from tiny import engine  # noqa: E402

from midigpt_core.model.checkpoint import save_checkpoint  # noqa: E402

START_SECONDS = 60


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in a file."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_checkpoint(path, engine().model, engine().tokenizer.config)
    return path


@contextlib.contextmanager
def process(command: list[str], env: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a server started by these words of the command line, stopped afterwards."""
    port = free_port()
    whole = [sys.executable, "-m", *command, "--port", str(port)]
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **(env or {})}
    running = subprocess.Popen(whole, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, running)
        yield url
    finally:
        running.terminate()
        running.communicate(timeout=30)


def _wait(url: str, running: subprocess.Popen[str]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if running.poll() is not None:
            raise AssertionError(f"the server ended: {running.communicate()[1][-2000:]}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start")


@pytest.fixture(scope="session")
def served() -> Callable[..., contextlib.AbstractContextManager[str]]:
    """`served(["midigpt_cli", "serve", ...])` as a context manager."""
    return process


@pytest.fixture(scope="module")
def url(served, checkpoint) -> Iterator[str]:
    """The address of `midigpt serve` with the tiny model."""
    with served(["midigpt_cli", "serve", "--ckpt", str(checkpoint)]) as address:
        yield address


@pytest.fixture
def http(url) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client
