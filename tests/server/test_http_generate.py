"""POST /generate answers as it promises, and refuses with a status, a field and a remedy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from serving import frames, wish
from tiny import engine, request, song
from wrong_controls import WRONG_CONTROLS, track_of

from midigpt_cli.commands.plan import step_estimates
from midigpt_cli.server.response_models import ErrorAnswer, GenerateAnswer
from midigpt_core.score import Score

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
ANSWER, ERROR = TypeAdapter(GenerateAnswer), TypeAdapter(ErrorAnswer)


def test_only_the_asked_bars_of_the_score_change(client):
    score = song(8)
    answer = client.post("/generate", json=wish(score))
    assert answer.status_code == 200
    body = answer.json()
    ANSWER.validate_python(body)
    after = Score.from_dict(body["score"])
    changed = [
        (t, b) for t, track in enumerate(score.tracks) for b in range(8) if after.tracks[t].bars[b] != track.bars[b]
    ]
    assert changed == [(1, 4), (1, 5)]
    assert body["generated_bars"] == {"1": [4, 5]}
    assert body["seed"] == 7
    assert body["attempts"] == 1
    assert body["timing"]["gen_count"] == 2  # bars
    assert body["timing"]["token_count"] == body["tokens"]["generated_tokens"] > 2
    assert answer.headers["x-request-id"] == body["request_id"]


def test_the_server_writes_what_the_library_writes(client):
    score = song(8)
    alone = engine().session(score, request(score, {1: [4, 5]}, density_hard_limit=6, retry_unchanged=False)).run()
    assert client.post("/generate", json=wish(score)).json()["score"] == alone.to_dict()


def test_a_track_may_say_its_bars_in_words(client):
    body = wish(song(8))
    body["request"]["tracks"][1]["bars"] = "-4-/2"
    assert client.post("/generate", json=body).json()["generated_bars"] == {"1": [4, 6]}
    body["request"]["tracks"][1]["bars"] = "Chorus"
    refusal = client.post("/generate", json=body)
    assert refusal.status_code in (400, 422)
    assert "tracks[1].bars = 'Chorus' is not a range of bars" in refusal.text


@pytest.mark.parametrize(("control", "value", "says"), WRONG_CONTROLS)
def test_a_control_of_the_wrong_type_is_refused_as_in_python(client, control, value, says):
    track = track_of(control)
    prompts = [{"id": number} for number in range(3)]
    prompts[track] = {"id": track, "bars": [4], "controls": {control: value}}
    refusal = client.post("/generate", json={"score": song(8).to_dict(), "request": {"tracks": prompts}})
    assert refusal.status_code == 422
    assert f"tracks[{track}].controls.{control}{says}" in refusal.json()["detail"]


def test_candidates_carry_their_seeds_and_a_ranking(client):
    body = client.post("/generate", json=wish(num_candidates=3)).json()
    ANSWER.validate_python(body)
    assert [take["seed"] for take in body["candidates"]] == [7, 8, 9]
    assert body["base_seed"] == 7
    assert sorted(body["ranked"]) == [0, 1, 2]
    assert body["summary"] == {"requested": 3, "succeeded": 3, "failed": 0, "failures": []}
    assert "score" not in body


def test_a_plan_names_windows_and_bars_and_writes_nothing(client):
    body = client.post("/generate", json=wish(plan_only=True)).json()
    ANSWER.validate_python(body)
    assert body["status"] == "planned"
    assert body["plan"] == [{"window": [0, 8], "autoregressive": False, "generate": {"1": [4, 5]}}]
    assert "score" not in body


def test_a_plan_alone_is_the_plan_of_the_run_and_of_the_command(client):
    score = Score.from_midi(SAMPLES / "pop.mid")
    wanted = request(score, {t: list(range(8)) for t in range(len(score.tracks))}, seed=1, model_dim=0, max_attempts=1)
    body = {"score": score.to_dict(), "request": wanted.to_dict()}
    body["request"]["config"] |= {"model_dim": "auto", "plan_only": True}
    told = client.post("/generate", json=body).json()
    written = engine().session(score, wanted).run_takes()
    command = step_estimates(engine().tokenizer.config, engine().model.n_positions, score, wanted)
    assert len(told["plan"]) == len(written.steps) == len(command) > 1
    assert [set(part["generate"]) for part in told["plan"]] == [
        {str(track) for track, _ in step.cells} for step in written.steps
    ]
    assert told["model_dim"] == written.steps[0].n_bars > 0


def test_a_stream_gives_the_bars_as_they_come_and_ends_with_the_response(client):
    answer = client.post("/generate", json={**wish(), "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = frames(answer.text)
    notes = [frame for frame in told if frame["type"] == "notes"]
    assert [(frame["track"], frame["bar"]) for frame in notes] == [(1, 4), (1, 5)]
    assert told[-1]["type"] == "done"
    ANSWER.validate_python(told[-1]["response"])
    bar = told[-1]["response"]["score"]["tracks"][1]["bars"][4]
    streamed = {(note["pitch"], note["onset_ticks"]) for note in notes[0]["notes"]}
    assert streamed == {(note["pitch"], note["onset_ticks"]) for note in bar["notes"]}
    assert notes[-1]["progress"]["bars_done"] == notes[-1]["progress"]["bars_planned"] == 2


def test_streamed_candidates_are_tagged(client):
    told = frames(client.post("/generate", json={**wish(num_candidates=2), "stream": True}).text)
    assert {frame["candidate"] for frame in told if frame["type"] == "notes"} == {0, 1}
    assert len(told[-1]["response"]["candidates"]) == 2


def test_a_stream_that_fails_ends_with_an_error_frame(client):
    told = frames(client.post("/generate", json={**hopeless(max_attempts=1), "stream": True}).text)
    assert [frame["type"] for frame in told if frame["type"] in ("error", "done")] == ["error"]
    assert (told[-1]["type"], told[-1]["status"]) == ("error", 422)


def hopeless(**config):
    """A request whose every attempt is a copy of what is there: one pitch, its rhythm kept, and copies rejected."""
    score = song(8)
    for bar in score.tracks[1].bars:
        bar.notes = [replace(note, pitch=36) for note in bar.notes]
    body = wish(score, novelty_check=True, novelty_threshold=0.01, density_hard_limit=0, **config)
    body["request"]["tracks"][1]["controls"] = {"rhythm_lock": True, "pitch_mask": {"pitches": [36]}}
    return body


def test_a_copy_that_cannot_be_helped_is_a_422_with_a_way_out(client):
    answer = client.post("/generate", json=hopeless(max_attempts=2))
    assert answer.status_code == 422
    assert answer.json()["error"] == "GenerationError"
    assert "max_attempts" in answer.json()["detail"]
    assert "novelty" in answer.json()["detail"]


def refused(client, body, status):
    answer = client.post("/generate", json=body)
    assert answer.status_code == status, answer.text
    ERROR.validate_python(answer.json())
    return answer.json()


def test_a_malformed_score_is_a_400(client):
    assert "bad" in refused(client, {"score": {"bad": 1}, "request": {}}, 400)["detail"]


def test_a_malformed_request_is_a_400_with_field_and_remedy(client):
    body = wish()
    body["request"]["config"]["temprature"] = 1
    told = refused(client, body, 400)
    assert told["field"] == "config.temprature"
    assert "temperature" in told["remedy"]


def test_a_request_that_does_not_fit_is_a_422_with_field_value_and_remedy(client):
    told = refused(client, wish(temperature=0.0), 422)
    assert (told["field"], told["value"]) == ("config.temperature", 0.0)
    assert told["remedy"]


def test_a_missing_part_is_a_422(client):
    assert refused(client, {"score": {}}, 422)["field"] == "request"


def test_an_unknown_key_beside_score_and_request_is_a_422(client):
    assert "stream" in refused(client, {**wish(), "steam": True}, 422)["detail"]


def test_an_unknown_model_is_a_400(client):
    assert refused(client, {**wish(), "model": "tinny"}, 400)["detail"].endswith("did you mean 'tiny'?")


@pytest.mark.parametrize("raw", [b"", b"{", b"[1, 2", b'{"score": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_a_422(client, raw):
    answer = client.post("/generate", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    ERROR.validate_python(answer.json())


def test_another_media_type_is_a_415(client):
    assert client.post("/generate", content=b"hello", headers={"content-type": "text/plain"}).status_code == 415


def test_cancelling_what_is_not_in_flight_is_a_404(client):
    assert client.post("/generate/nobody/cancel").status_code == 404


def test_an_id_unfit_for_a_path_is_a_422(client):
    assert refused(client, {**wish(), "request_id": "../../etc"}, 422)["field"] == "request_id"


def test_numbers_beyond_reason_are_refused_not_computed(client):
    for key in ("onset_ticks", "duration_ticks", "delta"):
        body = wish()
        body["score"]["tracks"][0]["bars"][0]["notes"][0][key] = 10**30
        assert key in refused(client, body, 400)["detail"]


def test_a_huge_seed_or_limit_is_no_fault_of_ours(client):
    answer = client.post("/generate", json=wish(seed=2**63 - 1, top_k=10**9, polyphony_hard_limit=10**9))
    assert answer.status_code == 200, answer.text


def test_info_lists_what_the_model_can_do(client):
    told = client.get("/info").json()
    assert told["model"] == told["default_model"] == "tiny"
    assert told["capabilities"]["model_dim_options"] == sorted(engine().tokenizer.config.num_bars_map)
    assert told["capabilities"]["max_context_tokens"] == 2048
    assert set(told["attributes"]) == set(told["attribute_track_types"])
    assert client.get("/info", params={"model": "nobody"}).status_code == 400


def test_health_and_models_answer(client):
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/models").json() == {"default_model": "tiny", "models": [{"id": "tiny", "checkpoint": "tiny"}]}


def test_no_answer_ever_holds_a_traceback(client, monkeypatch):
    from midigpt_core.engine import SamplingSession

    monkeypatch.setattr(SamplingSession, "run_takes", lambda self: 1 / 0)
    answer = client.post("/generate", json=wish())
    assert answer.status_code == 500
    ERROR.validate_python(answer.json())
    assert "ZeroDivision" not in answer.text
    assert "Traceback" not in answer.text
