"""Find the MIDI files of folders and archives, and what a manifest says of each."""

from __future__ import annotations

import csv
import hashlib
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from midigpt_core.errors import TrainingError

MIDI_SUFFIXES = (".mid", ".midi")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
FEW = 200  # pieces below which the valid split is counted, not left to chance


@dataclass(frozen=True)
class Found:
    """One MIDI file: what it is called, where it lies, and how the manifest files it."""

    name: str  # path inside its folder or archive, with forward slashes
    place: str  # the file itself, or the archive that holds it
    member: str = ""  # path inside the archive; "" for a plain file
    source: str = ""  # collection it belongs to; by default the top folder
    piece: str = ""  # versions of one piece share this, and so a split
    split: str = ""  # "train", "valid", or "" where a hash of the piece decides
    tier: str = ""  # licence tier, e.g. "permissive"


def collect(places: Iterable[str | Path], manifest: str | Path | None = None) -> list[Found]:
    """All MIDI files of these folders, archives and files, in order of name.

    A manifest (CSV with a `path` column, and any of source, piece, split, tier) also decides which files count: with
    one, files it does not name are left out. Raises TrainingError for a place that is neither folder, archive nor
    MIDI file, or when nothing is found.
    """
    found = [item for place in places for item in _walk(Path(place))]
    if manifest is not None:
        rows = read_manifest(manifest)
        found = [_filed(item, row) for item in found if (row := _row_of(item, rows)) is not None]
    if not found:
        raise TrainingError(f"no .mid file in {', '.join(map(str, places))}; name a folder or archive that holds some")
    return sorted(found, key=lambda item: (item.name, item.place))


def read_bytes(found: Iterable[Found]) -> Iterator[tuple[Found, bytes]]:
    """The files' contents; an archive is walked once, in its own order, so that compressed ones stay cheap."""
    items = list(found)
    for item in items:
        if not item.member:
            yield item, Path(item.place).read_bytes()
    archives = sorted({item.place for item in items if item.member})
    for place in archives:
        wanted = {item.member: item for item in items if item.place == place and item.member}
        for member, data in _members(Path(place)):
            if member in wanted:
                yield wanted[member], data


def read_manifest(path: str | Path) -> dict[str, dict[str, str]]:
    """Rows by their `path` column. Raises TrainingError if the column is missing."""
    with open(path, newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if "path" not in (reader.fieldnames or ()):
            raise TrainingError(f"{path}: no column 'path'; a manifest names each file in it")
        return {row["path"]: row for row in reader}


def lot(piece: str) -> float:
    """A number from 0 to 1 that depends on the piece's name alone."""
    return int.from_bytes(hashlib.sha1(piece.encode()).digest()[:8], "big") / 2**64


def held_out(pieces: Iterable[str], share: float) -> set[str]:
    """The pieces of the valid split: those whose lot is below `share`, so that none moves when files are added.

    Where chance could miss the share by much (fewer than 200 pieces) the lowest lots are taken instead: just as many
    as the share asks for, at least one of two.
    """
    ordered = sorted(pieces, key=lot)
    if len(ordered) >= FEW:
        return {piece for piece in ordered if lot(piece) < share}
    wanted = max(round(share * len(ordered)), int(share > 0 and len(ordered) > 1))
    return set(ordered[:wanted])


def _walk(place: Path) -> Iterator[Found]:
    if place.is_dir():
        for path in sorted(place.rglob("*")):
            if path.suffix.lower() in MIDI_SUFFIXES and path.is_file():
                yield _found(path.relative_to(place).as_posix(), str(path))
    elif place.name.lower().endswith(ARCHIVE_SUFFIXES) and place.is_file():
        for member in _names(place):
            if member.lower().endswith(MIDI_SUFFIXES):
                yield _found(member, str(place), member)
    elif place.suffix.lower() in MIDI_SUFFIXES and place.is_file():
        yield _found(place.name, str(place))
    else:
        raise TrainingError(f"{place}: no folder, MIDI file or archive ({', '.join(ARCHIVE_SUFFIXES)})")


def _found(name: str, place: str, member: str = "") -> Found:
    path = PurePosixPath(name)
    return Found(name, place, member, source=path.parent.name or "own", piece=str(path.with_suffix("")))


def _names(archive: Path) -> list[str]:
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as packed:
            return sorted(packed.namelist())
    with tarfile.open(archive) as tape:
        return sorted(member.name for member in tape if member.isfile())


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                yield name, packed.read(name)
        return
    with tarfile.open(archive) as tape:
        for member in tape:
            stream = tape.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream.read()


def _row_of(item: Found, rows: dict[str, dict[str, str]]) -> dict[str, str] | None:
    """The manifest's row for this file: by its path, or by the end of it where folders lie above."""
    parts = PurePosixPath(item.member or Path(item.place).as_posix()).parts
    return next((rows[key] for start in range(len(parts)) if (key := "/".join(parts[start:])) in rows), None)


def _filed(item: Found, row: dict[str, str]) -> Found:
    values = {key: row[key] for key in ("source", "piece", "split", "tier") if row.get(key)}
    return Found(**{**item.__dict__, "name": row["path"], **values})
