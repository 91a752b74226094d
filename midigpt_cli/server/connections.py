"""Connections that send nothing, or the head of a request too slowly, are ended; so are those too many."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from midigpt_cli.server.server_settings import ServerSettings

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, with a bound on how long the head of a request may take and on connections in all."""

    settings: ServerSettings
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.settings.max_connections:
            self._refuse(_FULL)
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and not self._answering:
            self._await_head()  # the first bytes of a further request
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self._answering:
            self._stop_waiting()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.settings.header_seconds, self._refuse, _LATE)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, answer: bytes) -> None:
        self._deadline = None
        if not self._answering and not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def protocol_for(settings: ServerSettings) -> type[asyncio.Protocol]:
    """The protocol with these bounds."""
    return type("Protocol", (BoundedProtocol,), {"settings": settings})
