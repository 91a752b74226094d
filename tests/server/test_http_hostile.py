"""Whatever a caller sends, the answer is a refusal in a sentence, and no log line can be forged."""

from __future__ import annotations

import json
import logging
import re
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import client_of, live_server, midi, wish
from websockets.sync.client import connect

from midigpt_cli.server import outbound
from midigpt_cli.server.logs import Words

JSON = {"content-type": "application/json"}
LARGE = ["1e400", "-1e400", "9" * 500, "-" + "9" * 500, "Infinity", "NaN", "1" * 5000]


@pytest.mark.parametrize("number", LARGE)
@pytest.mark.parametrize("path", ["/generate", "/jobs", "/loop", "/jam/start", "/model/select"])
def test_numbers_no_field_can_hold_are_refused_in_json(client, path, number):
    for place in ("temperature", "seed", "density_hard_limit"):
        body = json.dumps(wish()).replace('"config": {', f'"config": {{"{place}": {number}, ', 1)
        answer = client.post(path, content=body, headers=JSON)
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["detail"]


@pytest.mark.parametrize("number", [*LARGE, "inf", "-inf", "nan", "1_0" * 9])
@pytest.mark.parametrize("field", ["temperature", "seed", "mask_p", "bars", "num_candidates", "attribute"])
def test_numbers_no_field_can_hold_are_refused_in_forms(client, field, number):
    fields = {"bars": "2", field: f"note_density={number}" if field == "attribute" else number}
    answer = client.post("/infill", files={"file": ("a.mid", midi())}, data=fields)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"]


@pytest.mark.parametrize("path", ["/generate", "/jobs", "/loop", "/jam/start", "/model/select", "/score"])
@pytest.mark.parametrize(
    "body", [b'{"\\ud800": 1}', b'{"model": "\\udfff", "score": {}, "request": {}}', b'{"request": {"\\ud800": 1}}']
)
def test_half_letters_are_refused(client, path, body):
    answer = client.post(path, content=body, headers=JSON)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "[::1"}, 400),
        ({"Host": "]"}, 400),
        ({"Origin": "http://["}, 403),
        ({"Origin": "x" * 5000}, 403),
        ({"Content-Length": "9" * 4400}, 413),
    ],
)
def test_headers_that_cannot_be_read_are_refused(client, headers, status):
    answer = client.post("/generate", content=b"{}", headers={**JSON, **headers})
    assert answer.status_code == status
    assert len(answer.json()["detail"]) < 700


# ---- websocket ----


def test_a_websocket_answers_half_letters_and_large_numbers_and_goes_on(live):
    with connect(f"ws://127.0.0.1:{live.port}/ws/jam") as line:
        for text in ('{"type": "ping", "time": 1e400}', '{"\\ud800": 1}', '{"type": "\\ud800"}', "[" * 50_000, "\0"):
            line.send(text)
            told = json.loads(line.recv(timeout=20), parse_constant=pytest.fail)
            assert (told["type"], told["status"]) == ("error", 422)
        line.send('{"type": "ping", "time": "\\ud800"}')
        assert json.loads(line.recv(timeout=20))["type"] == "pong"


_WORDS = st.sampled_from(["start", "update", "reseed", "consume", "status", "stop", "ping", "type", "tracks", "midi"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(_WORDS, st.dictionaries(_WORDS | st.text(max_size=5), _VALUES, max_size=4))
def test_any_message_of_a_websocket_is_answered(live, kind, message):
    with connect(f"ws://127.0.0.1:{live.port}/ws/jam") as line:
        line.send(json.dumps({**message, "type": kind}))
        told = json.loads(line.recv(timeout=20))
        assert told["type"] in ("error", "pong", "started")
        assert told.get("status") != 500


# ---- what is written down ----


def test_log_lines_cannot_be_forged():
    record = logging.makeLogRecord(
        {"msg": "request", "levelname": "INFO", "path": "/x\n12:00:00 info request status=200"}
    )
    record.client = "a b=c\x1b[2J\x7f\x9b\u2028"
    line = Words().format(record)
    assert "\n" not in line
    assert all(letter.isprintable() for letter in line)
    assert 'path="/x\\\\n12:00:00 info request status=200"' in line
    assert "Schöne Müllerin" in Words().format(logging.makeLogRecord({"msg": "Schöne Müllerin"}))


def test_invented_methods_are_one_series(client):
    for number in range(5):
        client.request(f"INVENTED{number}", "/health")
        client.request("GET", f"/invented/{number}")
    text = client.get("/metrics").text
    assert "INVENTED" not in text
    assert "invented" not in text
    assert 'method="other"' in text
    assert len(re.findall(r"midigpt_requests_total\{", text)) < 100


# ---- addresses outside ----


@pytest.mark.parametrize(
    "number",
    [
        *("fec0::1", "64:ff9b:1::7f00:1", "::127.0.0.1", "::ffff:0:127.0.0.1", "192.88.99.1", "::8.8.8.8"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1", "100.64.0.1", "ff02::1", "::"),
        *("0.1.2.3", "169.254.169.254", "192.0.2.1", "198.18.0.1", "240.0.0.1", "255.255.255.255", "5f00::1"),
    ],
)
def test_forms_of_private_addresses_are_known(number):
    assert not outbound.is_public(number)


@pytest.mark.parametrize(
    "number", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::", "::ffff:8.8.8.8"]
)
def test_forms_of_public_addresses_are_known(number):
    assert outbound.is_public(number)


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    """A name that leads elsewhere the second time it is looked up leads nowhere new."""
    asked, called = [], []

    def look_up(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8" if len(asked) == 1 else "127.0.0.1", port))]

    def connect(address, timeout=None):
        called.append(address)
        raise OSError

    monkeypatch.setattr(outbound.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(outbound.socket, "create_connection", connect)
    parts = outbound.parse("http://name.example/hook")
    with pytest.raises(OSError):  # noqa: PT011
        outbound.open_connection(parts, False, 1)
    assert called == [("8.8.8.8", 80)]
    with pytest.raises(outbound.BadTargetError, match="private"):
        outbound.open_connection(parts, False, 1)
    assert len(called) == 1


def test_half_open_sockets_leave_nothing_behind():
    head = (
        b"POST /generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with live_server(body_seconds=0.3, header_seconds=0.3) as live:
        lines = [socket.create_connection(("127.0.0.1", live.port)) for _ in range(20)]
        for line in lines:
            line.sendall(head)
            line.shutdown(socket.SHUT_WR)
        live.until(lambda: not live.server.server_state.connections)
        live.until(lambda: not live.busy)
        for line in lines:
            line.close()
    with client_of() as client:
        assert client.get("/health").json()["inflight"] == 0
