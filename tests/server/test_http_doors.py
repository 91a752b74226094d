"""Who is let in: keys, web pages, host names; and what is written down about every request."""

from __future__ import annotations

import json
import logging

import pytest
from serving import client_of, midi, wish

from midigpt_cli.server.logs import JsonLines
from midigpt_cli.server.prometheus import Counter, Histogram, exposition
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_core.errors import RequestValidationError


@pytest.fixture(scope="module")
def locked():
    with client_of(api_key="open sesame", host="0.0.0.0") as made:
        yield made


def test_without_the_key_only_the_liveness_probe_answers(locked):
    assert locked.get("/health").status_code == 200
    for path in ("/info", "/models", "/metrics", "/jobs/x"):
        answer = locked.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert locked.post("/generate", json=wish()).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{"X-API-Key": "open sesame"}, {"Authorization": "Bearer open sesame"}, {"authorization": "bearer open sesame"}],
)
def test_the_key_opens_in_either_header(locked, headers):
    assert locked.get("/info", headers=headers).status_code == 200


@pytest.mark.parametrize("key", ["", "open", "open sesame ", "öpen sesame".encode().decode("latin-1")])
def test_a_wrong_key_does_not_open(locked, key):
    assert locked.get("/info", headers={"X-API-Key": key.encode("latin-1")}).status_code == 401


def test_a_foreign_page_may_not_call_unless_it_is_allowed(client):
    assert client.get("/info", headers={"Origin": "https://evil.example"}).status_code == 403
    with client_of(cors_origin=("https://daw.example",)) as open_to_one:
        allowed = open_to_one.get("/info", headers={"Origin": "https://daw.example"})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://daw.example"
        preflight = {"Origin": "https://daw.example", "Access-Control-Request-Method": "POST"}
        assert open_to_one.options("/generate", headers=preflight).status_code == 200
        assert open_to_one.get("/info", headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_page_may_read_report_and_seed(client):
    with client_of(cors_origin=("https://daw.example",)) as open_to_one:
        form, origin = {"bars": "5", "track": "bass", "density_hard_limit": "6"}, {"Origin": "https://daw.example"}
        answer = open_to_one.post("/infill", files={"file": ("a.mid", midi())}, data=form, headers=origin)
        exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert {"x-midigpt-report", "x-midigpt-seed"} <= exposed & set(answer.headers)


def test_a_page_of_the_internet_that_may_call_passes_the_private_network_preflight():
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Private-Network": "true"}
    with client_of(cors_origin=("https://daw.example",)) as open_to_one:
        answer = open_to_one.options("/infill", headers={"Origin": "https://daw.example", **asks})
        assert (answer.status_code, answer.headers["access-control-allow-private-network"]) == (200, "true")
        assert open_to_one.options("/infill", headers={"Origin": "https://evil.example", **asks}).status_code == 400


def test_probes_may_ask_for_the_head_alone(locked, client):
    for asked in (locked, client):
        answer = asked.head("/health")
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("prefix", ["", "/midigpt"])
def test_behind_a_proxy_that_strips_its_path_or_not(prefix):
    with client_of(root_path="/midigpt", api_key="open sesame", host="0.0.0.0") as proxied:
        assert proxied.get(f"{prefix}/health").status_code == 200
        assert proxied.get(f"{prefix}/info").status_code == 401
        assert "/midigpt/openapi.json" in proxied.get(f"{prefix}/docs").text
        assert proxied.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/midigpt"}]


@pytest.mark.parametrize("path", ["midigpt", "/midigpt/"])
def test_a_root_path_begins_with_a_stroke_and_ends_without(path):
    with pytest.raises(RequestValidationError, match="root_path"):
        ServerSettings(root_path=path)


def test_cors_is_off_by_default(client):
    assert "access-control-allow-origin" not in client.get("/info").headers


def test_a_foreign_name_for_this_machine_is_refused(client):
    assert client.get("/info", headers={"Host": "rebound.example"}).status_code == 403
    with client_of(allow_host=("music.example",)) as named:
        assert named.get("/info", headers={"Host": "music.example"}).status_code == 200


def test_the_caller_s_request_id_is_kept_and_a_bad_one_replaced(client):
    assert client.get("/health", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/health", headers={"X-Request-ID": "a b\tc"}).headers["x-request-id"] != "a b\tc"
    body = client.post("/generate", json=wish(), headers={"X-Request-ID": "abc-2"}).json()
    assert body["request_id"] == "abc-2"


def test_every_refusal_carries_its_request_id(client):
    for answer in (client.get("/nowhere"), client.delete("/health"), client.post("/generate", json=[])):
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert answer.json()["detail"]


def test_metrics_count_requests_tokens_and_bars(client):
    client.post("/generate", json=wish())
    text = client.get("/metrics").text
    assert 'midigpt_requests_total{method="POST",path="/generate",status="200"}' in text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values['midigpt_tokens_total{model="tiny"}']) > 0
    assert float(values['midigpt_bars_total{model="tiny"}']) >= 2
    assert float(values["midigpt_resident_bytes"]) > 1e6
    assert float(values['midigpt_generation_seconds_count{model="tiny"}']) >= 1


def test_a_histogram_counts_cumulatively():
    seen = Histogram("seconds", "Time.", (0.1, 1.0))
    for value in (0.05, 0.5, 0.5, 5.0):
        seen.observe(value, path='a"b')
    assert exposition([seen]).splitlines()[2:] == [
        r'seconds_bucket{path="a\"b",le="0.1"} 1',
        r'seconds_bucket{path="a\"b",le="1"} 3',
        r'seconds_bucket{path="a\"b",le="+Inf"} 4',
        r'seconds_sum{path="a\"b"} 6.05',
        r'seconds_count{path="a\"b"} 4',
    ]


def test_large_counts_are_written_out():
    count = Counter("tokens_total", "Tokens.")
    count.add(123_456_789)
    assert "tokens_total 123456789" in exposition([count])


def test_a_log_line_is_one_json_object_with_the_request_id(client, caplog):
    with caplog.at_level(logging.INFO, "midigpt"):
        client.get("/info", headers={"X-Request-ID": "log-me"})
    record = next(record for record in caplog.records if record.name == "midigpt.access")
    line = json.loads(JsonLines().format(record))
    assert (line["request_id"], line["path"], line["status"]) == ("log-me", "/info", 200)
    assert line["seconds"] >= 0
