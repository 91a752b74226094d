"""What clients of neighbouring systems are told where our way is another."""

from __future__ import annotations

import json
import time

import pytest
from websockets.sync.client import connect

from midigpt_cli.server.peer_names import FIELDS, PATHS
from midigpt_cli.server.request_models import SEED_REQUEST, SEED_SCORE


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_neighbour_s_field_is_named_with_our_way(http, name):
    answer = http.post("/generate", json={"score": SEED_SCORE, "request": SEED_REQUEST, name: 1})
    whose, way = FIELDS[name]
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"{name} is {whose}; {way}"


def test_params_inside_a_request_are_named_too(http):
    answer = http.post("/generate", json={"score": SEED_SCORE, "request": {**SEED_REQUEST, "params": {"topk": 3}}})
    assert (answer.status_code, answer.json()["field"]) == (400, "params")
    assert "Magenta RT's" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["seed", "temperature", "top_k"])
def test_settings_beside_config_are_told_where_they_go(http, key):
    body = {"score": SEED_SCORE, "request": {**SEED_REQUEST, key: 1}}
    answers = [http.post("/generate", json=body), http.post("/loop", json={"score": SEED_SCORE, key: 1})]
    assert all("put it into config" in answer.json()["detail"] for answer in answers)


@pytest.mark.parametrize(
    ("message", "of"),
    [
        ('{"type": "update", "temperature": 1.2}', "update"),
        ('{"type": "start", "styles": "zorblax"}', "start"),
        ('{"type": "start", "params": 3}', "start"),
        ('{"type": "start", "tempo": 120}', "start"),
        ('{"type": "begin"}', "begin"),
        ("[]", ""),
        ("{", ""),
    ],
)
def test_an_error_over_a_websocket_names_the_message_it_is_about(url, message, of):
    with connect(f"{url.replace('http', 'ws')}/ws/jam") as line:
        line.send(message)
        told = json.loads(line.recv(timeout=30))
    assert (told["type"], told["of"]) == ("error", of)
    assert told["detail"]


@pytest.mark.parametrize("path", ["/ping", "/model/config", "/model/status", "/tester"])
def test_small_paths_of_neighbours_answer(http, path):
    assert http.get(path, follow_redirects=True).status_code == 200


@pytest.mark.parametrize(("path", "near"), [*PATHS.items(), ("/jam/begin", "/jam/"), ("/modles", "/models")])
def test_an_unknown_path_answers_with_the_nearest_one(http, path, near):
    answer = http.get(path)
    assert answer.status_code == 404
    assert f"the nearest is {near}" in answer.json()["detail"]
    assert "GET /" in answer.json()["detail"]


def test_the_front_shows_what_is_here(http):
    shown = http.get("/").json()
    paths = http.get("/openapi.json").json()["paths"]
    assert {row["route"].split()[1] for row in shown["routes"]} == {*paths, "/ws/jam"}
    assert all(row["summary"] for row in shown["routes"])
    page = http.get("/", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert '<a href="/studio">' in page.text


def test_progress_is_told_of_jobs_and_refused_for_ids_that_are_not_there(http):
    job = http.post("/jobs", json={"score": SEED_SCORE, "request": SEED_REQUEST}).json()["id"]
    told = http.get("/progress", params={"request_id": job}).json()
    while told["status"] in ("queued", "running"):
        time.sleep(0.1)
        told = http.get("/progress", params={"request_id": job}).json()
    assert (told["status"], told["percent"]) == ("succeeded", 100)
    assert http.get("/progress", params={"request_id": "nobody"}).status_code == 404
