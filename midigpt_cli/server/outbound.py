"""Outbound calls: addresses are resolved, checked, and called exactly where they resolved to."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

LONGEST_URL = 2000
# Special ranges after the registries of IANA. Of IPv6, only what has been given out as global unicast can be public;
# that leaves out forms of IPv4 addresses that a router may turn back: ::a.b.c.d, ::ffff:0:a.b.c.d, 64:ff9b:1::/48.
_UNICAST = ipaddress.ip_network("2000::/3")
_SPECIAL = tuple(ipaddress.ip_network(net) for net in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_RELAYS = ipaddress.ip_network("192.88.99.0/24")


class BadTargetError(ValueError):
    """An address that is not to be called."""


def parse(url: str) -> SplitResult:
    """The parts of an http or https URL. Raises BadTargetError."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for a port out of range)
    except ValueError as error:
        raise BadTargetError(f"cannot be read ({error})") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadTargetError("is not an http or https address")
    if parts.username or parts.password:
        raise BadTargetError("holds a user name or password; leave them out")
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
            f"leads to the private address {private[0]}, which this server does not call unless it is told to"
        )
    return numbers


def is_public(number: str) -> bool:
    """Whether an IP address, or the one wrapped inside it, belongs to the open internet."""
    address = ipaddress.ip_address(number.split("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and address not in _RELAYS
    inner = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(str(inner))
    return address in _UNICAST and address.is_global and not any(address in net for net in _SPECIAL)


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def open_connection(parts: SplitResult, allow_private: bool, timeout: float) -> http.client.HTTPConnection:
    """A connection to an address of the host that has just been checked. Raises OSError, BadTargetError."""
    number = addresses(parts, allow_private)[0]
    connection = http.client.HTTPConnection(parts.hostname or "", _port(parts), timeout=timeout)
    plain = socket.create_connection((number, _port(parts)), timeout=timeout)
    secure = parts.scheme == "https"
    connection.sock = (
        ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname) if secure else plain
    )
    return connection


def path_of(parts: SplitResult) -> str:
    """Path and query, as a request line has them."""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
