"""A server on a tiny model: in this process for quick tests, on a real port for those about connections."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from tiny import engine, request, song

from midigpt_cli.server.app import create_app
from midigpt_cli.server.lifecycle import Server, make_server
from midigpt_cli.server.loaded_models import ModelEntry, Models
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.state import ServerState
from midigpt_core.score import Score

BASE = "http://127.0.0.1"
JOBS = os.environ.get("MIDIGPT_TEST_JOBS", "memory")  # where jobs are kept, unless a test says so


def models() -> Models:
    return Models([ModelEntry("tiny", engine(), "tiny")])


def wish(score: Score | None = None, bars: dict[int, list[int]] | None = None, **config: Any) -> dict[str, Any]:
    """The JSON body of a small request; its notes are few, so that it takes a moment only."""
    score = score or song(8)
    config.setdefault("density_hard_limit", 6)
    config.setdefault("retry_unchanged", False)
    return {"score": score.to_dict(), "request": request(score, bars or {1: [4, 5]}, **config).to_dict()}


def long_wish(**config: Any) -> dict[str, Any]:
    """A request that takes far longer than any test waits."""
    config = {"max_attempts": 1, "num_candidates": 8, "density_hard_limit": 0, **config}
    return wish(song(120), {1: list(range(120)), 2: list(range(120))}, **config)


def midi(score: Score | None = None) -> bytes:
    file = io.BytesIO()
    (score or song(8)).to_midi(file)
    return file.getvalue()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@contextmanager
def client_of(**settings: Any) -> Iterator[TestClient]:
    app = create_app(models(), ServerSettings(**{"job_store": JOBS, **settings}))
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        yield client


@dataclass
class Live:
    """A server on a real port."""

    url: str
    port: int
    state: ServerState
    server: Server
    thread: threading.Thread

    def until(self, test: Any, seconds: float = 20.0) -> None:
        """Wait until something holds."""
        until = time.monotonic() + seconds
        while not test():
            assert time.monotonic() < until, "waited too long"
            time.sleep(0.02)

    @property
    def busy(self) -> int:
        return len(self.state.queue.in_flight)


@contextmanager
def live_server(**settings: Any) -> Iterator[Live]:
    made = ServerSettings(**{"port": 0, "stop_seconds": 0.0, "job_store": JOBS, **settings})
    app = create_app(models(), made)
    server = make_server(app, made)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    until = time.monotonic() + 60  # a busy machine is no finding
    while not server.started:
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Live(f"{BASE}:{port}", port, app.state.midigpt, server, thread)
    finally:
        server.should_exit = True
        thread.join(20)


def frames(text: str) -> list[dict[str, Any]]:
    """The JSON of every server-sent event."""
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
