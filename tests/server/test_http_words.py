"""Asking in words over HTTP: the prompt adds to a request, a request's own values win, and its reading can be seen."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import client_of, midi, wish
from tiny import song

from midigpt_cli.server.responses import Answer
from midigpt_core.score import Score
from midigpt_core.words import reader

DORIAN = {6, 8, 9, 11, 1, 3, 4}  # on F#


@pytest.fixture(scope="module")
def client():
    with client_of() as found:
        yield found


def pitches(track, bars):
    return {note["pitch"] % 12 for bar in bars for note in track["bars"][bar]["notes"]}


def test_a_prompt_beside_a_request_keeps_its_notes_to_the_key(client):
    answer = client.post("/generate", json={**wish(bars={1: [4, 5]}, seed=1), "prompt": "F# dorian"})
    assert answer.status_code == 200, answer.text
    found = pitches(answer.json()["score"]["tracks"][1], (4, 5))
    assert found
    assert found <= DORIAN


def test_a_requests_own_control_wins_over_the_prompt(client):
    body = {**wish(bars={1: [4, 5]}, seed=1), "prompt": "F# dorian"}
    body["request"]["tracks"][1]["controls"] = {"pitch_mask": {"pitch_classes": [0, 5]}}
    answer = client.post("/generate", json=body)
    assert answer.status_code == 200, answer.text
    assert pitches(answer.json()["score"]["tracks"][1], (4, 5)) <= {0, 5}


def test_a_loop_heeds_a_prompt(client):
    config = {"seed": 1, "density_hard_limit": 4}
    body = {"score": song(4).to_dict(), "first": 0, "end": 1, "tracks": [1], "variations": 1, "config": config}
    answer = client.post("/loop", json={**body, "prompt": "F# dorian"})
    assert answer.status_code == 200, answer.text
    assert pitches(answer.json()["variations"][0]["score"]["tracks"][1], (0,)) <= DORIAN


def test_the_form_of_infill_has_a_prompt(client):
    fields = {"bars": "5", "track": "2", "prompt": "F# dorian", "seed": "1", "density_hard_limit": "4"}
    answer = client.post("/infill", files={"file": ("song.mid", midi(song(8)))}, data=fields)
    assert answer.status_code == 200, answer.text


def test_what_is_understood_can_be_seen_before_anything_is_written(client):
    told = client.get("/words", params={"prompt": "purple bass in E minor"}).json()
    assert (told["scale"], told["unknown"]) == ("E:minor", ["purple"])
    assert [part["program"] for part in told["parts"]] == [33]


def test_a_jam_answers_with_what_it_understood(client):
    answer = client.post("/jam/start", json={"styles": "jazz,funk", "style_weights": "1,0", "pace": "asap"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["understood"]["styles"] == ["jazz"]
    client.post("/jam/stop", json={"session_id": answer.json()["session_id"]})


@pytest.mark.parametrize("key", ["seed", "temperature", "top_k"])
def test_a_setting_in_the_wrong_place_is_told_where_it_goes(client, key):
    loop = client.post("/loop", json={"score": song(4).to_dict(), key: 1})
    body = wish()
    body["request"][key] = 1
    for answer in (loop, client.post("/generate", json=body)):
        assert answer.status_code in (400, 422)
        assert f"{key} is a setting; put it into config" in answer.text


def test_an_answer_says_what_was_understood_and_what_gave_way(client):
    body = {**wish(bars={1: [4, 5]}, seed=1), "prompt": "sparse purple bass in E minor, 90 bpm"}
    body["request"]["tracks"][1]["controls"] = {"pitch_mask": {"pitch_classes": [0, 5]}}
    body["request"]["tracks"][1]["attributes"] = {"max_note_duration": 3}
    told = client.post("/generate", json=body).json()["understood"]
    assert (told["scale"], told["unknown"]) == ("E:minor", ["purple"])
    assert told["overruled"] == [
        "bpm is not used: it is the song's own",
        "tracks[1].controls.pitch_mask wins over the prompt",
    ]
    assert "understood" not in client.post("/generate", json=wish(bars={1: [4, 5]}, seed=1)).json()


def ended(client, url):
    while (job := client.get(url).json())["status"] in ("queued", "running"):
        pass
    assert job["status"] == "succeeded", job["error"]
    return job


@pytest.mark.parametrize("kind", ["generate", "infill"])
def test_a_job_heeds_a_prompt_and_tells_what_it_understood(client, kind):
    own = wish(bars={1: [4, 5]}, seed=1)
    options = {"bars": "5-6", "track": "2", "seed": 1, "density_hard_limit": 4}
    song_file = {"midi": base64.b64encode(midi(song(8))).decode(), "options": options}
    body = own if kind == "generate" else song_file
    answer = client.post("/jobs", json={**body, "prompt": "F# dorian"})
    assert answer.status_code == 202, answer.text
    job = ended(client, answer.json()["urls"]["get"])
    assert job["summary"]["understood"]["scale"] == "F#:dorian"
    written = Score.from_midi(client.get(job["results"][0]["midi"]).content)
    found = {note.pitch % 12 for bar in written.tracks[1].bars[4:6] for note in bar.notes}
    assert found
    assert found <= DORIAN


def test_a_loop_and_an_infill_tell_what_they_understood(client):
    config = {"seed": 1, "density_hard_limit": 4}
    body = {"score": song(4).to_dict(), "first": 0, "end": 1, "tracks": [1], "variations": 1, "config": config}
    answer = client.post("/loop", json={**body, "prompt": "F# dorian"}).json()
    assert answer["understood"]["scale"] == "F#:dorian"
    fields = {"bars": "5", "track": "2", "prompt": "F# dorian", "seed": "1", "density_hard_limit": "4"}
    file = {"file": ("song.mid", midi(song(8)))}
    report = client.post("/infill", files=file, data=fields).headers["x-midigpt-report"]
    assert json.loads(report)["understood"]["scale"] == "F#:dorian"
    fields["prompt"] += " purple haze" * 300
    assert len(client.post("/infill", files=file, data=fields).headers["x-midigpt-report"]) < 5000  # proxies take it


WORDY = (("/generate", {**wish()}), ("/jam/start", {}), ("/loop", {"score": song(4).to_dict(), "first": 0, "end": 1}))


@pytest.mark.parametrize(("path", "body"), WORDY, ids=[path for path, _ in WORDY])
def test_a_prompt_longer_than_anybody_writes_is_refused_before_it_is_read(client, path, body, monkeypatch):
    """Each word that is not known is compared with all that are: a million took an hour."""
    monkeypatch.setattr(reader, "_PromptReader", pytest.fail)
    more = {"tracks": [1]} if path == "/loop" else {}
    answer = client.post(path, json={**body, **more, "prompt": "qwertyui " * 500})
    assert answer.status_code == 422, answer.text
    assert "at most 4000" in answer.json()["detail"]


@pytest.mark.parametrize(
    "weights", ["1e308,1e308", "1e999,1", "nan,1", "-1,1", "0,0", "1", [10**320, 1], [True, None], ","]
)
def test_style_weights_that_make_no_sense_are_refused(client, weights):
    answer = client.post("/jam/start", json={"styles": "jazz,funk", "style_weights": weights})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"]


_PHRASES = st.sampled_from(
    [
        "0/4",
        "99/16",
        "0 bars of",
        "999 bars",
        "10 bpm",
        "999 bpm",
        "no",
        "very",
        "bass",
        "drums",
        "funk",
        "c#b minor",
        "e# minor",
        "cb major",
        "\u0663/4",
        "\u0661\u0662\u0660 bpm",
        "\0",
        "\u0130",
        "swing",
        "straight",
        "sparse",
        "busy",
        ",",
        ".",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(_PHRASES | st.text(max_size=8), max_size=10).map(" ".join), st.sampled_from([path for path, _ in WORDY])
)
def test_any_prompt_is_followed_or_refused(client, prompt, path):
    body = {**dict(WORDY)[path], "prompt": prompt}
    if path == "/loop":
        body |= {"tracks": [1], "variations": 1, "config": {"density_hard_limit": 2, "max_attempts": 1}}
    if any("\ud800" <= letter <= "\udfff" for letter in prompt):
        return
    answer = client.post(path, json=body)
    assert answer.status_code < 500, answer.text
    assert client.get("/words", params={"prompt": prompt}).status_code < 500
    if path == "/jam/start" and answer.status_code == 200:
        client.post("/jam/stop", json={"session_id": answer.json()["session_id"]})


def test_half_letters_in_a_prompt_are_refused_at_every_door(client):
    jam = client.post("/jam/start", json={"prompt": "bass", "pace": "asap"}).json()["session_id"]
    doors = [*WORDY, ("/jam/update", {"session_id": jam})]
    for path, body in doors:
        sent = json.dumps({**body, **({"tracks": [1]} if path == "/loop" else {}), "prompt": "\ud800 bass"})
        answer = client.post(path, content=sent, headers={"content-type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert answer.json()["field"] == "prompt"
    client.post("/jam/stop", json={"session_id": jam})


def test_whatever_an_answer_repeats_can_be_sent():
    """An answer that could not be written was a failure of the server."""
    assert json.loads(Answer({"said": "\ud800"}).body) == {"said": "\ud800"}
    with client_of() as client:
        assert client.app.router.default_response_class is Answer
        answers = client.get("/openapi.json").json()["paths"]["/health"]["get"]["responses"]
        assert answers["200"]["content"]["application/json"]["schema"]["type"] == "object"
