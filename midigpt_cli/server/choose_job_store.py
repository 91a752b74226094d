"""Where the jobs of a server are kept: in memory, or in an archive."""

from __future__ import annotations

from midigpt_cli.server.jobs_in_memory import JobStore
from midigpt_cli.server.prometheus import Counter
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_core.errors import MidiGptError


def job_store(settings: ServerSettings, webhooks: Counter) -> JobStore:
    """The jobs of a server, kept where its settings say. Raises MidiGptError where that cannot be opened."""
    place = settings.job_store
    if place == "memory":
        return JobStore(settings, webhooks)
    try:
        from midigpt_cli.server.jobs_in_database import archived_jobs
    except ImportError as error:
        raise MidiGptError(
            f"{error.name} is missing; pip install 'midigpt-cli[serve]', or --job-store memory"
        ) from error
    if place == "data":
        from midigpt_cli.history import database

        place = str(database().with_name("jobs.sqlite"))
    return archived_jobs(settings, webhooks, place)
