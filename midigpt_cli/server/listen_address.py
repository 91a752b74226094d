"""Whether a server can listen where it is told to, before its models are loaded."""

from __future__ import annotations

import errno
import socket

from midigpt_core.fields import refused


def check_address(host: str, port: int) -> None:
    """Raise RequestValidationError where nothing can listen at this address, or another program does."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        remedy = "use 127.0.0.1 for this machine alone, 0.0.0.0 for every address of it, or its name"
        raise refused("--host", host, "is no address", remedy) from None
    faults = [fault for fault in (_fault(family, place) for family, _, _, _, place in found) if fault is not None]
    if any(fault.errno == errno.EADDRINUSE for fault in faults):
        raise refused("--port", port, "is in use", "choose another, or 0 for a free one")
    if len(faults) == len(found):
        why = faults[0].strerror or str(faults[0])
        raise refused("--host", host, f"cannot be listened on, port {port} ({why})", "choose another --host or --port")


def _fault(family: int, place: tuple[object, ...]) -> OSError | None:
    """Why nothing can listen there."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as the server itself
            probe.bind(place)
    except OSError as error:
        return error
    return None
