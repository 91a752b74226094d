"""Every setting of the server, with its default, range and meaning: the command line and the docs read them here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from midigpt_core.fields import refused

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # what listens everywhere -> where this machine reaches it


def reached_at(host: str) -> str:
    """What this machine writes into an address for a server that listens there."""
    return ANY_ADDRESS.get(host, f"[{host}]" if ":" in host else host)


def _option(default: Any, meaning: str, low: float | None = None, high: float | None = None, **more: Any) -> Any:
    return field(default=default, metadata={"help": meaning, "low": low, "high": high, **more})


@dataclass(frozen=True)
class ServerSettings:
    """How the server listens, whom it lets in, and how much it takes on."""

    # listening
    host: str = _option("127.0.0.1", "address to listen on (0.0.0.0: any, open to the network)")
    port: int = _option(8000, "TCP port; 0 picks a free one", 0, 65535)
    root_path: str = _option("", "path under which a proxy serves it, such as /midigpt")
    # who may call
    api_key: str = _option(
        "", "key that callers must send, as X-API-Key or Authorization: Bearer", env="MIDIGPT_API_KEY"
    )
    cors_origin: tuple[str, ...] = _option((), "web origin that may call from a browser (repeatable; *: any)")
    allow_host: tuple[str, ...] = _option((), "Host name to accept besides local ones (repeatable)")
    allow_model: tuple[str, ...] = _option(
        (),
        "model that callers may load with POST /model/select: a name, hub repository or path, as callers write it"
        " (repeatable; hub: anything published)",
    )
    # how much is taken on
    max_queue: int = _option(64, "most requests waiting or running at once; more get 503", 1, 100_000)
    max_per_client: int = _option(0, "most requests at once from one address; more get 429 (0: no limit)", 0, 100_000)
    max_lanes: int = _option(16, "most takes in one model call", 1, 1024)
    max_request_lanes: int = _option(512, "most takes times tries in one request", 1, 100_000)
    max_generation_seconds: float = _option(0.0, "time limit of a generation, in seconds (0: none)", 0)
    max_body_mb: float = _option(16.0, "largest request body, in megabytes", 0.001, 4096)
    body_seconds: float = _option(30.0, "seconds a request body may take to arrive", 0.01)
    max_connections: int = _option(1024, "most open connections; more get 503", 1, 1_000_000)
    header_seconds: float = _option(10.0, "seconds the headers of a request may take to arrive", 0.01)
    keep_alive_seconds: float = _option(5.0, "seconds a connection stays open between two requests", 0.01)
    max_bars: int = _option(4096, "most bars in a song", 1)
    max_tracks: int = _option(256, "most tracks in a song", 1)
    max_notes: int = _option(200_000, "most notes in a song", 1)
    # jams
    max_jams: int = _option(8, "most jams at once; more get 429", 0, 1024)
    jam_seconds: float = _option(60.0, "seconds without a request after which a jam ends", 1)
    # jobs
    job_seconds: float = _option(3600.0, "seconds to keep finished jobs", 0.01)
    job_store: str = _option(
        "data",
        "where jobs are kept: data (jobs.sqlite in the data folder), a file, postgresql://..., or memory",
        env="MIDIGPT_JOB_STORE",
    )
    job_lease: float = _option(
        15.0, "seconds of silence after which a server counts as dead and its jobs as interrupted", 0.1
    )
    max_jobs: int = _option(256, "most jobs to keep; the oldest finished ones are deleted first", 1)
    max_jobs_mb: float = _option(
        256.0, "most megabytes of results to keep; the oldest finished jobs are deleted first", 0.001
    )
    webhook_secret: str = _option("", "key that signs webhooks, whsec_...", env="MIDIGPT_WEBHOOK_SECRET")
    webhook_private: bool = _option(False, "allow webhooks to private and local addresses")
    # audio
    audio_urls: str = _option(
        "off", "addresses that POST /audio_to_midi may fetch: off, public or any", choices=("off", "public", "any")
    )
    max_render_seconds: float = _option(600.0, "longest song that POST /render accepts, in seconds", 1)
    # stopping
    idle_timeout: float = _option(0.0, "stop after this many seconds without a request (0: never)", 0)
    drain_seconds: float = _option(
        0.0, "on SIGTERM, seconds in which /ready answers 503 but requests are still accepted, for load balancers", 0
    )
    stop_seconds: float = _option(20.0, "on SIGTERM, seconds for running requests to finish", 0)

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
            raise refused(
                "root_path", self.root_path, "is not a path", "write it like /midigpt, with / at the start only"
            )

    @property
    def max_body_bytes(self) -> int:
        return int(self.max_body_mb * 1e6)

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK
