"""The data set on disk: the tokens of every bar's notes, and an index by piece, track and bar."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midigpt_core.errors import TrainingError, short

FORMAT = 1
FILES = ("pieces.npy", "tracks.npy", "metres.npy", "cells.npy", "tokens.u16")
_PART = 1 << 24  # of a file read at once, in bytes or tokens
SPLITS = ("train", "valid")

PIECE = np.dtype(
    [
        ("first_track", np.int64),
        ("n_tracks", np.int32),
        ("first_bar", np.int64),  # row in the metres, which all tracks share
        ("n_bars", np.int32),
        ("source", np.int16),
        ("split", np.int8),
        ("permissive", np.int8),
        ("notes", np.int32),
    ]
)
TRACK = np.dtype([("first_cell", np.int64), ("instrument", np.int16), ("drums", np.int8)])


@dataclass(frozen=True)
class PieceTokens:
    """One tokenised piece: for each track the token ids of each bar's notes, without any bar or track token."""

    instruments: list[int]  # General MIDI program, per track
    drums: list[bool]  # per track
    metres: list[int]  # value of the bar's TimeSig token, per bar; -1 where the encoder lacks the metre
    bodies: list[list[NDArray[np.uint16]]]  # [track][bar]
    notes: int


def _checksum(file: Path) -> str:
    """Tells a damaged file; it is no guard against a forged one."""
    found = 0
    with file.open("rb") as stream:
        while part := stream.read(_PART):
            found = zlib.crc32(part, found)
    return f"crc32:{found:08x}"


def _parts(tokens: NDArray[np.uint16]) -> Iterator[NDArray[np.uint16]]:
    return (tokens[start : start + _PART] for start in range(0, len(tokens), _PART))


class ShardWriter:
    """Appends pieces to a folder; `close` writes the index. Tokens go to disk as they come."""

    def __init__(self, folder: str | Path, encoder_config: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._encoder = encoder_config
        self._tokens = (self.folder / "tokens.u16").open("wb")
        self._lengths: list[NDArray[np.int32]] = []
        self._pieces: list[tuple[int, ...]] = []
        self._tracks: list[tuple[int, ...]] = []
        self._metres: list[int] = []
        self._names: list[str] = []
        self._sources: list[str] = []
        self._cells = 0

    def add(self, piece: PieceTokens, name: str, source: str, split: str, permissive: bool = False) -> None:
        """Append one piece; `name` is remembered for reports."""
        if source not in self._sources:
            self._sources.append(source)
        row = (len(self._tracks), len(piece.bodies), len(self._metres), len(piece.metres))
        self._pieces.append((*row, self._sources.index(source), SPLITS.index(split), int(permissive), piece.notes))
        self._names.append(name)
        self._metres.extend(piece.metres)
        for instrument, drums, bodies in zip(piece.instruments, piece.drums, piece.bodies, strict=True):
            self._tracks.append((self._cells, instrument, int(drums)))
            self._lengths.append(np.array([len(body) for body in bodies], np.int32))
            self._cells += len(bodies)
            self._tokens.write(np.concatenate([*bodies, np.empty(0, np.uint16)]).astype("<u2").tobytes())

    def close(self, summary: dict[str, Any]) -> None:
        """Write the index and the summary; only now is the folder a data set."""
        self._tokens.close()
        lengths = np.concatenate([*self._lengths, np.empty(0, np.int32)])
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        np.save(self.folder / "cells.npy", offsets)
        np.save(self.folder / "pieces.npy", np.array(self._pieces, PIECE))
        np.save(self.folder / "tracks.npy", np.array(self._tracks, TRACK))
        np.save(self.folder / "metres.npy", np.array(self._metres, np.int16))
        (self.folder / "names.json").write_text(json.dumps(self._names))
        (self.folder / "summary.json").write_text(json.dumps(summary, indent=1))
        sums = {name: _checksum(self.folder / name) for name in FILES}
        meta = {"format": FORMAT, "sources": self._sources, "checksums": sums, "encoder_config": self._encoder}
        (self.folder / "meta.json").write_text(json.dumps(meta, indent=1))


class Shards:
    """Read access, memory-mapped. Pieces, tracks and bars count from 0."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            meta = json.loads((self.folder / "meta.json").read_text())
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise TrainingError(f"{folder}: no data set ({why}); make one with `midigpt train prepare`") from error
        if meta.get("format") != FORMAT:
            found = meta.get("format")
            raise TrainingError(f"{folder}: data set format {found!r}, this version reads {FORMAT}; prepare it again")
        try:
            self._open(meta)
        except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
            raise TrainingError(f"{folder}: the data set is damaged ({short(str(error))}); prepare it again") from error

    def _open(self, meta: dict[str, Any]) -> None:
        """Raises ValueError and its kin for what is damaged; data sets made before there were checksums have none."""
        for name, told in meta.get("checksums", {}).items():
            if name in FILES and _checksum(self.folder / name) != told:
                raise ValueError(f"{name} is not what was written")
        self.sources: list[str] = list(meta["sources"])
        self.encoder_config: dict[str, Any] = dict(meta["encoder_config"])
        self.pieces, self.tracks, self.metres, self._offsets = (np.load(self.folder / name) for name in FILES[:4])
        size = (self.folder / FILES[4]).stat().st_size
        self._tokens = np.memmap(self.folder / FILES[4], "<u2", "r") if size else np.empty(0, "<u2")
        if self.pieces.dtype != PIECE or self.tracks.dtype != TRACK:
            raise ValueError("the index is of another kind")
        if self._offsets[0] != 0 or self._offsets[-1] != len(self._tokens) or (np.diff(self._offsets) < 0).any():
            raise ValueError("the index does not fit the tokens")
        highest = max((int(part.max()) for part in _parts(self._tokens)), default=-1)
        if highest >= sum(int(domain["domain_size"]) for domain in self.encoder_config["token_domains"]):
            raise ValueError(f"token {highest} is outside the vocabulary")

    def names(self) -> list[str]:
        """The files' names, by piece."""
        names: list[str] = json.loads((self.folder / "names.json").read_text())
        return names

    def body(self, track: int, bar: int) -> NDArray[np.uint16]:
        """Token ids of the notes of one bar; `track` is the row in `tracks`."""
        cell = int(self.tracks["first_cell"][track]) + bar
        return self._tokens[self._offsets[cell] : self._offsets[cell + 1]]

    def lengths(self, track: int, start: int, stop: int) -> NDArray[np.int64]:
        """Tokens in each of the bars start..stop of a track."""
        cell = int(self.tracks["first_cell"][track])
        part: NDArray[np.int64] = np.diff(self._offsets[cell + start : cell + stop + 1])
        return part

    def select(
        self, split: str, sources: Sequence[str] | None = None, permissive_only: bool = False
    ) -> NDArray[np.int64]:
        """Numbers of the pieces of a split, of these sources. Raises TrainingError for a source the data lacks."""
        keep = self.pieces["split"] == SPLITS.index(split)
        if permissive_only:
            keep &= self.pieces["permissive"] == 1
        if sources is not None:
            unknown = sorted(set(sources) - set(self.sources))
            if unknown:
                raise TrainingError(f"mix: no source {unknown[0]!r} in the data; it has {', '.join(self.sources)}")
            keep &= np.isin(self.pieces["source"], [self.sources.index(name) for name in sources])
        return np.flatnonzero(keep)
