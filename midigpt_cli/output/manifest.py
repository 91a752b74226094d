"""The record of a command on many songs: a line of JSON for each that is finished, by which it can be resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from midigpt_core.errors import MidiWriteError
from midigpt_core.fields import refused


class Manifest:
    """`--manifest FILE`; without a name nothing is kept."""

    def __init__(self, name: str | None, resume: bool = False, force: bool = False) -> None:
        self.path = Path(name) if name else None
        self.done: frozenset[str] = frozenset()  # songs whose files are all there
        if self.path is None:
            if resume:
                raise refused("--resume", None, "needs --manifest", "name the manifest of the earlier run")
            return
        if resume and self.path.is_file():
            self.done = frozenset(song for song, files in _finished(self.path) if all(map(_is_there, files)))
        elif self.path.exists() and not force:
            raise refused("--manifest", name, "exists", "add --resume to go on where it ends, or --force to begin anew")
        else:
            self._write("", "w")
        if self.done or resume:
            self._end_line()

    def note(self, report: dict[str, Any]) -> None:
        """Add the line of a song."""
        if self.path is not None:
            self._write(json.dumps(line_of(report)) + "\n", "a")

    def _write(self, text: str, mode: str) -> None:
        assert self.path is not None
        try:
            with self.path.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise MidiWriteError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def _end_line(self) -> None:
        """End a line that was cut off when the command was."""
        assert self.path is not None
        if self.path.is_file() and self.path.stat().st_size and not self.path.read_bytes().endswith(b"\n"):
            self._write("\n", "a")


def line_of(report: dict[str, Any]) -> dict[str, Any]:
    """What a line says: song, outputs, seed and the takes' scores, or the problem."""
    if not report["ok"]:
        return {key: report[key] for key in ("song", "ok", "error")}
    takes = [{key: take[key] for key in ("take", "rank", "seed", "path", "consensus")} for take in report["takes"]]
    seconds = round(report["timing"]["total_s"], 3)
    return {**{key: report[key] for key in ("song", "ok", "outputs", "seed")}, "takes": takes, "seconds": seconds}


def _finished(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Song and files of every whole line about a finished song. Raises RequestValidationError for other files."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            continue  # cut off
        if not isinstance(row, dict) or not isinstance(row.get("song"), str):
            raise refused("--manifest", str(path), f"is not a manifest: see line {number}", "name another file")
        if row.get("ok") is True:
            yield row["song"], [str(file) for file in row.get("outputs", ())]


def _is_there(file: str) -> bool:
    return Path(file).is_file()
