"""The examples of the documentation run as they stand."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from serving import midi, wish

from midigpt_core.score import Score

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = DOCS / "examples"

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@needs_curl
def test_the_first_example_fills_four_bars(live):
    answer = json.loads(run("sh", EXAMPLES / "generate.sh", live.url))
    assert answer["generated_bars"] == {"0": [0, 1, 2, 3]}
    assert {"model_forward_s", "encode_s", "decode_s", "gen_count"} <= set(answer["timing"])


@needs_curl
def test_a_stream_can_be_followed_from_the_shell(live, tmp_path):
    (tmp_path / "request.json").write_text(json.dumps(wish()))
    told = [
        json.loads(line) for line in run("sh", EXAMPLES / "stream.sh", tmp_path / "request.json", live.url).splitlines()
    ]
    assert [frame["bar"] for frame in told if frame["type"] == "notes"] == [4, 5]
    assert told[-1]["type"] == "done"


@needs_curl
def test_a_file_can_be_filled_from_the_shell(live, tmp_path):
    (tmp_path / "song.mid").write_bytes(midi())
    run("sh", EXAMPLES / "infill.sh", tmp_path / "song.mid", tmp_path / "out.mid", live.url)
    assert Score.from_midi(tmp_path / "out.mid").n_bars == 8


def test_the_client_needs_the_standard_library_only(live, tmp_path):
    source = (EXAMPLES / "client.py").read_text()
    imported = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
    assert imported <= set(sys.stdlib_module_names)
    (tmp_path / "song.mid").write_bytes(midi())
    order = [tmp_path / "song.mid", tmp_path / "out.mid", "--bars", "5", "--track", "bass", "--seed", "3"]
    report = json.loads(run(sys.executable, EXAMPLES / "client.py", *order, "--server", live.url))
    assert (report["seed"], report["generated_bars"]) == (3, {"1": [4]})
    assert Score.from_midi(tmp_path / "out.mid").n_bars == 8


def test_the_service_gives_answers_time_to_leave():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(EXAMPLES / "midigpt.service")
    command = unit["Service"]["ExecStart"].split()
    assert float(command[command.index("--stop-seconds") + 1]) < float(unit["Service"]["TimeoutStopSec"])


def test_every_route_and_option_is_documented(client):
    import dataclasses

    from midigpt_cli.server.server_settings import ServerSettings

    text = (DOCS / "serve.md").read_text()
    routes = text + (DOCS / "loop.md").read_text() + (DOCS / "jam.md").read_text()
    for path in client.get("/openapi.json").json()["paths"]:
        assert any(form in routes for form in (f"`{path}`", f" {path}`", f"localhost:8000{path} ")), path
    for setting in dataclasses.fields(ServerSettings):
        assert f"--{setting.name.replace('_', '-')}" in text, setting.name
