"""Jobs outlive the server that ran them, on SQLite and on PostgreSQL, however it ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from serving import client_of, free_port, long_wish, wish
from test_http_jobs import SECRET, ended, receiver

from midigpt_cli.server.server_settings import ServerSettings

pytest.importorskip("sqlalchemy", reason="the serve extra is not installed")
pytest.importorskip("torch", reason="PyTorch is not installed: the servers of these tests make a small network with it")

LEASE = 1.0
RUN = """
import sys; sys.path[:0] = {path!r}
from serving import models
from midigpt_cli.server.app import create_app
from midigpt_cli.server.lifecycle import serve
from midigpt_cli.server.server_settings import ServerSettings
settings = ServerSettings(**{settings!r})
serve(create_app(models(), settings), settings)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path) -> Iterator[str]:
    """Where jobs are kept."""
    if request.param == "sqlite":
        yield str(tmp_path / "jobs.sqlite")
        return
    with postgres(tmp_path / "pg") as url:
        yield url


@contextmanager
def postgres(folder: Path, encoding: str = "UTF8") -> Iterator[str]:
    """A PostgreSQL of its own, run by an ordinary user as it demands."""
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("PostgreSQL is not installed")
    own: dict[str, object] = {}
    folder.mkdir()
    if os.geteuid() == 0:
        import pwd

        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL is not run by root, and there is no user postgres")
        shutil.chown(folder, "postgres")
        for above in folder.parents:
            if above != Path("/tmp") and above != Path("/"):
                above.chmod(above.stat().st_mode | 0o111)
        own = {"user": user.pw_uid, "group": user.pw_gid}
    port, data = free_port(), str(folder / "data")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, "check": True, **own}
    subprocess.run(
        ["initdb", "-D", data, "-A", "trust", "-U", "midigpt", "-N", "-E", encoding, "--locale", "C"], **quiet
    )
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    subprocess.run(["pg_ctl", "-D", data, "-w", "-o", settings, "-l", str(folder / "log"), "start"], **quiet)
    try:
        yield f"postgresql://midigpt@127.0.0.1:{port}/postgres"
    finally:
        # it may have ended by itself already
        subprocess.run(["pg_ctl", "-D", data, "-m", "immediate", "stop"], **{**quiet, "check": False})


@contextmanager
def replica(store: str, **settings: object) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """A server in a process of its own, killed at the end."""
    port = free_port()
    settings = {"port": port, "job_store": store, "job_lease": LEASE, "stop_seconds": 0.0, **settings}
    path = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    process = subprocess.Popen([sys.executable, "-c", RUN.format(path=path, settings=settings)])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as caller:
            wait(lambda: answers(caller))
            yield caller, process
    finally:
        process.kill()
        process.wait()


def answers(caller: httpx.Client) -> bool:
    try:
        return caller.get("/ready").status_code == 200
    except httpx.TransportError:
        return False


def wait(test, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def test_killed_again_and_again_it_keeps_what_was_finished_and_tells_what_was_not(store) -> None:
    finished, begun = {}, []
    for life in range(3):
        with replica(store) as (caller, process):
            for job_id, known in finished.items():
                assert caller.get(f"/jobs/{job_id}").json() == known
                assert caller.get(known["results"][0]["midi"]).content[:4] == b"MThd"
            for job_id in begun:
                lost = ended(caller, job_id)
                assert (lost["status"], lost["error"]["error"]) == ("failed", "Interrupted")
            key = {"Idempotency-Key": f"done-{life}"}
            job_id = caller.post("/jobs", json=wish(seed=life), headers=key).json()["id"]
            finished[job_id] = ended(caller, job_id)
            assert finished[job_id]["status"] == "succeeded"
            begun.append(caller.post("/jobs", json=long_wish(), headers={"Idempotency-Key": "long"}).json()["id"])
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert len(set(begun)) == 3  # the key of a job that was interrupted begins it anew
    with replica(store) as (caller, _):
        again = caller.post("/jobs", json=wish(seed=0), headers={"Idempotency-Key": "done-0"}).json()
        assert again == next(iter(finished.values()))


def test_a_webhook_nobody_took_is_sent_after_a_restart_and_one_that_was_taken_is_not(store) -> None:
    own = {"webhook_secret": SECRET, "webhook_private": True}
    with receiver([204]) as (taken, got), receiver([500, 204]) as (refused, late):
        with replica(store, **own) as (caller, _):
            first = caller.post("/jobs", json={**wish(), "webhook_url": taken}).json()["id"]
            second = caller.post("/jobs", json={**wish(seed=9), "webhook_url": refused}).json()["id"]
            known = ended(caller, first), ended(caller, second)
            wait(lambda: got and late)
            time.sleep(0.3)
        with replica(store, **own) as (caller, _):
            wait(lambda: len(late) == 2)
            time.sleep(3 * LEASE)
        with replica(store, **own):
            time.sleep(3 * LEASE)
    assert [len(got), len(late)] == [1, 2]
    assert late[1][0]["webhook-id"] == second
    assert b'"succeeded"' in late[1][1]
    assert known[1]["id"] == second


def test_a_job_is_seen_and_stopped_through_another_replica(store) -> None:
    with replica(store) as (one, _), replica(store) as (other, _):
        headers = {"Idempotency-Key": "shared"}
        job_id = one.post("/jobs", json=long_wish(), headers=headers).json()["id"]
        assert other.post("/jobs", json=long_wish(), headers=headers).json()["id"] == job_id
        time.sleep(2 * LEASE)
        assert other.get(f"/jobs/{job_id}").json()["status"] == "running"
        assert other.get(f"/jobs/{job_id}/events").status_code == 409
        other.delete(f"/jobs/{job_id}")
        assert ended(other, job_id)["status"] == "cancelled"


def test_what_is_kept_is_bounded_and_expires(tmp_path) -> None:
    file = str(tmp_path / "jobs.sqlite")
    with client_of(job_store=file, max_jobs_mb=0.001) as small:
        ids = [small.post("/jobs", json=wish(seed=seed)).json()["id"] for seed in range(3)]
        wait(lambda: [small.get(f"/jobs/{job_id}").status_code for job_id in ids].count(404) == 2)
    with client_of(job_store=file, job_seconds=0.2) as brief:
        job_id = brief.post("/jobs", json=wish()).json()["id"]
        ended(brief, job_id)
        time.sleep(0.25)
        assert brief.get(f"/jobs/{job_id}").status_code == 404


def test_a_draining_server_is_not_ready_and_still_answers() -> None:
    with replica("memory", drain_seconds=20.0) as (caller, process):
        assert caller.get("/ready").json() == {"status": "ready"}
        process.send_signal(signal.SIGTERM)
        wait(lambda: caller.get("/ready").status_code == 503)
        assert caller.get("/ready").json() == {"status": "draining"}
        assert caller.get("/health").status_code == 200
        assert caller.post("/generate", json=wish()).status_code == 200


def test_a_store_that_cannot_be_opened_is_one_sentence(tmp_path) -> None:
    from midigpt_core.errors import MidiGptError

    (tmp_path / "folder").mkdir()
    with pytest.raises(MidiGptError, match="cannot be opened"), client_of(job_store=str(tmp_path / "folder")):
        pass
    with pytest.raises(MidiGptError, match="postgresql"), client_of(job_store="mongodb://x/y"):
        pass


def test_a_postgresql_database_keeps_any_text_or_is_refused_at_the_start(tmp_path) -> None:
    from midigpt_cli.server.job_tables import Archive
    from midigpt_core.errors import RequestValidationError

    with postgres(tmp_path / "plain", "SQL_ASCII") as url:
        archive = Archive(url)
        words = dict.fromkeys(("id", "replica", "content", "kind", "model", "root"), "modèle → 1")
        assert archive.begin({**words, "created": time.time()}, b"{}")
        found = archive.job(words["id"])
        assert found is not None
        assert (found.model, found.status) == (words["model"], "running")
    with (
        postgres(tmp_path / "latin", "LATIN1") as url,
        pytest.raises(RequestValidationError, match="is a database in LATIN1; create one with ENCODING 'UTF8'"),
    ):
        Archive(url)


def test_the_bound_holds_for_jobs_that_end_in_another_order_than_they_began(tmp_path) -> None:
    from midigpt_cli.server.job_tables import Archive, Ending
    from midigpt_cli.server.jobs_in_database import ArchivedJobs
    from midigpt_cli.server.prometheus import Counter

    archive = Archive(str(tmp_path / "jobs.sqlite"))
    jobs = ArchivedJobs(ServerSettings(max_jobs_mb=0.001), Counter("webhooks", ""), archive)
    for created, job_id in enumerate(("first", "second")):
        row = {"id": job_id, **dict.fromkeys(("replica", "content", "kind", "model", "root"), "")}
        archive.begin({**row, "created": float(created)}, b"{}")
    for job_id in ("second", "first"):
        archive.finish(job_id, Ending("succeeded", 3.0, time.time() + 60, b"{}", {"takes/1": bytes(900)}))
        jobs._make_space(SimpleNamespace(id=job_id))  # type: ignore[arg-type]
    assert [job_id for job_id, _ in archive.ended()] == ["first"]
