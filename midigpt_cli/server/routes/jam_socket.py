"""WS /ws/jam: one jam per connection; chunks are sent as they are ready, and the jam ends with the connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from midigpt_cli.live.late_chunks import NEVER
from midigpt_cli.parse.jam_messages import CHANGING, FIXED, check_keys
from midigpt_cli.parse.magenta import translated
from midigpt_cli.server.body import parse_json
from midigpt_cli.server.chunk_audio import in_words
from midigpt_cli.server.http_errors import RefusalError, describe
from midigpt_cli.server.open_jams import Room
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.routes.jam import opening, words_of
from midigpt_cli.server.state import ServerState
from midigpt_core.errors import MidiGptError

router = APIRouter()

KEYS: Mapping[str, tuple[str, ...]] = {  # what a message of each type may hold
    "start": (*CHANGING, *FIXED),
    "update": (*CHANGING, *FIXED),
    "reseed": ("score", "midi"),
    "consume": ("index",),
    "status": (),
    "stop": (),
    "ping": ("time",),
}


@router.websocket("/ws/jam")
async def jam(socket: WebSocket) -> None:
    """Messages are JSON with a type: KEYS from the player; started, chunk, status, error, stopped, pong to it."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept("midigpt" if "midigpt" in offered else None)
    player = SocketPlayer(socket, socket.app.state.midigpt)
    try:
        await player.listen()
    except (WebSocketDisconnect, OSError):
        return
    finally:
        await player.leave("the client left")


class SocketPlayer:
    """One connection, with the jam it plays."""

    def __init__(self, socket: WebSocket, state: ServerState) -> None:
        self.socket, self.state = socket, state
        self.room: Room | None = None
        self._sender: asyncio.Task[None] | None = None
        self._line = asyncio.Lock()
        self.unused: tuple[str, ...] = ()  # fields of the message at hand that mean nothing here

    async def listen(self) -> None:
        """Answer one message after the other, until the connection ends."""
        while True:
            message = await self.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            raw = text.encode() if text is not None else message.get("bytes") or b""
            kind = ""
            try:
                sent = parse_json(raw)
                kind = _named(sent)
                data, self.unused = translated(sent)
                await self._answer(_kind(data), data)
            except (RefusalError, MidiGptError) as error:
                await self._say_error(error, kind)

    async def leave(self, why: str) -> None:
        """Free the jam, whatever it is doing."""
        if self.room is not None:
            self.state.jams.close(self.room, why)
        if self._sender is not None:
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await self._sender
        self.room = self._sender = None

    async def _answer(self, kind: str, data: dict[str, Any]) -> None:
        self.state.queue.touch()
        if kind == "ping":
            await self._say("pong", data)
        elif kind == "start":
            await self._start(data)
        elif self.room is None:
            raise RefusalError(409, f"no jam is playing on this connection; send start before {kind}")
        elif kind == "stop":
            told = self.state.jams.close(self.room)
            await self.leave("stopped")
            await self._say("stopped", told)
        else:
            await self._steer(kind, data, self.room)

    async def _start(self, data: dict[str, Any]) -> None:
        if self.room is not None and not self.room.session.ended:
            raise RefusalError(409, "a jam is playing on this connection; stop it first, or open another connection")
        await self.leave("stopped")
        self.state.jams.check_room()
        client = self.socket.client.host if self.socket.client else "unknown"
        self.room = await self.state.queue.in_thread(lambda: opening(self.state, data, client, NEVER))
        await self._say("started", {**self.room.started(), **words_of(data), **self._not_used()})
        self._sender = asyncio.create_task(self._send_chunks(self.room))

    async def _steer(self, kind: str, data: dict[str, Any], room: Room) -> None:
        jams, think = self.state.jams, self.state.queue.in_thread
        if kind == "update":
            told = {**await think(lambda: jams.update(room, data)), **words_of(data)}
        elif kind == "reseed":
            told = await think(lambda: jams.reseed(room, data))
        elif kind == "consume":
            told = jams.consume(room, data.get("index"))
        else:
            told = room.status()
        await self._say("status", {"of": kind, **told, **self._not_used()})

    def _not_used(self) -> dict[str, Any]:
        return {"unused": list(self.unused)} if self.unused else {}

    async def _send_chunks(self, room: Room) -> None:
        try:
            while (given := await self.state.jams.next(room, NEVER)) is not None:
                facts, wav = await self.state.queue.in_thread(partial(room.told, given))
                await self._give(room, facts, wav)
        except MidiGptError as error:
            await self._say_error(error, "start")
        if self.state.queue.closing:
            room.session.end("the server is stopping")
        await self._say("stopped", room.status())

    async def _give(self, room: Room, facts: dict[str, Any], wav: bytes) -> None:
        """A chunk, its sound in it or in a frame just before."""
        if not (wav and room.apart):
            await self._say("chunk", {**facts, "audio_base64": in_words(wav)} if wav else facts)
            return
        async with self._line:
            await self.socket.send_bytes(wav)
            await self.socket.send_text(to_json({"type": "chunk_meta", **facts}).decode())

    async def _say(self, kind: str, data: Mapping[str, Any]) -> None:
        async with self._line:
            await self.socket.send_text(to_json({"type": kind, **data}).decode())

    async def _say_error(self, error: Exception, kind: str) -> None:
        status, body, _ = describe(error)
        await self._say("error", {"of": kind, "status": status, **body})


def _named(data: Any) -> str:
    """The type a message says it is of, whatever it is."""
    kind = data.get("type") if isinstance(data, dict) else None
    return kind[:80] if isinstance(kind, str) else ""


def _kind(data: Any) -> str:
    """The type of a message, taken out of it. Raises RefusalError, RequestValidationError."""
    kind = data.pop("type", None) if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KEYS:
        raise RefusalError(422, f"type {str(kind)[:80]!r} is not known; send {', '.join(KEYS)}", field="type")
    check_keys(data, KEYS[kind])
    return kind
