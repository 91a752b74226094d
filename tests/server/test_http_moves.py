"""Over HTTP too: takes at a stated distance, passes, and the rules of voices and players."""

from __future__ import annotations

import json
import time

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
    ("asked", "says"), [([0.5], "is not a range"), ([0.7, 0.3], "is not a range"), ([0, 2], "too large")]
)
def test_what_is_no_range_is_refused(client, asked, says) -> None:
    answer = client.post("/generate", json=wish(distance=asked))
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


def test_a_form_without_a_range_is_refused(client) -> None:
    answer = infill(client, bars="5", track="bass", distance="far")
    assert answer.status_code == 422
    assert answer.json()["detail"] == "distance = 'far' is not a range; write 0.2..0.6"


def test_a_job_counts_every_pass_as_it_goes(client) -> None:
    job_id = client.post("/jobs", json=wish(passes="bars", rounds=3)).json()["id"]
    until = time.monotonic() + 30
    while (job := client.get(f"/jobs/{job_id}").json())["status"] in ("queued", "running"):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert job["status"] == "succeeded", job
    progress = job["progress"]
    assert (progress["steps"], progress["bars_planned"], progress["bars_done"]) == (6, 6, 6)
    direct = client.post("/generate", json=wish(passes="bars", rounds=3)).json()
    assert job["results"][0]["score"] == direct["score"]
    assert direct["generated_bars"] == {"1": [4, 5]}


def test_a_form_asks_for_passes(client) -> None:
    answer = infill(client, bars="5-7", track="bass", seed="3", passes="thirds", plan_only="true")
    assert [step["generate"] for step in answer.json()["plan"]] == [{"1": [4]}, {"1": [5]}, {"1": [6]}]


def test_a_way_that_is_not_known_is_refused(client) -> None:
    answer = infill(client, bars="5-7", track="bass", passes="halves")
    assert answer.status_code == 422
    assert "thirds" in answer.json()["detail"]


def test_a_form_asks_for_what_can_be_played_and_the_report_tells_what_is_left(client) -> None:
    fields = {"bars": "5", "track": "bass", "seed": "3", "playable": "true", "voice_leading": "true"}
    answer = infill(client, **fields, density_hard_limit="4")
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.headers["x-midigpt-report"])["remarks"] == []
    high = infill(client, **fields, density_hard_limit="4", pitch_range="C7-C8")
    [remark] = json.loads(high.headers["x-midigpt-report"])["remarks"]
    assert remark == {"what": "out of range", "bar": 4, "tracks": [1]}
