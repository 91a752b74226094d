"""Clients of midigpt-http and readers of its reference, as their pages show them, on a real socket."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from midigpt_cli.http_entry import translated
from midigpt_core.engine import InferenceEngine
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import Bar, Note, Score, Track

CURL = """curl -s -X POST http://localhost:8000/generate \\
  -H "Content-Type: application/json" \\
  -d '{
    "score": {
      "resolution": 480, "tempo": 500000,
      "tracks": [{
        "instrument": 0, "track_type": "melodic",
        "bars": [
          {"ts_numerator": 4, "ts_denominator": 4, "notes": []},
          {"ts_numerator": 4, "ts_denominator": 4, "notes": []},
          {"ts_numerator": 4, "ts_denominator": 4, "notes": []},
          {"ts_numerator": 4, "ts_denominator": 4, "notes": []}
        ]
      }]
    },
    "request": {
      "tracks": [{"id": 0, "bars": [0, 1, 2, 3]}],
      "config": {"model_dim": 4}
    }
  }'
"""
BODY: dict[str, Any] = json.loads(CURL[CURL.index("'") + 1 : CURL.rindex("'")])


@pytest.fixture(scope="module")
def url(served, checkpoint) -> Iterator[str]:
    command = ["midigpt_cli.http_entry", "--ckpt", str(checkpoint), "--device", "cpu", "--host", "127.0.0.1"]
    with served([*command, "--log-level", "WARNING", "--max-parallel", "2", "--max-queue", "8"]) as address:
        yield address


def asked(**config: Any) -> dict[str, Any]:
    return {**BODY, "request": {**BODY["request"], "config": {"model_dim": 4, "seed": 3, **config}}}


def test_the_curl_example_as_the_page_has_it_writes_four_bars_and_counts_them(url):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    done = subprocess.run(["bash", "-c", CURL.replace("http://localhost:8000", url)], capture_output=True, text=True)
    answer = json.loads(done.stdout)
    assert len(answer["score"]["tracks"][0]["bars"]) == 4
    assert any(bar["notes"] for bar in answer["score"]["tracks"][0]["bars"])
    assert answer["timing"]["gen_count"] == 4
    assert {"model_forward_s", "encode_s", "decode_s"} <= set(answer["timing"])


def test_health_and_info_hold_what_the_page_shows(url):
    assert httpx.get(f"{url}/health").json()["status"] == "ok"
    info = httpx.get(f"{url}/info").json()
    shown = ["note_density", "min_polyphony", "max_polyphony", "min_note_duration", "max_note_duration", "tension"]
    masks = ["supports_token_mask", "supports_attention_mask", "supports_attention_approx", "supports_attention_skip"]
    assert {*shown, *masks, "supports_remove"} <= set(info["capabilities"])
    assert isinstance(info["checkpoint"], str)
    assert all(isinstance(size, int) for size in info["attributes"].values())
    assert httpx.get(f"{url}/docs").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**BODY, "score": {"tracks": [{"bars": "none"}]}}, 400),
        ({**BODY, "request": {"tracks": [{"bars": [0]}]}}, 400),
        ({**BODY, "request": {"tracks": [{"id": 0, "bars": [99]}]}}, 422),
        (asked(ar_overlap=1.0), 422),
    ],
)
def test_errors_have_the_status_of_the_page(url, body, status):
    answer = httpx.post(f"{url}/generate", json=body, timeout=60)
    assert (answer.status_code, isinstance(answer.json()["detail"], str)) == (status, True)


@pytest.mark.parametrize(
    "body",
    [
        asked(seed=None),
        asked(top_k=40.0),
        asked(shuffle=1, silence_check=0),
        {**asked(), "stream": "false"},
        {**asked(), "stream": 0},
        {**asked(), "model": None},
    ],
)
def test_values_that_can_mean_one_thing_only_are_taken(url, body):
    answer = httpx.post(f"{url}/generate", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"


def test_instrument_128_is_a_drum_kit(url):
    bars = [{"ts_numerator": 4, "ts_denominator": 4, "notes": []}] * 4
    score = {"tracks": [{"instrument": 128, "bars": bars}]}
    answer = httpx.post(f"{url}/generate", json={**asked(), "score": score}, timeout=60)
    assert answer.json()["score"]["tracks"][0]["track_type"] == "drum"


@pytest.mark.parametrize("wrong", [{"top_k": 40.5}, {"shuffle": 2}, {"seed": "none"}, {"temperature": "1.0"}])
def test_values_that_could_mean_anything_are_refused(url, wrong):
    assert httpx.post(f"{url}/generate", json=asked(**wrong), timeout=60).status_code == 400


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--ckpt models/yellow.pt --port 8000", "--ckpt models/yellow.pt --port 8000"),
        ("--pretrained yellow --port 8000", "--pretrained yellow --port 8000"),
        (
            "--pretrained Metacreation/MIDI-GPT --hf-filename yellow.pt --port 8000",
            "--pretrained Metacreation/MIDI-GPT --hf-filename yellow.pt --port 8000",
        ),
        ("--pretrained mine --hf-repo me/models", "--model mine=me/models:mine-final.safetensors"),
        ("--pretrained yellow --device cuda", "--pretrained yellow --device cuda"),
        ("--max-parallel 4 --log-level DEBUG", "--log-level DEBUG"),
    ],
)
def test_the_flags_of_midigpt_http_are_those_of_serve_open_to_the_network(flags, words):
    assert translated(flags.split()) == ["serve", "--host", "0.0.0.0", *words.split()]
    assert translated(["--host", "127.0.0.1"]) == ["serve", "--host", "127.0.0.1"]


# ---- the reference, in Python ----


def test_the_reference_s_types_have_its_fields_and_defaults():
    note, bar, track, score = Note(), Bar(), Track(), Score()
    assert (note.pitch, note.velocity, note.onset_ticks, note.duration_ticks, note.delta) == (0, 64, 0, 0, 0)
    assert (bar.notes, bar.ts_numerator, bar.ts_denominator, bar.beat_length, bar.future) == ([], 4, 4, 4.0, False)
    assert (track.bars, track.instrument, track.track_type, track.attributes) == ([], 0, "melodic", {})
    assert (score.tracks, score.resolution, score.tempo) == ([], 480, 500000)
    prompt = TrackPrompt(id=0, bars=[1])
    assert (prompt.autoregressive, prompt.ignore, prompt.mask_bars, prompt.attributes) == (False, False, [], {})
    assert (prompt.controls, prompt.bar_attributes, prompt.bar_controls) == ({}, {}, {})
    named = ["model_dim", "temperature", "top_k", "top_p", "mask_k", "mask_p", "max_attempts"]
    named += ["temperature_escalation", "silence_check", "novelty_check", "seed"]
    named += ["polyphony_hard_limit", "density_hard_limit"]
    config = InferenceConfig()
    said = [8, 1.0, 0, 1.0, 0, 0.0, 3, 1.0, True, False, -1, 0, 0]
    assert [getattr(config, name) for name in named] == said


def test_an_engine_from_a_checkpoint_runs_a_session_that_counts_bars(checkpoint):
    engine = InferenceEngine.from_checkpoint(str(checkpoint))
    engine.warmup()
    score = Score(tracks=[Track(bars=[Bar() for _ in range(4)])])
    request = GenerationRequest([TrackPrompt(id=0, bars=[0, 1, 2, 3])], InferenceConfig(model_dim=4, seed=1))
    session = engine.session(score, request)
    assert session.gen_count == 0
    written = session.run()
    assert session.gen_count == 4
    assert session.token_count > 4
    assert not any(bar.notes for bar in score.tracks[0].bars)  # the score given is not changed
    assert sum(len(bar.notes) for bar in written.tracks[0].bars) > 0


def test_bars_of_all_takes_count(checkpoint):
    engine = InferenceEngine.from_checkpoint(str(checkpoint))
    score = Score(tracks=[Track(bars=[Bar() for _ in range(4)])])
    config = InferenceConfig(model_dim=4, seed=1, num_candidates=3)
    session = engine.session(score, GenerationRequest([TrackPrompt(id=0, bars=[0, 1])], config))
    assert [take["gen_count"] for take in session.run_variations()] == [2, 2, 2]
    assert session.gen_count == 6
