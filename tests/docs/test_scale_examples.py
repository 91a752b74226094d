"""The examples of docs/scale.md name options, services and an application that there are."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="needs the serve extra")
pytest.importorskip("fastapi", reason="needs the serve extra")

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
ROOT = EXAMPLES.parents[1]


def replicas() -> dict:
    services = yaml.safe_load((EXAMPLES / "replicas" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    return {name: each for name, each in services.items() if "build" in each}


def options(command: list[str]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(command[::2], command[1::2], strict=True)}


def test_the_replicas_are_started_with_options_of_midigpt_serve() -> None:
    from midigpt_cli.commands.serve import Listening

    known = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(Listening)}
    for replica in replicas().values():
        assert set(options(replica["command"])) <= known


def test_a_replica_may_drain_and_finish_before_it_is_killed() -> None:
    for replica in replicas().values():
        told = options(replica["command"])
        assert float(replica["stop_grace_period"].removesuffix("s")) > told["--drain-seconds"] + told["--stop-seconds"]


def test_the_proxy_speaks_to_every_replica_and_asks_whether_it_is_ready() -> None:
    proxy = (EXAMPLES / "replicas" / "Caddyfile").read_text(encoding="utf-8")
    served = re.search(r"reverse_proxy (.*) \{", proxy)
    assert served is not None
    assert served[1].split() == [f"{name}:8000" for name in replicas()]
    assert "health_uri /ready" in proxy


def test_the_build_arguments_of_the_replicas_are_those_of_the_dockerfile() -> None:
    known = re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    for replica in replicas().values():
        assert set(replica["build"]["args"]) <= set(known)
        assert (EXAMPLES / "replicas" / replica["build"]["context"]).resolve() == ROOT


def test_a_container_keeps_its_jobs_in_the_volume_of_the_documented_command() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (mounted,) = re.findall(r"docker run .* -v [\w-]+:(\S+)", lines)
    assert f"VOLUME {mounted}\n" in lines
    (kept,) = re.findall(r"MIDIGPT_JOB_STORE=(\S+)", lines)
    assert kept.startswith(f"{mounted}/")


def test_the_ray_serve_example_names_the_application_and_its_options() -> None:
    from midigpt_cli.cluster.serving import options_of

    text = (EXAMPLES / "ray-serve.yaml").read_text(encoding="utf-8")
    (application,) = yaml.safe_load(text)["applications"]
    assert application["import_path"] == "midigpt_cli.cluster:app"
    spoken_of = yaml.safe_load(re.sub(r"# (api_key|job_store):", r"\1:", text))["applications"][0]["args"]
    assert set(spoken_of) == {"model", "api_key", "job_store"}
    assert options_of(spoken_of).listening.job_store.startswith("postgresql://")
