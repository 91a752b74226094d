"""Split the bytes of a MIDI file into header, track chunks and everything else, and join them again unchanged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from midigpt_core.errors import MidiFileError
from midigpt_core.midi_file.wrappers import Wrapper, rewrapped, unwrap

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
    wrapper: Wrapper | None = None

    @cached_property
    def tracks(self) -> tuple[bytes, ...]:
        """The bodies of the track chunks, in file order."""
        return tuple(chunk.body for chunk in self.chunks if chunk.kind == TRACK)

    def with_tracks(self, bodies: list[bytes]) -> FileLayout:
        """A copy whose track chunks have these bodies; bodies beyond those present become new chunks at the end."""
        queue = iter(bodies)
        chunks = [FileChunk(TRACK, next(queue)) if chunk.kind == TRACK else chunk for chunk in self.chunks]
        further = [FileChunk(TRACK, body) for body in queue]
        chunks += further
        kept_format = 1 if further and len(bodies) > 1 else self.format
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
        return midi if self.wrapper is None else rewrapped(midi, self.wrapper)

    @property
    def unwrapped(self) -> FileLayout:
        """The MIDI file alone, as other programs read it."""
        return replace(self, wrapper=None)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "big") + body


def split(data: bytes, name: str) -> FileLayout:
    """Take a file apart. `name` is what error messages call it. Raises MidiFileError."""
    if not data:
        raise MidiFileError(f"{name}: the file is empty (0 bytes)")
    midi, wrapper = unwrap(data, name)
    if midi[:4] != b"MThd":
        begins = repr(midi[:4].decode("latin-1"))
        raise MidiFileError(f"{name}: not a MIDI file (it begins with {begins}, a MIDI file with 'MThd')")
    size = int.from_bytes(midi[4:8], "big")
    header = midi[8 : 8 + size]
    if size < 6 or len(header) < size:
        raise MidiFileError(f"{name}: the header is damaged or cut off ({len(midi)} bytes in all)")
    kind, n_tracks, division = (int.from_bytes(header[i : i + 2], "big") for i in (0, 2, 4))
    _check_header(kind, n_tracks, division, name)
    chunks, end = _read_chunks(midi, 8 + size, n_tracks, name)
    return FileLayout(kind, division, chunks, header[6:], midi[end:], wrapper)


def _check_header(kind: int, n_tracks: int, division: int, name: str) -> None:
    if kind == 2:
        raise MidiFileError(f"{name}: MIDI format 2 (separate patterns) has no common bars; save it as format 0 or 1")
    if kind > 2:
        raise MidiFileError(f"{name}: unknown MIDI format {kind}; 0 and 1 can be read")
    if division & 0x8000:
        raise MidiFileError(f"{name}: timed in SMPTE frames, without beats or bars; save it in ticks per quarter note")
    if division == 0:
        raise MidiFileError(f"{name}: the header says 0 ticks per quarter note; it must be at least 1")


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
    further, position = _read_further(midi, position)
    chunks += further
    last = next((chunk for chunk in reversed(chunks) if chunk.kind == TRACK), None)
    if last is None:
        raise MidiFileError(f"{name}: the file has no tracks")
    rest = midi[position:]
    if not last.body and rest.strip(b"\0") and not rest[:4].isalnum():
        raise MidiFileError(f"{name}: its last track says that it has 0 bytes, and {len(rest)} follow")
    return tuple(chunks), position


def _read_further(midi: bytes, start: int) -> tuple[list[FileChunk], int]:
    """The chunks up to the last whole track that the header did not promise: other programs read it."""
    kept: list[FileChunk] = []
    waiting: list[FileChunk] = []
    position, end = start, start
    while position + 8 <= len(midi):
        size = int.from_bytes(midi[position + 4 : position + 8], "big")
        chunk = FileChunk(midi[position : position + 4], midi[position + 8 : position + 8 + size])
        if len(chunk.body) < size:
            break
        waiting.append(chunk)
        position += 8 + size
        if chunk.kind == TRACK:
            kept += waiting
            waiting, end = [], position
    return kept, end
