"""What the routes of one application share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from fastapi import Request

from midigpt_cli.server.loaded_models import Models
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.telemetry import Telemetry
from midigpt_cli.server.work_queue import WorkQueue

if TYPE_CHECKING:
    from midigpt_cli.server.jobs_in_memory import JobStore
    from midigpt_cli.server.open_jams import JamSessions


class OpenedSong(NamedTuple):
    """A song that the studio's page opens by itself."""

    name: str
    file: bytes


@dataclass
class ServerState:
    """Models, settings, the queue that admits work, the jobs, and what is measured."""

    models: Models
    settings: ServerSettings
    telemetry: Telemetry = field(init=False)
    queue: WorkQueue = field(init=False)
    jobs: JobStore = field(init=False)
    jams: JamSessions = field(init=False)
    opened: OpenedSong | None = None  # what midigpt studio was told to open
    draining: bool = False  # it is about to stop: load balancers send new requests elsewhere
    selecting: asyncio.Lock = field(default_factory=asyncio.Lock)  # held while a model is being loaded

    def __post_init__(self) -> None:
        from midigpt_cli.server.choose_job_store import job_store
        from midigpt_cli.server.open_jams import JamSessions

        self.telemetry = Telemetry(self.models)
        self.queue = WorkQueue(self.settings, self.telemetry.generation)
        self.telemetry.watch(self.queue)
        self.jobs = job_store(self.settings, self.telemetry.webhooks)
        self.jams = JamSessions(self.settings, self.queue)


def state_of(request: Request) -> ServerState:
    """The state of the application that serves this request."""
    state: ServerState = request.app.state.midigpt
    return state
