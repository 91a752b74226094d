"""Tell a caller's server that a job has ended: signed, retried, and never sent to private addresses unasked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import http.client
import logging
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from midigpt_cli.server.http_errors import RefusalError
from midigpt_cli.server.outbound import BadTargetError, addresses, open_connection, parse, path_of
from midigpt_cli.server.prometheus import Counter
from midigpt_cli.server.server_settings import ServerSettings

RETRY_SECONDS = (0.0, 2.0, 15.0, 60.0, 300.0)  # waits before each attempt
TIMEOUT_SECONDS = 10.0

log = logging.getLogger("midigpt.webhooks")


def secret_bytes(secret: str) -> bytes:
    """The key in a whsec_... secret (or a plain string's own bytes)."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:
        raise BadTargetError("webhook_secret is not base64 after whsec_") from error


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The webhook-signature header of Standard Webhooks."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()).decode()


def check_url(url: object, settings: ServerSettings) -> str:
    """A webhook URL that may be called. Raises RefusalError (422)."""
    if not isinstance(url, str):
        raise RefusalError(422, "webhook_url is not a string; give an https address", field="webhook_url")
    if not settings.webhook_secret:
        raise RefusalError(
            422, "webhook_url needs a server with a webhook secret (--webhook-secret)", field="webhook_url"
        )
    try:
        addresses(parse(url), settings.webhook_private)
    except BadTargetError as error:
        raise RefusalError(422, f"webhook_url {url[:200]!r} {error}", field="webhook_url") from error
    return url


@dataclass(frozen=True)
class Message:
    """One webhook to be delivered."""

    id: str
    url: str
    packed: bytes  # the body, compressed: it may wait for minutes

    @classmethod
    def of(cls, message_id: str, url: str, body: bytes) -> Message:
        """Pack the body."""
        return cls(message_id, url, zlib.compress(body, 1))

    @property
    def body(self) -> bytes:
        return zlib.decompress(self.packed)


def post(message: Message, settings: ServerSettings) -> int:
    """Send once; the receiver's status. The address is looked up and checked anew, redirects are not followed.

    Raises OSError, http.client.HTTPException, BadTargetError.
    """
    parts = parse(message.url)
    now = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "midigpt-webhook",
        "webhook-id": message.id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(settings.webhook_secret, message.id, now, message.body),
    }
    connection = open_connection(parts, settings.webhook_private, TIMEOUT_SECONDS)
    try:
        connection.request("POST", path_of(parts), message.body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _nobody(_: str) -> None:
    """Nobody asks what came of it."""


class Postman:
    """Delivers messages on threads of its own, again and again until somebody takes them."""

    def __init__(
        self, settings: ServerSettings, count: Counter, retry_seconds: Sequence[float] = RETRY_SECONDS
    ) -> None:
        self.settings = settings
        self.retry_seconds = retry_seconds
        self._count = count
        self._threads = ThreadPoolExecutor(4, "midigpt-webhook")
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, message: Message, settled: Callable[[str], None] = _nobody) -> None:
        """Deliver in the background; `settled` hears, in a thread, what came of it. Call from the event loop."""
        task = asyncio.create_task(self._deliver(message, settled))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self, seconds: float) -> None:
        """Give deliveries under way this long, then drop them."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)
        for task in self._under_way:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, message: Message, settled: Callable[[str], None]) -> None:
        threads = asyncio.get_running_loop().run_in_executor
        for attempt, wait in enumerate(self.retry_seconds, 1):
            await asyncio.sleep(wait)
            told = await threads(self._threads, self._try, message, settled)
            log.info("webhook", extra={"job": message.id, "attempt": attempt, "came_to": told})
            if told.startswith("2"):
                self._count.add(outcome="delivered")
                return
            if told == "410":
                break
        self._count.add(outcome="given up")
        await threads(self._threads, settled, "given up")
        log.warning("webhook given up", extra={"job": message.id})

    def _try(self, message: Message, settled: Callable[[str], None]) -> str:
        try:
            told = str(post(message, self.settings))
        except (OSError, http.client.HTTPException, BadTargetError) as error:
            return f"{type(error).__name__}: {error}"
        if told.startswith("2"):
            settled("delivered")
        return told
