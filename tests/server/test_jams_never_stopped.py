"""Jams that nobody stops: players who vanish, who never read, who never ask again; the server gets all back."""

from __future__ import annotations

import json
import socket
import struct
import threading

import httpx
import pytest
from fake_jam import FakeJam
from serving import Live, live_server

from midigpt_cli.server import open_jams

START = {"pace": "asap", "bpm": 240, "tracks": [{"drums": True}, {"instrument": "acoustic bass"}], "seed": 3}


@pytest.fixture(params=[0.0, 5.0], ids=["at once", "slowly"])
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Jams that write a chunk at once, or are in the middle of one."""
    monkeypatch.setattr(open_jams, "Jam", lambda engine, settings, song=None: FakeJam(settings, request.param))
    return request.param


def writers() -> set[threading.Thread]:
    """The threads that write jams."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("midigpt-jam")}


def drained(live: Live) -> None:
    """Nothing is left of any jam."""
    live.until(lambda: not live.state.jams.playing())
    live.until(lambda: not writers())
    live.until(lambda: not live.server.server_state.connections)


def begin(live: Live) -> str:
    answer = httpx.post(live.url + "/jam/start", json=START)
    assert answer.status_code == 200, answer.text
    return answer.json()["session_id"]


def player(live: Live, **more: object) -> socket.socket:
    """A websocket player who has started a jam, without a library that would answer or close for it."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(20)
    line.connect(("127.0.0.1", live.port))
    head = "GET /ws/jam HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    line.sendall(head.encode() + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    heard(line, b"\r\n\r\n")
    message = json.dumps({"type": "start", **START, **more}).encode()
    line.sendall(b"\x81\xfe" + struct.pack(">H", len(message)) + b"\0\0\0\0" + message)
    heard(line, b'"started"')
    return line


def heard(line: socket.socket, until: bytes) -> None:
    """Listen, byte by byte, until something has been said."""
    said = b""
    while until not in said:
        part = line.recv(1)
        assert part, said
        said += part


def test_jams_that_are_never_asked_for_again_end_and_make_room(fake: float) -> None:
    with live_server(max_jams=8, jam_seconds=1) as live:
        for _ in range(2):
            begin(live)
            for _ in range(20):
                assert httpx.post(live.url + "/jam/start", json=START).status_code in (200, 429)
                assert len(writers()) <= 8
            drained(live)


def _reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


LEAVING = {
    "a reset": _reset,
    "the sending side shut": lambda line: line.shutdown(socket.SHUT_WR),
    "both sides shut": lambda line: line.shutdown(socket.SHUT_RDWR),
}


@pytest.mark.parametrize("how", LEAVING)
def test_jams_of_players_who_vanish_end_however_they_go(fake: float, how: str) -> None:
    with live_server(max_jams=16) as live:
        for _ in range(2):
            lines = [player(live) for _ in range(16)]
            live.until(lambda: len(live.state.jams.playing()) == 16)
            for line in lines:
                LEAVING[how](line)
            drained(live)
        assert httpx.get(live.url + "/health").json()["inflight"] == 0


def test_a_player_who_never_reads_stops_the_writing_and_not_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks wait in the connection's buffer until it is full; then the jam waits, and nothing grows."""
    monkeypatch.setattr(open_jams, "Jam", lambda engine, settings, song=None: FakeJam(settings))
    with live_server(max_jams=2) as live:
        line = player(live, chunk_midi=True, bars_per_chunk=4)
        [room] = live.state.jams.playing()
        seen = [0, 0, 0]

        def stands_still() -> bool:
            seen.append(room.session.next_index)
            threading.Event().wait(0.2)
            return len(set(seen[-4:])) == 1 and seen[-1] > 0

        live.until(stands_still, 60)
        assert httpx.get(live.url + "/health").status_code == 200
        line.close()
        drained(live)


def test_a_server_that_stops_takes_its_jams_with_it(fake: float) -> None:
    before = writers()
    with live_server(max_jams=16) as live:
        lines = [player(live) for _ in range(6)]
        for _ in range(6):
            begin(live)
        live.server.should_exit = True
        live.thread.join(15)
        assert not live.thread.is_alive()
        for line in lines:
            line.close()
    for thread in writers() - before:
        thread.join(2)
    assert writers() <= before
