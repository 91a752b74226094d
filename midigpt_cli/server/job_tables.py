"""The tables in which jobs outlive the server that ran them: SQLite on one machine, PostgreSQL for several replicas."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    create_engine,
    delete,
    event,
    exists,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError

from midigpt_core.fields import refused

WAIT_SECONDS = 5  # for a connection, a lock or an answer
UNDER_WAY = "running"
NOBODY, OWED = "", "owed"  # states of a webhook, beside what came of it

_META = MetaData()
_JOBS = Table(
    "jobs",
    _META,
    Column("id", Text, primary_key=True),
    Column("replica", Text, nullable=False),  # that runs it, or delivers its webhook
    Column("once", Text, unique=True),  # digest of caller and Idempotency-Key
    Column("content", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("ended", Float),
    Column("expires", Float),
    Column("webhook_url", Text),
    Column("webhook", Text, nullable=False, default=NOBODY),
    Column("stop", Integer, nullable=False, default=0),  # another replica was asked to stop it
    Column("body", LargeBinary, nullable=False),  # the job's JSON, compressed
    Column("size", Integer, nullable=False, default=0),
    Index("jobs_expires", "expires"),
)
_FILES = Table(
    "job_files",
    _META,
    Column("job", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
_REPLICAS = Table("replicas", _META, Column("id", Text, primary_key=True), Column("seen", Float, nullable=False))


@dataclass(frozen=True)
class Ending:
    """How a job ended."""

    status: str
    ended: float
    expires: float
    body: bytes
    files: Mapping[str, bytes]

    @property
    def packed(self) -> bytes:
        return zlib.compress(self.body, 1)


class Archive:
    """Jobs, their files, and which replicas were heard of lately. Everything raises SQLAlchemyError."""

    def __init__(self, url: str) -> None:
        """Open the tables, made where there are none. Raises RequestValidationError, SQLAlchemyError."""
        self.engine = _engine(url)
        with self.engine.begin() as base:
            if base.dialect.name == "postgresql":  # two replicas that start at once make the tables one after the other
                _check_encoding(base)
                base.execute(select(func.pg_advisory_xact_lock(7311)))
            _META.create_all(base)

    # ---- one job ----

    def begin(self, row: Mapping[str, Any], body: bytes) -> bool:
        """Note a new job; False where its Idempotency-Key has been used."""
        try:
            with self.engine.begin() as base:
                base.execute(insert(_JOBS).values({**row, "status": UNDER_WAY, "body": zlib.compress(body, 1)}))
        except IntegrityError:
            return False
        return True

    def finish(self, job_id: str, ending: Ending) -> bool:
        """Note how a job ended, with all its files; False where it has ended, or is gone, already."""
        packed = ending.packed
        values: dict[str, Any] = {
            "status": ending.status,
            "ended": ending.ended,
            "expires": ending.expires,
            "body": packed,
            "size": len(packed) + sum(map(len, ending.files.values())),
        }
        with self.engine.begin() as base:
            if not _changed(base, update(_JOBS).where(_JOBS.c.id == job_id, _JOBS.c.status == UNDER_WAY), values):
                return False
            base.execute(
                update(_JOBS).where(_JOBS.c.id == job_id, _JOBS.c.webhook_url.is_not(None)).values(webhook=OWED)
            )
            if ending.files:
                rows = [{"job": job_id, "name": name, "data": data} for name, data in ending.files.items()]
                base.execute(insert(_FILES), rows)
        return True

    def interrupt(self, job_id: str, ending: Ending) -> bool:
        """The same for a job whose replica is gone; its Idempotency-Key is free again."""
        if not self.finish(job_id, ending):
            return False
        self._write(update(_JOBS).where(_JOBS.c.id == job_id).values(once=None))
        return True

    def job(self, job_id: str) -> Row[Any] | None:
        """The row of a job that has not expired."""
        return self._one(_JOBS.c.id == job_id)

    def job_of(self, once: str) -> Row[Any] | None:
        """The row of the job that was made under this digest of an Idempotency-Key."""
        return self._one(_JOBS.c.once == once)

    def _one(self, which: Any) -> Row[Any] | None:
        with self.engine.connect() as base:
            alive = _JOBS.c.expires.is_(None) | (_JOBS.c.expires >= time.time())
            return base.execute(select(_JOBS).where(which, alive)).first()

    def files(self, job_id: str) -> list[str]:
        """The names of a job's files."""
        with self.engine.connect() as base:
            return list(base.scalars(select(_FILES.c.name).where(_FILES.c.job == job_id).order_by(_FILES.c.name)))

    def file(self, job_id: str, name: str) -> bytes:
        """What one of them holds. Raises KeyError."""
        with self.engine.connect() as base:
            data = base.scalar(select(_FILES.c.data).where(_FILES.c.job == job_id, _FILES.c.name == name))
        if data is None:
            raise KeyError(name)
        return bytes(data)

    def ask_to_stop(self, job_id: str) -> None:
        """Have the replica that runs a job stop it."""
        self._write(update(_JOBS).where(_JOBS.c.id == job_id).values(stop=1))

    def settle(self, job_id: str, came_to: str) -> None:
        """Note that a webhook need not be sent again."""
        self._write(update(_JOBS).where(_JOBS.c.id == job_id).values(webhook=came_to))

    # ---- what is kept ----

    def forget(self, *job_ids: str) -> None:
        """Drop jobs and their files."""
        with self.engine.begin() as base:
            base.execute(delete(_FILES).where(_FILES.c.job.in_(job_ids)))
            base.execute(delete(_JOBS).where(_JOBS.c.id.in_(job_ids)))

    def expire(self) -> None:
        """Drop what has expired."""
        with self.engine.connect() as base:
            old = list(base.scalars(select(_JOBS.c.id).where(_JOBS.c.expires < time.time())))
        if old:
            self.forget(*old)

    def held(self) -> tuple[int, int]:
        """How many jobs there are, and the bytes of their results."""
        with self.engine.connect() as base:
            count, size = base.execute(select(func.count(), func.coalesce(func.sum(_JOBS.c.size), 0))).one()
        return int(count), int(size)

    def ended(self) -> list[tuple[str, int]]:
        """Jobs that have ended and their bytes, oldest first."""
        with self.engine.connect() as base:
            rows = base.execute(
                select(_JOBS.c.id, _JOBS.c.size).where(_JOBS.c.ended.is_not(None)).order_by(_JOBS.c.created)
            )
            return [(job_id, size) for job_id, size in rows]

    # ---- several replicas ----

    def beat(self, replica: str, forget_before: float) -> list[str]:
        """Say that a replica lives; its jobs that another was asked to stop."""
        seen = {"seen": time.time()}
        with self.engine.begin() as base:
            if not _changed(base, update(_REPLICAS).where(_REPLICAS.c.id == replica), seen):
                base.execute(insert(_REPLICAS).values(id=replica, **seen))
            base.execute(delete(_REPLICAS).where(_REPLICAS.c.seen < forget_before))
            asked = (_JOBS.c.replica == replica, _JOBS.c.status == UNDER_WAY, _JOBS.c.stop == 1)
            return list(base.scalars(select(_JOBS.c.id).where(*asked)))

    def leave(self, replica: str) -> None:
        """Say that a replica stops: what it has left is anybody's."""
        self._write(delete(_REPLICAS).where(_REPLICAS.c.id == replica))

    def orphans(self) -> Sequence[Row[Any]]:
        """Jobs under way on replicas that are gone."""
        return self._all(_JOBS.c.status == UNDER_WAY, _gone())

    def claim_owed(self, replica: str) -> list[Row[Any]]:
        """Ended jobs whose webhooks this replica is to deliver, because the one that ran them is gone."""
        claimed = []
        for row in self._all(_JOBS.c.webhook == OWED, _gone()):
            mine = update(_JOBS).where(_JOBS.c.id == row.id, _JOBS.c.replica == row.replica, _JOBS.c.webhook == OWED)
            with self.engine.begin() as base:
                if _changed(base, mine, {"replica": replica}):
                    claimed.append(row)
        return claimed

    def _all(self, *which: Any) -> Sequence[Row[Any]]:
        with self.engine.connect() as base:
            return base.execute(select(_JOBS).where(*which).order_by(_JOBS.c.created)).all()

    def _write(self, statement: Any) -> None:
        with self.engine.begin() as base:
            base.execute(statement)


def _gone() -> Any:
    return ~exists().where(_REPLICAS.c.id == _JOBS.c.replica)


def _changed(base: Connection, statement: Any, values: Mapping[str, Any]) -> bool:
    """Whether an update met a row."""
    return int(base.execute(statement.values(values)).rowcount) > 0


def _check_encoding(base: Connection) -> None:
    """Refuse a PostgreSQL database that cannot hold every text. Raises RequestValidationError."""
    encoding = base.scalar(text("SHOW server_encoding"))
    if encoding not in ("UTF8", "SQL_ASCII"):  # the latter holds any bytes
        name = base.engine.url.database
        raise refused("job_store", name, f"is a database in {encoding}", "create one with ENCODING 'UTF8'")


def _engine(place: str) -> Engine:
    url = _url(place)
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise refused("job_store", place, "is not a file", "use memory to keep jobs in memory only")
        file = Path(url.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # results are their callers' own
        engine = create_engine(url, connect_args={"timeout": WAIT_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    waits = {"connect_timeout": WAIT_SECONDS, "options": f"-c statement_timeout={WAIT_SECONDS * 1000}"}
    return create_engine(url, pool_pre_ping=True, connect_args={**waits, "client_encoding": "utf8"})


def _url(place: str) -> URL:
    """A path is a SQLite file; PostgreSQL is spoken to by psycopg."""
    if "://" not in place:
        return URL.create("sqlite", database=str(Path(place).expanduser()))
    try:
        url = make_url(place)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        url.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError) as error:
        raise refused(
            "job_store", place.partition("://")[0], "cannot be read", "use a path, or postgresql://..."
        ) from error
    except ImportError as error:
        raise refused(
            "job_store", url.drivername, f"needs {error.name}", "pip install 'midigpt-cli[postgres]'"
        ) from error
    return url


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing; a power cut the last moments
    cursor.close()
