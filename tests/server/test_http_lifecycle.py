"""The server stops in order, serves what its options say, and describes itself truly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from serving import client_of, free_port, live_server, long_wish, wish
from tiny import engine

from midigpt_cli.commands.serve import Serve, greeting, serve
from midigpt_cli.server.loaded_models import specs_from_file
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_core.errors import RequestValidationError
from midigpt_core.model.checkpoint import save_checkpoint


def test_an_idle_server_stops_by_itself_and_a_busy_one_does_not():
    body = wish()
    with live_server(idle_timeout=1.0) as live:
        assert httpx.post(live.url + "/generate", json=body, timeout=60).status_code == 200
        live.thread.join(15)
        assert not live.thread.is_alive()


def test_stopping_lets_running_requests_finish_in_the_time_they_have():
    with live_server(stop_seconds=30.0) as live, ThreadPoolExecutor(1) as pool:
        body = wish(bars={1: [2, 3, 4, 5], 2: [2, 3, 4, 5]}, num_candidates=8, density_hard_limit=16)
        answer = pool.submit(lambda: httpx.post(live.url + "/generate", json=body, timeout=60))
        live.until(lambda: live.busy == 1)
        live.server.should_exit = True
        assert answer.result().status_code == 200
        live.thread.join(10)
        assert not live.thread.is_alive()


def test_stopping_answers_what_could_not_be_finished():
    with live_server(stop_seconds=0.2) as live, ThreadPoolExecutor(2) as pool:
        body = long_wish()
        sync = pool.submit(lambda: httpx.post(live.url + "/generate", json=body, timeout=60))
        stream = pool.submit(lambda: httpx.post(live.url + "/generate", json={**body, "stream": True}, timeout=60))
        live.until(lambda: live.busy == 2)
        live.server.should_exit = True
        assert sync.result().status_code == 503
        assert sync.result().headers["retry-after"]
        assert '"type":"cancelled"' in stream.result().text.splitlines()[-2]
        assert "the server is stopping" in stream.result().text


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_checkpoint(path, engine().model, engine().tokenizer.config)
    return path


@pytest.mark.slow
def test_the_command_serves_a_checkpoint_and_stops_on_a_signal(checkpoint):
    port = free_port()
    command = [sys.executable, "-m", "midigpt_cli.main", "serve", "--ckpt", str(checkpoint), "--port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    options = ["--stop-seconds", "1", "--log-format", "json"]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, env=environment)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                told = httpx.get(f"http://127.0.0.1:{port}/info").json()
                break
            except httpx.TransportError:
                time.sleep(0.1)
        assert told["model"] == "tiny"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    lines = said.splitlines()
    assert f"http://127.0.0.1:{port}" in lines[0]
    assert any(json.loads(line)["event"] == "stopping" for line in lines[2:] if line.startswith("{"))
    assert "Traceback" not in said


def test_every_setting_is_an_option_of_the_command():
    import dataclasses
    import inspect

    names = set(inspect.signature(serve).parameters)
    assert {setting.name for setting in dataclasses.fields(ServerSettings)} <= names
    assert {"ckpt", "pretrained", "hf_filename", "device", "host", "port", "log_level", "config"} <= names
    assert Serve.__dataclass_fields__["listening"]


def test_the_server_says_who_can_reach_it():
    assert "only this machine" in greeting(ServerSettings(), ["open"])[1]
    assert "anybody" in greeting(ServerSettings(host="0.0.0.0"), ["open"])[1]
    assert len(greeting(ServerSettings(host="0.0.0.0", api_key="k"), ["open"])) == 1


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("127.0.0.1", "on http://127.0.0.1:8000 "),
        ("0.0.0.0", "at every address of this machine, here http://127.0.0.1:8000 "),
        ("::", "at every address of this machine, here http://[::1]:8000 "),
        ("fd00::1", "on http://[fd00::1]:8000 "),
    ],
)
def test_the_server_says_where_it_listens(host, said):
    assert said in greeting(ServerSettings(host=host), ["open"])[0]


def test_a_setting_out_of_range_is_refused():
    with pytest.raises(RequestValidationError, match="max_queue"):
        ServerSettings(max_queue=0)


YAML = """
max_queue: 9
device: cpu
default_model: b
models:
  - {id: a, ckpt: a.safetensors}
  - {id: b, pretrained: open, max_parallel: 3}
"""


def test_a_file_of_models_is_read(tmp_path):
    pytest.importorskip("yaml")
    file = tmp_path / "models.yaml"
    file.write_text(YAML)
    specs, default, settings = specs_from_file(str(file), ["max_queue"])
    assert [(spec.id, spec.reference, spec.local, spec.device) for spec in specs] == [
        ("a", "a.safetensors", True, "cpu"),
        ("b", "open", False, "cpu"),
    ]
    assert (default, settings) == ("b", {"max_queue": 9})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("models: []", "models"),
        ("models: [{id: a}]", "ckpt"),
        ("models: [{id: a, ckpt: x, pretrained: y}]", "ckpt"),
        ("models: [{id: a, ckpt: x, devise: cpu}]", "device"),
        ("models: [{id: a, ckpt: x}, {id: a, ckpt: x}]", "twice"),
        ("modles: []", "models"),
        ("models: [{id: a, ckpt: x}]\nmax_que: 3", "max_queue"),
        ("models: [{id: a, ckpt: 7}]", "models[0].ckpt = 7 is not a string"),
        ("models: [{ckpt: x}]", "models[0].id is missing"),
        ("models: [a]", "models[0] = 'a' is not an object"),
        ("device: 1\nmodels: [{id: a, ckpt: x}]", "config.device = 1 is not a string"),
        (": : :", "YAML"),
    ],
)
def test_a_wrong_file_of_models_is_named(tmp_path, text, named):
    pytest.importorskip("yaml")
    file = tmp_path / "models.yaml"
    file.write_text(text)
    with pytest.raises(RequestValidationError, match=re.escape(named)):
        specs_from_file(str(file), ["max_queue"])


def test_openapi_has_real_types_units_and_ranges(client):
    schema = client.get("/openapi.json").json()
    parts = schema["components"]["schemas"]
    heat = parts["InferenceConfig"]["properties"]["temperature"]
    assert (heat["exclusiveMinimum"], heat["maximum"], heat["default"]) == (0.0, 10.0, 1.0)
    assert "higher surprises more" in heat["description"]
    assert parts["Note"]["properties"]["pitch"]["maximum"] == 127
    assert "ticks" in parts["Note"]["properties"]["onset_ticks"]["description"]
    assert parts["TrackPrompt"]["required"] == ["id"]
    assert parts["GenerateBody"]["examples"]
    assert "multipart/form-data" in schema["paths"]["/infill"]["post"]["requestBody"]["content"]
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(schema)))
    assert references <= set(parts)


def test_openapi_s_own_example_is_accepted(client):
    schema = client.get("/openapi.json").json()
    example = schema["components"]["schemas"]["GenerateBody"]["examples"][0]
    example["request"]["config"] |= {"density_hard_limit": 4, "seed": 1}
    assert client.post("/generate", json=example).status_code == 200


def test_the_documents_page_is_served(client):
    assert "openapi.json" in client.get("/docs").text


def test_the_docs_page_needs_no_other_server_and_no_key():
    with client_of(api_key="secret") as client:
        page = client.get("/docs").text
        assert "http://" not in page
        assert "https://" not in page
        places = re.findall(r'(?:src|href)="(/[^"]+)"', page)
        assert {place.rpartition(".")[2] for place in places} >= {"js", "css"}
        for place in places:
            assert client.get(place).status_code == 200


def test_every_route_that_can_refuse_describes_its_refusals(client):
    """A client made from the schema must know what may come back: whatever takes an id or a body may be refused."""
    paths = client.get("/openapi.json").json()["paths"]
    asking = {
        f"{method.upper()} {path}": told["responses"]
        for path, methods in paths.items()
        for method, told in methods.items()
        if told.get("parameters") or told.get("requestBody")
    }
    assert len(asking) > 20
    assert [route for route, answers in asking.items() if not {"401", "404", "503"} <= answers.keys()] == []
