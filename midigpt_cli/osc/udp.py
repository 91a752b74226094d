"""The UDP side of an OSC session: datagrams in, answers to whoever sent the last one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from midigpt_cli.osc.osc_session import OscSession
from midigpt_cli.osc.params import OscParams
from midigpt_core.errors import MidiGptError
from midigpt_core.fields import refused

if TYPE_CHECKING:
    from midigpt_core.engine import InferenceEngine

INSTALL = 'pip install "midigpt-cli[osc]"'


class MissingOscError(MidiGptError):
    """The package that speaks OSC is not installed."""


@contextlib.contextmanager
def listening(
    engine: InferenceEngine, host: str, port: int, reply_port: int | None = None, params: OscParams | None = None
) -> Iterator[Any]:
    """A server for one session: call its `serve_forever`. Raises RequestValidationError, MissingOscError."""
    try:
        from pythonosc.dispatcher import Dispatcher
        from pythonosc.osc_server import BlockingOSCUDPServer
        from pythonosc.udp_client import SimpleUDPClient
    except ImportError:
        raise MissingOscError(f"OSC needs the python-osc package: {INSTALL}") from None
    clients: dict[tuple[str, int], Any] = {}
    last: list[Any] = []

    def say(address: str, *arguments: Any) -> None:
        for client in last:
            client.send_message(address, list(arguments))

    def hear(sender: tuple[str, int], address: str, *arguments: Any) -> None:
        place = (sender[0], reply_port or sender[1])
        if place not in clients:
            clients.clear()  # one session has one client
            clients[place] = SimpleUDPClient(*place)
        last[:] = [clients[place]]
        session.hear(address, *arguments)

    table = Dispatcher()
    table.set_default_handler(hear, needs_reply_address=True)
    try:
        server = BlockingOSCUDPServer((host, port), table)
    except OSError as error:
        raise refused("--port", port, f"cannot be listened on ({error.strerror})", "choose another") from None
    session = OscSession(engine, say, params)
    try:
        yield server
    finally:
        server.server_close()
        session.close()
