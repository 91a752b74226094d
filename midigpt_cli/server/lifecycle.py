"""Run the application until a signal or idleness ends it, and end it in order."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from midigpt_cli.gc_tuning import collect_as_usual
from midigpt_cli.server.connections import protocol_for
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.state import ServerState
from midigpt_core.audio.preload import load_in_background

SWITCH_SECONDS = 0.001  # the event loop waits at most this long for each busy thread, so that /health stays quick
STOPPED_LATE_SECONDS = 5.0  # for answers to leave after the last run was stopped

log = logging.getLogger("midigpt.server")


class Server(uvicorn.Server):
    """A uvicorn server that lets running work finish, within the stated time, before it closes."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self.state = state

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        self._idle = asyncio.create_task(self._watch_idle())

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._idle.cancel()
        self.state.draining = True
        await self._drain()
        log.info("stopping", extra={"in_flight": len(self.state.queue.in_flight)})
        closing = asyncio.create_task(self.state.queue.close(self.state.settings.stop_seconds))
        await super().shutdown(sockets)  # type: ignore[arg-type]
        await closing

    async def _drain(self) -> None:
        """Go on taking requests until load balancers have noticed; a second signal ends it."""
        until = time.monotonic() + self.state.settings.drain_seconds
        while time.monotonic() < until and not self.force_exit:
            await asyncio.sleep(0.05)

    async def _watch_idle(self) -> None:
        seconds = self.state.settings.idle_timeout
        while seconds:
            queue = self.state.queue
            if not queue.in_flight and time.monotonic() - queue.last_activity >= seconds:
                log.info("idle", extra={"seconds": seconds})
                self.should_exit = True
                return
            await asyncio.sleep(min(1.0, seconds / 4))


def make_server(app: FastAPI, settings: ServerSettings) -> Server:
    """A server for the application, not yet started."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        http=protocol_for(settings),
        timeout_keep_alive=settings.keep_alive_seconds,  # type: ignore[arg-type]
        ws_max_size=settings.max_body_bytes,
        timeout_graceful_shutdown=int(settings.stop_seconds + STOPPED_LATE_SECONDS),
    )
    return Server(config, app.state.midigpt)


def serve(app: FastAPI, settings: ServerSettings, beside: Callable[[Server], None] | None = None) -> None:
    """Serve until stopped; `beside` runs in a thread of its own meanwhile."""
    sys.setswitchinterval(SWITCH_SECONDS)
    collect_as_usual()
    load_in_background()
    server = make_server(app, settings)
    if beside is not None:
        threading.Thread(target=beside, args=(server,), daemon=True).start()
    server.run()
