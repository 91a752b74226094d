"""What every request passes first: an id and a log line, who may call, how much and how slowly it may send."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
import uuid
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from midigpt_cli.server.body import ID
from midigpt_cli.server.http_errors import RefusalError, describe, json_answer, respond
from midigpt_cli.server.server_settings import LOOPBACK
from midigpt_cli.server.state import ServerState

log = logging.getLogger("midigpt.access")

LONGEST_LENGTH = 18  # digits of a Content-Length
DRAIN_SECONDS, DRAIN_BYTES = 2.0, 256_000_000  # of a body that is refused
OPEN_PATHS = ("/health", "/ready", "/docs", "/openapi.json", "/docs/oauth2-redirect", "/studio", "/jam")
OPEN_FILES = ("/static-offline-docs/", "/studio/")  # what the pages are made of


class Journal:
    """Gives every request an id (the caller's own, or a new one) and the proxy's path, logs and counts it."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self.app, self.server = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.server.settings.root_path and scope["type"] in ("http", "websocket"):
            scope["root_path"] = self.server.settings.root_path
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, statuses = time.perf_counter(), [500]
        asked = Headers(scope=scope).get("x-request-id", "")
        own = scope.setdefault("state", {})
        own["request_id"] = asked if ID.fullmatch(asked) else uuid.uuid4().hex

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses[0] = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = own["request_id"]
            await send(message)

        self.server.queue.touch()
        try:
            await self.app(scope, receive, tell)
        finally:
            self._note(scope, statuses[0], time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", "unknown")
        self.server.telemetry.request(scope["method"], path, status, seconds)
        facts = {
            "request_id": scope["state"]["request_id"],
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "seconds": round(seconds, 4),
            "client": scope["client"][0] if scope.get("client") else "",
        }
        log.log(
            logging.DEBUG if scope["path"] in ("/health", "/ready", "/metrics") else logging.INFO,
            "request",
            extra=facts,
        )


class Doorkeeper:
    """Lets in who knows the key; without a key, nobody whom a foreign web page has sent."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self.app, self.settings = app, state.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await respond(Request(scope), refusal)(scope, receive, send)
        else:
            _, body, headers = describe(refusal)
            socket = WebSocket(scope, receive, send)
            await socket.send_denial_response(json_answer(body, refusal.status, headers))

    def _refusal(self, scope: Scope) -> RefusalError | None:
        headers = Headers(scope=scope)
        if self.settings.api_key:
            path = scope["path"].removeprefix(self.settings.root_path)
            open_to_all = path in OPEN_PATHS or path.startswith(OPEN_FILES)
            if open_to_all or scope.get("method") == "OPTIONS" or self._knows_key(headers):
                return None
            ask = {"WWW-Authenticate": "Bearer"}
            return RefusalError(
                401, "the API key is missing or wrong; send it as X-API-Key or Authorization: Bearer", ask
            )
        return self._foreign_host(headers) or self._foreign_page(headers)

    def _knows_key(self, headers: Headers) -> bool:
        whole = headers.get("authorization", "").strip()
        scheme, _, token = whole.partition(" ")
        given = headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else whole)
        if not given:  # what a browser can send with a websocket: new WebSocket(url, ["midigpt", "key.SECRET"])
            words = [word.strip() for word in headers.get("sec-websocket-protocol", "").split(",")]
            given = next((word.removeprefix("key.") for word in words if word.startswith("key.")), "")
        return hmac.compare_digest(given.encode(), self.settings.api_key.encode())

    def _foreign_host(self, headers: Headers) -> RefusalError | None:
        """A name that a foreign site has pointed at this machine (DNS rebinding)."""
        host = _host_in(f"//{headers.get('host', '')}")
        if host is None:
            return RefusalError(400, "the Host header cannot be read; send the name of this machine")
        if not self.settings.local or host in LOOPBACK or host in self.settings.allow_host or not host:
            return None
        return RefusalError(
            403, f"Host {host!r} is not this machine; start the server with --allow-host {host} to serve it"
        )

    def _foreign_page(self, headers: Headers) -> RefusalError | None:
        origin = headers.get("origin")
        allowed = self.settings.cors_origin
        if origin is None or "*" in allowed or origin in allowed:
            return None
        if _host_in(origin) is not None and urlsplit(origin).netloc == headers.get("host"):
            return None
        return RefusalError(
            403, f"pages of {origin[:200]!r} may not call this server; start it with --cors-origin {origin[:200]}"
        )


def _host_in(url: str) -> str | None:
    """The host name of an address, "" where it has none, None where it cannot be read."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return None


class BodyLimit:
    """Refuses bodies that are too large, and those that take too long to arrive."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self.app, self.settings = app, state.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or len(length) > LONGEST_LENGTH or int(length) > self.settings.max_body_bytes:
            await _drain(scope, receive)
            await respond(Request(scope), self._too_large())(scope, receive, send)
            return
        until = time.monotonic() + self.settings.body_seconds
        seen, complete = 0, False

        async def counted() -> Message:
            nonlocal seen, complete
            if complete:
                return await receive()
            message = await self._in_time(receive, until)
            seen += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if seen > self.settings.max_body_bytes:
                if not complete:
                    await _drain(scope, receive)
                raise self._too_large()
            return message

        await self.app(scope, counted, send)

    async def _in_time(self, receive: Receive, until: float) -> Message:
        try:
            return await asyncio.wait_for(receive(), max(0.0, until - time.monotonic()))
        except asyncio.TimeoutError:
            seconds = self.settings.body_seconds
            raise RefusalError(
                408, f"the body took more than {seconds:g} s to arrive", {"Connection": "close"}
            ) from None

    def _too_large(self) -> RefusalError:
        most = self.settings.max_body_mb
        return RefusalError(413, f"the body is larger than {most:g} MB (max_body_mb)", {"Connection": "close"})


async def _drain(scope: Scope, receive: Receive) -> None:
    """Take in for a moment what is still on its way: a client that is sending while the line is closed sees a reset
    instead of the answer. One that asks first (Expect: 100-continue) is not told to go on."""
    if "expect" in Headers(scope=scope):
        return
    until, more, seen = time.monotonic() + DRAIN_SECONDS, True, 0
    while more and seen < DRAIN_BYTES:
        try:
            message = await asyncio.wait_for(receive(), max(0.0, until - time.monotonic()))
        except asyncio.TimeoutError:
            return
        more = message["type"] == "http.request" and message.get("more_body", False)
        seen += len(message.get("body", b""))
