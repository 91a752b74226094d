"""The server as a Ray Serve application: the routes and the notes of `midigpt serve`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="makes a tiny model")
pytest.importorskip("fastapi", reason="needs the serve extra")

from serving import client_of, free_port, midi, wish

from midigpt_cli.cluster import serving
from midigpt_cli.cluster.serving import options_of
from midigpt_core.errors import RequestValidationError


def test_an_option_that_midigpt_serve_does_not_know_is_refused() -> None:
    with pytest.raises(RequestValidationError, match=r"args\.max_lane .*max_lanes"):
        options_of({"max_lane": 3})


def test_the_options_are_those_of_midigpt_serve() -> None:
    options = options_of({"model": "tiny=a.safetensors", "max_lanes": 4, "job_store": "memory"})
    assert options.served.model == ["tiny=a.safetensors"]
    assert (options.listening.max_lanes, options.listening.job_store) == (4, "memory")


def test_replicas_answer_as_the_server_does_and_share_their_jobs(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("ray.serve", reason="needs the cluster extra")
    import httpx
    import ray
    from ray import serve
    from tiny import engine

    from midigpt_cli.cluster import app
    from midigpt_cli.cluster.connect import connected
    from midigpt_core.model.checkpoint import save_checkpoint

    model, loaded, port = tmp_path / "tiny.safetensors", engine(), free_port()
    save_checkpoint(model, loaded.model, loaded.tokenizer.config)
    with client_of() as client:
        wanted = client.post("/generate", json=wish()).json()["score"]
    connected("local")
    try:
        serve.start(http_options={"port": port})
        args = {"model": f"tiny={model}", "job_store": str(tmp_path / "jobs.sqlite")}
        monkeypatch.setitem(serving.SCALING, "min_replicas", 2)
        serve.run(app(args))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            assert http.get("/ready").status_code == 200
            assert http.post("/generate", json=wish()).json()["score"] == wanted
            job = http.post("/jobs", files={"file": midi()}, data={"bars": "5", "track": "2", "seed": "1"}).json()
            told = [_ended(http, job["id"]) for _ in range(8)]  # by this replica and by that one
            assert {answer["status"] for answer in told} == {"succeeded"}
    finally:
        serve.shutdown()
        ray.shutdown()


def _ended(http, job_id: str) -> dict:
    until = time.monotonic() + 60
    while True:
        answer = http.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        if told["status"] in ("succeeded", "failed") or time.monotonic() > until:
            return told
        time.sleep(0.1)
