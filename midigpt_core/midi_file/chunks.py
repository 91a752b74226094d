"""Split the bytes of a MIDI file into header, track chunks and everything else, and join them again unchanged."""

from __future__ import annotations

from dataclasses import dataclass, replace

from midigpt_core.errors import MidiFileError

TRACK = b"MTrk"


@dataclass(frozen=True)
class FileChunk:
    """One chunk of the file: a four-letter kind and its body. Kinds other than `MTrk` are carried along."""

    kind: bytes
    body: bytes


@dataclass(frozen=True)
class FileLayout:
    """A MIDI file taken apart: `join` gives the same bytes back, and track bodies may be exchanged in between."""

    format: int  # 0 or 1
    division: int  # ticks per quarter note
    chunks: tuple[FileChunk, ...]  # in file order, up to the last promised track
    header_extra: bytes = b""  # header bytes after the six that every file has
    tail: bytes = b""  # bytes after the last promised track
    riff: tuple[bytes, bytes] | None = None  # (before, after) the MIDI data in a RIFF wrapper

    @property
    def tracks(self) -> list[bytes]:
        """The bodies of the track chunks, in file order."""
        return [chunk.body for chunk in self.chunks if chunk.kind == TRACK]

    def with_tracks(self, bodies: list[bytes]) -> FileLayout:
        """A copy whose track chunks have these bodies; bodies beyond those present become new chunks at the end."""
        queue = list(bodies)
        chunks = [FileChunk(TRACK, queue.pop(0)) if chunk.kind == TRACK else chunk for chunk in self.chunks]
        chunks += [FileChunk(TRACK, body) for body in queue]
        kept_format = 1 if queue and len(bodies) > 1 else self.format
        return replace(self, chunks=tuple(chunks), format=kept_format)

    def join(self) -> bytes:
        """The bytes of the file."""
        n_tracks = len(self.tracks)
        if n_tracks > 0xFFFF:
            raise MidiFileError(f"{n_tracks} tracks: a MIDI file holds at most 65535")
        header = b"".join(number.to_bytes(2, "big") for number in (self.format, n_tracks, self.division))
        parts = [_chunk(b"MThd", header + self.header_extra)]
        parts += [_chunk(chunk.kind, chunk.body) for chunk in self.chunks]
        midi = b"".join([*parts, self.tail])
        return midi if self.riff is None else _rewrap(midi, self.riff)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "big") + body


def split(data: bytes, name: str) -> FileLayout:
    """Take a file apart. `name` is what error messages call it. Raises MidiFileError."""
    if not data:
        raise MidiFileError(f"{name}: the file is empty (0 bytes)")
    midi, riff = _unwrap(data, name)
    if midi[:4] != b"MThd":
        raise MidiFileError(f"{name}: not a MIDI file (it begins with {midi[:4]!r}, a MIDI file with b'MThd')")
    size = int.from_bytes(midi[4:8], "big")
    header = midi[8 : 8 + size]
    if size < 6 or len(header) < size:
        raise MidiFileError(f"{name}: the header is damaged or cut off ({len(midi)} bytes in all)")
    kind, n_tracks, division = (int.from_bytes(header[i : i + 2], "big") for i in (0, 2, 4))
    _check_header(kind, n_tracks, division, name)
    chunks, end = _read_chunks(midi, 8 + size, n_tracks, name)
    return FileLayout(kind, division, chunks, header[6:], midi[end:], riff)


def _check_header(kind: int, n_tracks: int, division: int, name: str) -> None:
    if kind == 2:
        raise MidiFileError(f"{name}: MIDI format 2 (separate patterns) has no common bars; save it as format 0 or 1")
    if kind > 2:
        raise MidiFileError(f"{name}: unknown MIDI format {kind}; 0 and 1 can be read")
    if division & 0x8000:
        raise MidiFileError(f"{name}: timed in SMPTE frames, without beats or bars; save it in ticks per quarter note")
    if division == 0:
        raise MidiFileError(f"{name}: the header says 0 ticks per quarter note; it must be at least 1")
    if n_tracks == 0:
        raise MidiFileError(f"{name}: the header says the file has no tracks")


def _read_chunks(midi: bytes, start: int, n_tracks: int, name: str) -> tuple[tuple[FileChunk, ...], int]:
    """The chunks up to the last promised track, and the offset after it."""
    chunks: list[FileChunk] = []
    position, found = start, 0
    while found < n_tracks:
        if position == len(midi):
            raise MidiFileError(f"{name}: the header promises {n_tracks} tracks, the file ends after {found}: cut off?")
        kind, size = midi[position : position + 4], int.from_bytes(midi[position + 4 : position + 8], "big")
        body = midi[position + 8 : position + 8 + size]
        if len(midi) < position + 8 or len(body) < size:
            left = max(len(midi) - position - 8, 0)
            raise MidiFileError(
                f"{name}: cut off or damaged in track {found + 1} of {n_tracks}: its chunk at byte {position} "
                f"should have {size} bytes, the file has {left} left"
            )
        chunks.append(FileChunk(kind, body))
        found += kind == TRACK
        position += 8 + size
    return tuple(chunks), position


def _unwrap(data: bytes, name: str) -> tuple[bytes, tuple[bytes, bytes] | None]:
    """The MIDI bytes inside a RIFF RMID wrapper and what stands around them; other data as it is."""
    if data[:4] != b"RIFF" or data[8:12] != b"RMID":
        return data, None
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        start = position + 8
        if data[position : position + 4] == b"data":
            if start + size > len(data):
                raise MidiFileError(
                    f"{name}: cut off: {size} bytes of MIDI in its RIFF wrapper, {len(data) - start} follow"
                )
            return data[start : start + size], (data[:start], data[start + size :])
        position = start + size + size % 2
    raise MidiFileError(f"{name}: a RIFF RMID file without MIDI data in it")


def _rewrap(midi: bytes, riff: tuple[bytes, bytes]) -> bytes:
    before, after = riff
    before = before[:-4] + len(midi).to_bytes(4, "little")
    old_size = int.from_bytes(riff[0][-4:], "little")
    if old_size % 2 and after[:1] == b"\0":
        after = after[1:]
    padding = b"\0" if len(midi) % 2 and (after or old_size % 2) else b""
    whole = before + midi + padding + after
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]
