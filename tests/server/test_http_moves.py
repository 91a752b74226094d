"""Over HTTP too: takes at a stated distance."""

from __future__ import annotations

import json

import pytest
from serving import midi, wish


def infill(client, **fields):
    return client.post("/infill", files={"file": ("song.mid", midi(), "audio/midi")}, data=fields)


def test_a_form_asks_for_a_distance_and_the_report_tells_it(client) -> None:
    answer = infill(client, bars="5-6", track="bass", seed="3", distance="0.3..0.7")
    assert answer.status_code == 200, answer.text
    assert 0.3 <= json.loads(answer.headers["x-midigpt-report"])["distance"] <= 0.7


def test_a_request_asks_for_a_distance_and_every_candidate_tells_it(client) -> None:
    answer = client.post("/generate", json=wish(distance=[0.3, 0.7], num_candidates=2))
    assert answer.status_code == 200, answer.text
    assert all(0.3 <= take["distance"] <= 0.7 for take in answer.json()["candidates"])


@pytest.mark.parametrize(
    ("asked", "says"), [([0.5], "is no range"), ([0.7, 0.3], "is no range"), ([0, 2], "too large")]
)
def test_what_is_no_range_is_refused(client, asked, says) -> None:
    answer = client.post("/generate", json=wish(distance=asked))
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


def test_a_form_without_a_range_is_refused(client) -> None:
    answer = infill(client, bars="5", track="bass", distance="far")
    assert answer.status_code == 422
    assert answer.json()["detail"] == "distance = 'far' is no range; write 0.2..0.6"
