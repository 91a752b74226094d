"""Take the one checkpoint out of a .tgz archive, into a folder where it is found again."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from midigpt_core.errors import CheckpointError, short
from midigpt_core.files import whole
from midigpt_core.model.names import SUFFIXES

ENDINGS = (".tgz", ".tar.gz")
_MOST_BYTES = 8 << 30  # of everything in an archive
_MOST_MEMBERS = 10_000
_PIECE = 1 << 20


def is_packed(file: Path) -> bool:
    """Whether this is the name of an archive."""
    return file.name.lower().endswith(ENDINGS)


def unpacked(file: Path) -> Path:
    """The checkpoint in an archive, as a file of its own; any other path as it is. Raises CheckpointError.

    Only the checkpoint is written, under a name of ours; nothing else in the archive is.
    """
    if not is_packed(file) or not file.is_file():
        return file
    try:
        place = _folder() / _digest(file)
        made = next(iter(sorted(place.glob("checkpoint.*"))), None)
        return made or _unpack(file, place)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise CheckpointError(f"{file}: cannot be unpacked: {short(str(error))}") from None


def _unpack(file: Path, place: Path) -> Path:
    with tarfile.open(file, "r:gz") as archive:
        members, size = [], 0
        for member in archive:
            members.append(member)
            size += member.size
            if size > _MOST_BYTES or len(members) > _MOST_MEMBERS:
                most = f"{_MOST_BYTES >> 30} GiB or {_MOST_MEMBERS} files"
                raise CheckpointError(f"{file}: refused: more than {most} in it")
        found = [member for member in members if member.isfile() and member.name.endswith(SUFFIXES)]
        if len(found) != 1:
            raise CheckpointError(f"{file}: {_fault([member.name for member in members])}")
        stream = archive.extractfile(found[0])
        assert stream is not None  # it is a file
        place.mkdir(parents=True, exist_ok=True)
        made = place / f"checkpoint{PurePosixPath(found[0].name).suffix}"
        with whole(made) as half, half.open("wb") as target:
            shutil.copyfileobj(stream, target, _PIECE)
        return made


def _fault(names: list[str]) -> str:
    checkpoints = sorted(name for name in names if name.endswith(SUFFIXES))
    if checkpoints:
        return f"holds several checkpoints ({', '.join(checkpoints[:5])}); pack one"
    if any(name.endswith(".zarray") for name in names):
        return "holds weights of Magenta RealTime, which makes sound, not notes; pack a .safetensors of midigpt train"
    return "holds no .safetensors and no .pt file; pack a checkpoint of midigpt train"


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "midigpt" / "unpacked"


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()[:32]
