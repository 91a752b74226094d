"""The studio's page is served whole, with a strict policy, without a key, and from addresses that suit any prefix."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from serving import client_of
from studio.studio_page import POP

from midigpt_cli.server.form import EXAMPLES
from midigpt_cli.server.routes.studio import FOLDER

MOST_BYTES = 3_000_000


def test_page_and_every_part_of_it_are_served(client: TestClient) -> None:
    page = client.get("/studio")
    assert page.headers["content-type"].startswith("text/html")
    for path in FOLDER.iterdir():
        part = client.get(f"/studio/{path.name}")
        assert (part.status_code, part.content) == (200, path.read_bytes()), path.name


def test_policy_lets_the_page_load_and_call_its_own_server_alone(client: TestClient) -> None:
    for path in ("/studio", "/studio/main.js"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy


def test_no_address_in_the_page_is_absolute() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.findall(r"""https?://|(?:href|src|from|import)\s*[=(]?\s*["'`]/""", text), path.name


def test_page_needs_no_key_but_what_it_calls_does() -> None:
    with client_of(api_key="secret") as client:
        assert client.get("/studio").status_code == 200
        assert client.get("/studio/main.js").status_code == 200
        assert client.get("/models").status_code == 401


def test_slash_too_many_leads_back_without_naming_the_prefix(client: TestClient) -> None:
    answer = client.get("/studio/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "../studio")


def test_unknown_part_is_a_sentence(client: TestClient) -> None:
    answer = client.get("/studio/..%2Fmain.py")
    assert answer.status_code == 404
    assert client.get("/studio/nothing.js").json()["detail"].startswith("the studio has no part 'nothing.js'")


def test_all_of_it_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in EXAMPLES.items() for value in (*values[:6], *values[-2:])]
)
def test_example_of_a_field_is_taken_as_it_stands(client: TestClient, name: str, value: str) -> None:
    chosen = {"bars": "5-7", "track": "drums" if name == "fill" else "lead", "plan_only": "true"}
    song = {"file": ("pop.mid", POP.read_bytes(), "audio/midi")}
    answer = client.post("/infill", files=song, data={**chosen, name: value})
    if answer.status_code != 200:  # understood, though this song has no such bars or drums
        assert value in answer.json()["detail"]
        assert name in ("where", "rhythm_from"), answer.text
