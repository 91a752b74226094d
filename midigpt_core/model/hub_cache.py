"""The folder where downloaded checkpoints live: find, check, list and remove them, without any network."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from midigpt_core.errors import CheckpointError
from midigpt_core.model.names import SUFFIXES, HubReference, pick

_CHUNK = 1 << 20


def cache_folder() -> Path:
    """The hub client's own cache, shared with every program that uses it."""
    if os.environ.get("HF_HUB_CACHE"):
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    home = os.environ.get("HF_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return base.expanduser() / "hub"


def repo_folder(repo: str) -> Path:
    return cache_folder() / f"models--{repo.replace('/', '--')}"


def cached_file(reference: HubReference) -> Path | None:
    """The file a reference would pick among the downloaded ones; None if there is none."""
    for snapshot in _snapshots(reference):
        if reference.filename:
            file = snapshot / reference.filename
            if file.is_file():
                return file
            continue
        best = pick(sorted(_checkpoints(snapshot)), reference.prefix)
        if best:
            return snapshot / best
    return None


def half_downloaded(reference: HubReference) -> int:
    """Bytes of downloads that were broken off in this repository."""
    return sum(part.stat().st_size for part in repo_folder(reference.repo).glob("blobs/*.incomplete"))


def checksum_fits(file: Path) -> bool | None:
    """Whether a cached file has the checksum the hub gave for it; None where the cache kept none."""
    named = file.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", named):
        return _digest(hashlib.sha256(), file) == named
    if re.fullmatch(r"[0-9a-f]{40}", named):
        digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
        return _digest(digest, file) == named
    return None


def check(file: Path, name: str) -> None:
    """Raise CheckpointError, after setting the file aside, if it is not what the hub promised."""
    if checksum_fits(file) is False:
        remove_file(file)
        raise CheckpointError(
            f"model {name}: the downloaded file was damaged and is removed; fetch it again: midigpt models pull {name}"
        )


def remove_file(file: Path) -> int:
    """Delete a cached checkpoint, with its data unless another snapshot still uses it; bytes freed."""
    size, linked, data = file.stat().st_size, file.is_symlink(), file.resolve()
    snapshots = next((folder for folder in file.parents if folder.name == "snapshots"), file.parent)
    file.unlink()
    if not linked:
        return size
    if any(other.is_symlink() and other.resolve() == data for other in snapshots.rglob("*")):
        return 0
    data.unlink(missing_ok=True)
    return size


def remove(reference: HubReference) -> int:
    """Delete what is downloaded of a reference, broken-off parts too; bytes freed. CheckpointError if none is."""
    freed, found = 0, False
    while file := cached_file(reference):
        freed += remove_file(file)
        found = True
    for part in repo_folder(reference.repo).glob("blobs/*.incomplete"):
        freed += part.stat().st_size
        part.unlink()
        found = True
    if not found:
        raise CheckpointError(f"model {reference}: nothing of it is downloaded; see midigpt models list")
    return freed


def downloaded() -> Iterator[tuple[str, Path]]:
    """(owner/repo, file) of every .safetensors or .pt file in the cache that looks like a checkpoint of ours."""
    for folder in sorted(cache_folder().glob("models--*--*")):
        repo = folder.name.removeprefix("models--").replace("--", "/", 1)
        for snapshot in _snapshots(HubReference(repo)):
            for name in sorted(_checkpoints(snapshot)):
                yield repo, snapshot / name


def _snapshots(reference: HubReference) -> list[Path]:
    """Snapshot folders to look into: the revision's, or main's first and then the newest."""
    folder = repo_folder(reference.repo)
    ref = folder / "refs" / (reference.revision or "main")
    commit = ref.read_text().strip() if ref.is_file() else reference.revision
    every = sorted(folder.glob("snapshots/*"), key=lambda path: path.stat().st_mtime, reverse=True)
    if reference.revision:
        return [path for path in every if path.name == commit]
    return sorted(every, key=lambda path: path.name != commit)


def _checkpoints(snapshot: Path) -> list[str]:
    return [
        str(file.relative_to(snapshot)) for file in snapshot.rglob("*") if file.suffix in SUFFIXES and file.exists()
    ]


def _digest(digest: hashlib._Hash, file: Path) -> str:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
