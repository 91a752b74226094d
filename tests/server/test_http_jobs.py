"""Jobs are answered at once, run on, are told by webhook when they end, and are forgotten in time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from pydantic import TypeAdapter
from serving import client_of, live_server, long_wish, midi, wish

from midigpt_cli.server import outbound, webhooks
from midigpt_cli.server.response_models import JobAnswer
from midigpt_core.score import Score

JOB = TypeAdapter(JobAnswer)
SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


def ended(client, job_id: str, seconds: float = 30.0) -> dict:
    until = time.monotonic() + seconds
    while (job := client.get(f"/jobs/{job_id}").json())["status"] in ("queued", "running"):
        assert time.monotonic() < until
        time.sleep(0.02)
    JOB.validate_python(job)
    return job


def test_a_job_is_answered_at_once_and_fetched_later(client):
    answer = client.post("/jobs", json=wish(num_candidates=2))
    assert answer.status_code == 202
    JOB.validate_python(answer.json())
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    job = ended(client, answer.json()["id"])
    assert job["status"] == "succeeded"
    assert job["progress"]["bars_done"] == job["progress"]["bars_planned"] == 4
    assert [take["seed"] for take in job["results"]] == [7, 8]
    direct = client.post("/generate", json=wish(num_candidates=2)).json()
    assert [take["score"] for take in job["results"]] == [take["score"] for take in direct["candidates"]]
    assert Score.from_midi(client.get(job["results"][0]["midi"]).content).n_bars == 8
    assert client.get(f"/jobs/{job['id']}/takes/5.mid").status_code == 404


@pytest.mark.parametrize("as_json", [False, True])
def test_a_file_may_be_a_job(client, as_json):
    options = {"bars": "5", "track": "bass", "seed": "3", "density_hard_limit": "6"}
    if as_json:
        file = base64.b64encode(midi()).decode()
        answer = client.post("/jobs", json={"midi": file, "options": {**options, "seed": 3}})
    else:
        answer = client.post("/jobs", files={"file": ("a.mid", midi())}, data=options)
    job = ended(client, answer.json()["id"])
    assert job["status"] == "succeeded", job
    same = client.post("/infill", files={"file": ("a.mid", midi())}, data=options).content
    assert client.get(job["results"][0]["midi"]).content == same


def test_a_job_is_cancelled_then_forgotten(client):
    job_id = client.post("/jobs", json=long_wish()).json()["id"]
    assert client.delete(f"/jobs/{job_id}").status_code == 200
    assert ended(client, job_id)["status"] == "cancelled"
    client.delete(f"/jobs/{job_id}")
    assert client.get(f"/jobs/{job_id}").status_code == 404


def test_a_wrong_job_is_refused_at_once(client):
    assert client.post("/jobs", json=wish(temperature=0)).status_code == 422
    assert client.post("/jobs", json={"score": {}}).status_code == 422
    assert client.post("/jobs", json={"midi": "%%%"}).status_code == 400
    assert client.post("/jobs", json=wish(plan_only=True)).status_code == 422
    assert client.get("/jobs/nobody").status_code == 404


@pytest.mark.parametrize("kind", ["json", "form"])
def test_the_same_midi_job_posted_twice_with_one_key_is_one_job(client, kind):
    """Names and ids are not what is ordered: a second try has ids of its own."""
    file, headers = midi(), {"Idempotency-Key": f"midi-{kind}"}
    answers = []
    for name in ("first", "second"):
        options = {"bars": "5", "track": "bass", "density_hard_limit": "6", "request_id": name}
        if kind == "json":
            body = {"midi": base64.b64encode(file).decode(), "options": options}
            answers.append(client.post("/jobs", json=body, headers={**headers, "X-Request-ID": name}))
        else:
            files = {"file": (f"{name}.mid", file)}
            answers.append(client.post("/jobs", files=files, data=options, headers=headers))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    ended(client, answers[0].json()["id"])
    other = {"midi": base64.b64encode(file).decode(), "options": {"bars": "6", "track": "bass"}}
    assert client.post("/jobs", json=other, headers=headers).status_code == 409


def test_behind_a_proxy_jobs_are_named_by_its_path():
    with client_of(root_path="/midigpt") as proxied:
        answer = proxied.post("/jobs", json=wish())
        job = answer.json()
        assert answer.headers["location"] == job["urls"]["get"] == f"/midigpt/jobs/{job['id']}"
        done = ended(proxied, job["id"])
        assert done["results"][0]["midi"].startswith("/midigpt/jobs/")
        assert proxied.get(done["results"][0]["midi"]).status_code == 200


def test_the_same_idempotency_key_makes_one_job(client):
    headers = {"Idempotency-Key": "once"}
    first = client.post("/jobs", json=wish(), headers=headers).json()["id"]
    assert client.post("/jobs", json=wish(), headers=headers).json()["id"] == first
    assert client.post("/jobs", json=wish(seed=8), headers=headers).status_code == 409
    ended(client, first)


def test_ended_jobs_expire():
    with client_of(job_seconds=0.2) as brief:
        job_id = brief.post("/jobs", json=wish()).json()["id"]
        ended(brief, job_id)
        time.sleep(0.25)
        assert brief.get(f"/jobs/{job_id}").status_code == 404


def test_old_jobs_make_room_and_running_ones_do_not():
    with client_of(max_jobs=1) as small:
        first = small.post("/jobs", json=wish()).json()["id"]
        ended(small, first)
        second = small.post("/jobs", json=long_wish()).json()["id"]
        assert small.get(f"/jobs/{first}").status_code == 404
        assert small.post("/jobs", json=wish()).status_code == 429
        small.delete(f"/jobs/{second}")
        ended(small, second)


@contextmanager
def receiver(statuses: list[int], location: str = ""):
    """A server that takes webhooks and answers with these statuses in turn."""
    got: list[tuple[dict, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(({}, b"GET"))
            self.send_response(204)
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            self.send_response(statuses[min(len(got), len(statuses)) - 1])
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?mine=7", got
    finally:
        server.shutdown()


def test_a_webhook_is_signed_retried_and_equal_to_the_job():
    with receiver([500, 204]) as (url, got), client_of(webhook_secret=SECRET, webhook_private=True) as client:
        client.app.state.midigpt.jobs.postman.retry_seconds = (0.0, 0.05, 0.05)
        job_id = client.post("/jobs", json={**wish(), "webhook_url": url}).json()["id"]
        job = ended(client, job_id)
        until = time.monotonic() + 10
        while len(got) < 2 and time.monotonic() < until:
            time.sleep(0.02)
    headers, body = got[1]
    assert len(got) == 2
    assert json.loads(body) == job
    assert headers["webhook-id"] == job_id
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_webhook_goes_nowhere_but_to_its_address(status):
    settings = {"webhook_secret": SECRET, "webhook_private": True}
    with (
        receiver([204]) as (inside, reached),
        receiver([status], inside) as (url, got),
        client_of(**settings) as client,
    ):
        client.app.state.midigpt.jobs.postman.retry_seconds = (0.0, 0.05)
        ended(client, client.post("/jobs", json={**wish(), "webhook_url": url}).json()["id"])
        until = time.monotonic() + 10
        while len(got) < 2 and time.monotonic() < until:
            time.sleep(0.02)
    assert len(got) == 2
    assert not reached


def test_webhooks_need_a_secret_and_a_public_address(client):
    answer = client.post("/jobs", json={**wish(), "webhook_url": "https://example.org/"})
    assert answer.status_code == 422
    assert "secret" in answer.json()["detail"]
    with client_of(webhook_secret=SECRET) as strict:
        for url in (
            "http://127.0.0.1/x",
            "http://localhost:1/",
            "http://[::1]/",
            "http://169.254.169.254/latest/meta-data",
            "http://10.0.0.1/",
            "http://[::ffff:192.168.0.1]/",
            "ftp://example.org/",
            "https://user:pw@example.org/",
            "http://a b/",
            "nonsense",
        ):
            answer = strict.post("/jobs", json={**wish(), "webhook_url": url})
            assert (answer.status_code, answer.json().get("field")) == (422, "webhook_url"), url


@pytest.mark.parametrize(
    "number",
    ["127.0.0.1", "10.1.2.3", "::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "fe80::1%eth0", "224.0.0.1", "0.0.0.0"],
)
def test_addresses_that_are_not_public_are_known(number):
    assert not outbound.is_public(number)


def test_public_addresses_are_known():
    assert outbound.is_public("93.184.216.34")
    assert outbound.is_public("2606:2800:220:1:248:1893:25c8:1946")


def test_a_webhook_is_checked_again_when_it_is_sent(monkeypatch):
    from midigpt_cli.server.server_settings import ServerSettings

    rebound = [(2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(outbound.socket, "getaddrinfo", lambda *args, **kwargs: rebound)
    message = webhooks.Message.of("job", "https://example.org/", b"{}")
    with pytest.raises(outbound.BadTargetError, match="private"):
        webhooks.post(message, ServerSettings(webhook_secret=SECRET))


def test_what_broke_a_job_or_a_stream_is_in_the_log_under_its_id(client, caplog, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr("midigpt_core.engine.SamplingSession.run_takes", broken)
    job = ended(client, client.post("/jobs", json=wish()).json()["id"])
    assert (job["status"], job["error"]["status"]) == ("failed", 500)
    assert "secret" not in job["error"]["detail"]
    stream = client.post("/generate", json={**wish(), "stream": True, "request_id": "stream_1"})
    assert "secret" not in stream.text
    logged = {record.request_id for record in caplog.records if record.exc_info}
    assert logged == {job["id"], "stream_1"}


def frames_of(lines) -> list[dict]:
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def test_a_job_can_be_followed_to_its_end_and_leaving_does_not_stop_it():
    with live_server() as live, httpx.Client(base_url=live.url, timeout=60) as caller:
        job = caller.post("/jobs", json=wish(num_candidates=2)).json()["id"]
        with caller.stream("GET", f"/jobs/{job}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
        with caller.stream("GET", f"/jobs/{job}/events") as stream:
            told = frames_of(stream.iter_lines())
        last = told[-1]
        assert last["type"] == "ended"
        assert {frame["type"] for frame in told[:-1]} <= {"notes", "progress"}
        assert last["job"]["status"] == "succeeded"
        assert last["job"] == caller.get(f"/jobs/{job}").json()
        again = frames_of(caller.get(f"/jobs/{job}/events").text.splitlines())
        assert again == [last]


def test_the_notes_of_a_job_come_bar_by_bar():
    with live_server() as live, httpx.Client(base_url=live.url, timeout=60) as caller:
        job = caller.post("/jobs", json=long_wish()).json()["id"]
        seen = []
        with caller.stream("GET", f"/jobs/{job}/events") as stream:
            for line in stream.iter_lines():
                seen += [frame for frame in frames_of([line]) if frame["type"] == "notes"]
                if len(seen) > 3:
                    break
        assert all({"track", "bar", "notes", "candidate"} <= set(frame) for frame in seen)
        caller.delete(f"/jobs/{job}")
