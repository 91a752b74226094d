"""Tell a caller's server that a job has ended: signed, retried, and never sent to private addresses unasked."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import http.client
import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from midigpt_cli.server.metrics import Counter
from midigpt_cli.server.refusals import RefusalError
from midigpt_cli.server.settings import ServerSettings

RETRY_SECONDS = (0.0, 2.0, 15.0, 60.0, 300.0)  # waits before each attempt
TIMEOUT_SECONDS = 10.0
LONGEST_URL = 2000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

log = logging.getLogger("midigpt.webhooks")


class BadTargetError(ValueError):
    """A webhook address that is not to be called."""


def secret_bytes(secret: str) -> bytes:
    """The key in a whsec_... secret (or a plain string's own bytes)."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise BadTargetError("webhook_secret is not base64 after whsec_") from error


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The webhook-signature header of Standard Webhooks."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()).decode()


def parse(url: str) -> SplitResult:
    """The parts of a webhook URL. Raises BadTargetError."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for a port out of range)
    except ValueError as error:
        raise BadTargetError(f"cannot be read ({error})") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadTargetError("is not an http or https address")
    if parts.username or parts.password:
        raise BadTargetError("holds a user name or password; sign with the webhook secret instead")
    if len(url) > LONGEST_URL or any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        raise BadTargetError("is too long or holds spaces or letters beyond ASCII; percent-encode them")
    return parts


def addresses(parts: SplitResult, allow_private: bool) -> Sequence[str]:
    """The IP addresses of the host, all of them public unless private ones are allowed. Raises BadTargetError."""
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, _port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadTargetError(f"has a host that cannot be found: {host}") from error
    numbers = [str(row[4][0]) for row in found]
    private = [number for number in numbers if not is_public(number)]
    if private and not allow_private:
        raise BadTargetError(
            f"leads to the private address {private[0]}; the server may allow that (--webhook-private)"
        )
    return numbers


def is_public(number: str) -> bool:
    """Whether an IP address, or the one wrapped inside it, belongs to the open internet."""
    address = ipaddress.ip_address(number.split("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


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
    body: bytes


def post(message: Message, settings: ServerSettings) -> int:
    """Send once; the receiver's status. The address is looked up and checked anew, redirects are not followed.

    Raises OSError, http.client.HTTPException, BadTargetError.
    """
    parts = parse(message.url)
    number = addresses(parts, settings.webhook_private)[0]
    now = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "midigpt-webhook",
        "webhook-id": message.id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(settings.webhook_secret, message.id, now, message.body),
    }
    connection = http.client.HTTPConnection(parts.hostname or "", _port(parts), timeout=TIMEOUT_SECONDS)
    connection.sock = _connect(number, parts)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, message.body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _connect(number: str, parts: SplitResult) -> socket.socket:
    """A connection to exactly the address that was checked."""
    plain = socket.create_connection((number, _port(parts)), timeout=TIMEOUT_SECONDS)
    if parts.scheme == "http":
        return plain
    return ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)


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

    def send(self, message: Message) -> None:
        """Deliver in the background. Call from the event loop."""
        task = asyncio.create_task(self._deliver(message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self, seconds: float) -> None:
        """Give deliveries under way this long, then drop them."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)
        for task in self._under_way:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, message: Message) -> None:
        for attempt, wait in enumerate(self.retry_seconds, 1):
            await asyncio.sleep(wait)
            told = await asyncio.get_running_loop().run_in_executor(self._threads, self._try, message)
            log.info("webhook", extra={"job": message.id, "attempt": attempt, "came_to": told})
            if told.startswith("2"):
                self._count.add(outcome="delivered")
                return
            if told == "410":
                break
        self._count.add(outcome="given up")
        log.warning("webhook given up", extra={"job": message.id})

    def _try(self, message: Message) -> str:
        try:
            return str(post(message, self.settings))
        except (OSError, http.client.HTTPException, BadTargetError) as error:
            return f"{type(error).__name__}: {error}"
