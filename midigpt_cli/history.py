"""Remember what was written from what, with seed and request, so that it can be undone, made again or varied."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from midigpt_core.errors import MidiGptError
from midigpt_core.fields import refused

if TYPE_CHECKING:
    import sqlite3

OFF = ("0", "off", "no", "false")
LARGEST_KEPT = 16 * 2**20  # bytes of a file that was overwritten and may come back

WrittenFile = tuple[int, int, str, bytes | None]  # take, seed, path, contents before

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, at REAL, command TEXT, song TEXT, song_sha TEXT, seed INTEGER,
    model TEXT, request TEXT);
CREATE TABLE IF NOT EXISTS files (run INTEGER, take INTEGER, seed INTEGER, path TEXT, sha TEXT, before BLOB,
    undone INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS paths ON files (path);
"""


@dataclass(frozen=True)
class PastRun:
    """One song of one command."""

    id: int
    at: float  # seconds since 1970
    command: str
    song: str
    song_sha: str
    seed: int
    model: str
    request: dict[str, Any]
    files: tuple[str, ...]


def wanted() -> bool:
    """Whether anything is remembered: not where MIDIGPT_HISTORY is off, or midigpt.toml says keep_history = false."""
    from midigpt_cli.config import read

    return os.environ.get("MIDIGPT_HISTORY", "").lower() not in OFF and read().get("keep_history", True) is not False


def database() -> Path:
    """`history.sqlite` under MIDIGPT_HOME, else under the user's data folder."""
    home = os.environ.get("MIDIGPT_HOME")
    if home:
        return Path(home).expanduser() / "history.sqlite"
    base = os.environ.get("XDG_DATA_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    if base is None:
        base = "~/Library/Application Support" if sys.platform == "darwin" else "~/.local/share"
    return Path(base).expanduser() / "midigpt" / "history.sqlite"


def contents(path: Path) -> bytes | None:
    """What a file holds that is about to be overwritten; None where there is none, or it is too large to keep."""
    return path.read_bytes() if path.is_file() and path.stat().st_size <= LARGEST_KEPT else None


def remember(run: Mapping[str, Any], files: Sequence[WrittenFile]) -> None:
    """Note a run ({command, song, seed, model, request}) and its files.

    A history that cannot be written is told of, and is no reason to fail.
    """
    import sqlite3

    song = Path(run["song"])
    row = {
        "at": time.time(),
        "song_sha": digest(song),
        **run,
        "song": str(song.resolve()) if song.is_file() else "",
        "request": json.dumps(run["request"]),
    }
    try:
        with _opened() as base:
            names = ", ".join(row)
            at = base.execute(f"INSERT INTO runs ({names}) VALUES ({', '.join('?' * len(row))})", [*row.values()])
            rows = [
                (at.lastrowid, take, seed, str(Path(path).resolve()), digest(Path(path)), before)
                for take, seed, path, before in files
            ]
            base.executemany("INSERT INTO files (run, take, seed, path, sha, before) VALUES (?, ?, ?, ?, ?, ?)", rows)
    except (sqlite3.Error, OSError) as error:
        typer.echo(f"midigpt: {database()}: the history cannot be kept: {error}", err=True)


def runs(path: str | None = None, most: int = 20) -> list[PastRun]:
    """The latest runs, of a song or a written file where one is named, newest first."""
    if not database().exists():
        return []
    with _opened() as base:
        where, values = "", []
        if path is not None:
            full = str(Path(path).resolve())
            where = "WHERE song = ? OR id IN (SELECT run FROM files WHERE path = ?)"
            values = [full, full]
        found = base.execute(f"SELECT * FROM runs {where} ORDER BY id DESC LIMIT ?", [*values, most]).fetchall()
        return [_run(base, row) for row in found]


def run_of(number: int) -> PastRun:
    """A run by its number. Raises RequestValidationError where there is none."""
    rows = []
    if database().exists():
        with _opened() as base:
            rows = [_run(base, row) for row in base.execute("SELECT * FROM runs WHERE id = ?", [number])]
    if not rows:
        raise refused("--from-run", number, "is not in the history", "midigpt history lists the runs")
    return rows[0]


def undo(path: str, force: bool = False) -> str:
    """Take back the last write to a file: what it held before comes back, or it goes. What was done, in words.

    Raises MidiGptError where nothing is known of it, or it was changed by others since.
    """
    file = Path(path).resolve()
    if not database().exists():
        raise MidiGptError(f"{path}: is not in the history; midigpt history lists the files")
    with _opened() as base:
        last = base.execute(
            "SELECT rowid, sha, before FROM files WHERE path = ? AND NOT undone ORDER BY rowid DESC LIMIT 1",
            [str(file)],
        ).fetchone()
        if last is None:
            raise MidiGptError(f"{path}: is not in the history; midigpt history lists the files")
        number, sha, before = last
        if not force and digest(file) != sha:
            raise MidiGptError(f"{path}: has changed since it was written; add --force to undo it anyway")
        if before is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(before)
        base.execute("UPDATE files SET undone = 1 WHERE rowid = ?", [number])
    return f"{path}: removed" if before is None else f"{path}: as it was before"


def digest(file: Path) -> str:
    """SHA-256 of a file, or nothing where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


@contextmanager
def _opened() -> Iterator[sqlite3.Connection]:
    import sqlite3

    file = database()
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=5)) as base, base:
        base.executescript(_TABLES)
        yield base


def _run(base: sqlite3.Connection, row: Sequence[Any]) -> PastRun:
    number, at, command, song, song_sha, seed, model, request = row
    files = base.execute("SELECT path FROM files WHERE run = ? AND NOT undone ORDER BY rowid", [number]).fetchall()
    return PastRun(
        number, at, command, song, song_sha, seed, model, json.loads(request), tuple(path for (path,) in files)
    )
