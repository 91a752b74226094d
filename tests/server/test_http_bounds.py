"""One caller takes no more than its share: lanes, kept results, open connections, time for a request's head."""

from __future__ import annotations

import gc
import socket
import time
import weakref

import pytest
from serving import client_of, live_server, wish
from tiny import song

from midigpt_core.score import Note


def ended(client, job_id: str) -> dict:
    until = time.monotonic() + 60
    while (job := client.get(f"/jobs/{job_id}").json())["status"] in ("queued", "running"):
        assert time.monotonic() < until
        time.sleep(0.02)
    return job


def with_values(body: dict, **config: object) -> dict:
    body["request"]["tracks"][1]["attributes"] = {"note_density": 3}
    body["request"]["config"].update(config)
    return body


def test_takes_times_tries_are_bounded(client):
    refused = client.post("/generate", json=with_values(wish(), num_candidates=64, control_tries=64))
    assert refused.status_code == 422
    assert "4096 lanes" in refused.json()["detail"]
    assert refused.json()["field"] == "config.control_tries"
    planned = with_values(wish(plan_only=True), num_candidates=64, control_tries=8)
    assert client.post("/generate", json=planned).status_code == 200
    assert client.post("/jobs", json=with_values(wish(), num_candidates=64, control_tries=64)).status_code == 422


def test_an_ended_job_keeps_no_more_than_its_packed_takes():
    score = song(8)
    for bar in score.tracks[2].bars:
        bar.notes = [Note(40 + i % 40, 80, i, 60) for i in range(1500)]
    with client_of() as client:
        state = client.app.state.midigpt
        job_id = client.post("/jobs", json=wish(score, {1: [4]}, num_candidates=2)).json()["id"]
        job = state.jobs.get(job_id)
        music = weakref.ref(job.work.session)
        told = ended(client, job_id)
        gc.collect()
        assert music() is None
        assert len(told["results"][0]["score"]["tracks"][2]["bars"][0]["notes"]) == 1500
        assert job.size < len(client.get(f"/jobs/{job_id}").content) / 5
        assert client.get(told["results"][1]["midi"]).content[:4] == b"MThd"


def test_old_jobs_make_room_where_results_take_too_much():
    with client_of(max_jobs_mb=0.001) as client:
        first = client.post("/jobs", json=wish(num_candidates=2)).json()["id"]
        ended(client, first)  # jobs run side by side: either may end first
        second = client.post("/jobs", json=wish(num_candidates=2)).json()["id"]
        ended(client, second)
        assert client.get(f"/jobs/{first}").status_code == 404
        assert client.get(f"/jobs/{second}").json()["status"] == "succeeded"


@pytest.fixture(scope="module")
def strict():
    with live_server(header_seconds=0.3, keep_alive_seconds=0.3, max_connections=4) as server:
        yield server


def ends(line: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    line.settimeout(10)
    heard = b""
    while part := line.recv(4096):
        heard += part
    return heard


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
def test_a_connection_that_asks_nothing_is_ended(strict, sent):
    with socket.create_connection(("127.0.0.1", strict.port)) as line:
        line.sendall(sent)
        assert ends(line).startswith(b"HTTP/1.1 408")


def test_a_second_head_that_does_not_come_is_ended_too(strict):
    whole = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", strict.port)) as line:
        line.sendall(whole)
        assert line.recv(4096).startswith(b"HTTP/1.1 200")
        line.sendall(whole[:20])
        assert b"HTTP/1.1 408" in ends(line)
    with socket.create_connection(("127.0.0.1", strict.port)) as line:
        line.sendall(whole)
        ends(line)  # nothing more is asked


def test_connections_are_bounded_and_their_places_come_free(strict):
    lines = [socket.create_connection(("127.0.0.1", strict.port)) for _ in range(6)]
    try:
        assert ends(lines[-1]).startswith(b"HTTP/1.1 503")
    finally:
        for line in lines:
            line.close()
    strict.until(lambda: not strict.server.server_state.connections)
    with socket.create_connection(("127.0.0.1", strict.port)) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert ends(line).startswith(b"HTTP/1.1 200")


BODIES = {
    "/generate": lambda score: {**wish(song(4), {1: [1]}), "score": score},
    "/loop": lambda score: {"score": score, "first": 0, "end": 1, "tracks": [1], "variations": 1},
    "/jam/start": lambda score: {"score": score, "pace": "asap"},
    "/jobs": lambda score: {**wish(song(4), {1: [1]}), "score": score},
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("length", [1021, 999_999.0, 1e300])
def test_a_bar_longer_than_any_metre_is_refused_before_room_is_made_for_it(client, path, length):
    """What sounds in each tick of eight such bars took 11 GB, asked for by one number in a few kilobytes."""
    score = song(4).to_dict()
    for track in score["tracks"]:
        for bar in track["bars"]:
            bar["beat_length"] = length
    answer = client.post(path, json=BODIES[path](score))
    assert 400 <= answer.status_code < 500, answer.text
    assert "beat_length" in answer.json()["detail"]


def test_the_longest_metre_of_a_file_is_taken(client):
    score = song(4).to_dict()
    for track in score["tracks"]:
        for bar in track["bars"]:
            bar.update(ts_numerator=255, ts_denominator=1, beat_length=1020)
    assert client.post("/generate", json=BODIES["/generate"](score)).status_code == 200


def test_a_jam_has_no_more_parts_than_a_song_has_tracks() -> None:
    with client_of(max_tracks=3) as client:
        for count, status in ((3, 200), (4, 413)):
            answer = client.post("/jam/start", json={"tracks": [{"drums": True}] * count})
            assert answer.status_code == status, answer.text
        with client.websocket_connect("ws://127.0.0.1/ws/jam") as line:
            line.send_json({"type": "start", "tracks": [{"drums": True}] * 4})
            assert line.receive_json()["status"] == 413
