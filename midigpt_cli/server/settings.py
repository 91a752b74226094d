"""Every setting of the server, with its default, range and meaning: the command line and the docs read them here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from midigpt_core.fields import refused

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _option(default: Any, meaning: str, low: float | None = None, high: float | None = None, **more: Any) -> Any:
    return field(default=default, metadata={"help": meaning, "low": low, "high": high, **more})


@dataclass(frozen=True)
class ServerSettings:
    """How the server listens, whom it lets in, and how much it takes on."""

    # listening
    host: str = _option("127.0.0.1", "address to listen on; 0.0.0.0 opens the server to the network")
    port: int = _option(8000, "TCP port; 0 picks a free one", 0, 65535)
    root_path: str = _option("", "path under which a proxy shows the server, such as /midigpt")
    # who may call
    api_key: str = _option("", "callers must send it as X-API-Key or Authorization: Bearer", env="MIDIGPT_API_KEY")
    cors_origin: tuple[str, ...] = _option((), "web origin that may call from a browser (repeat; * for any)")
    allow_host: tuple[str, ...] = _option((), "further Host name to answer to when listening on this machine only")
    allow_model: tuple[str, ...] = _option(
        (),
        "what POST /model/select may load beside the models named at the start: a name, a hub repository or a path"
        " of this machine, as callers will say it (repeat; hub: any published name and hub repository)",
    )
    # how much is taken on
    max_queue: int = _option(64, "requests admitted at once, waiting or running; more get 503", 1, 100_000)
    max_per_client: int = _option(0, "requests admitted at once per address; more get 429 (0: no limit)", 0, 100_000)
    max_lanes: int = _option(16, "takes that share a model call", 1, 1024)
    max_request_lanes: int = _option(512, "lanes of one request: its takes, times the tries of each", 1, 100_000)
    max_generation_seconds: float = _option(0.0, "stop a generation that runs longer (0: no limit)", 0)
    max_body_mb: float = _option(16.0, "largest request body, in megabytes", 0.001, 4096)
    body_seconds: float = _option(30.0, "time a request body may take to arrive", 0.01)
    max_connections: int = _option(1024, "connections open at once; more get 503", 1, 1_000_000)
    header_seconds: float = _option(10.0, "time the head of a request may take to arrive on an open connection", 0.01)
    keep_alive_seconds: float = _option(5.0, "time a connection stays open between two requests", 0.01)
    max_bars: int = _option(4096, "bars of the longest song taken", 1)
    max_tracks: int = _option(256, "tracks of the largest song taken", 1)
    max_notes: int = _option(200_000, "notes of the largest song taken", 1)
    # jams
    max_jams: int = _option(8, "jams played at once; more get 429", 0, 1024)
    jam_seconds: float = _option(60.0, "a jam ends when its player has not been heard of for this long", 1)
    # jobs
    job_seconds: float = _option(3600.0, "finished jobs are kept this long", 0.01)
    job_store: str = _option(
        "data",
        "where jobs are kept: data (jobs.sqlite in the data folder), a file, postgresql://..., or memory",
        env="MIDIGPT_JOB_STORE",
    )
    job_lease: float = _option(
        15.0, "a server that has given no sign of life for this long is gone; its jobs are told as interrupted", 0.1
    )
    max_jobs: int = _option(256, "jobs kept; the oldest finished ones make room", 1)
    max_jobs_mb: float = _option(256.0, "megabytes of results kept; the oldest finished jobs make room", 0.001)
    webhook_secret: str = _option("", "whsec_... key that signs webhooks", env="MIDIGPT_WEBHOOK_SECRET")
    webhook_private: bool = _option(False, "allow webhooks to private and local addresses")
    # audio
    audio_urls: str = _option(
        "off", "addresses POST /audio_to_midi may fetch: off, public, or any", choices=("off", "public", "any")
    )
    max_render_seconds: float = _option(600.0, "length of the longest song POST /render plays into a file", 1)
    # stopping
    idle_timeout: float = _option(0.0, "stop after this many seconds without a request (0: never)", 0)
    drain_seconds: float = _option(
        0.0, "on SIGTERM, time in which /ready says no while requests are still taken, for a load balancer to notice", 0
    )
    stop_seconds: float = _option(20.0, "on SIGTERM, time for running requests to finish before they are stopped", 0)

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(self):
            value, meta = getattr(self, setting.name), setting.metadata
            low, high = meta["low"], meta["high"]
            if (low is not None and not value >= low) or (high is not None and not value <= high):
                span = f"use {low:g} or more" if high is None else f"use {low:g} to {high:g}"
                raise refused(setting.name, value, "is out of range", f"{span} ({meta['help']})")
            if "choices" in meta and value not in meta["choices"]:
                raise refused(setting.name, value, "is not known", f"use {' or '.join(meta['choices'])}")

        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            raise refused("root_path", self.root_path, "is no path", "begin it with / and end it without, as /midigpt")

    @property
    def max_body_bytes(self) -> int:
        return int(self.max_body_mb * 1e6)

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK
