"""Take the bytes of a MIDI file from wherever they are, and put new ones in place in one move."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Union

from midigpt_core.errors import MidiFileError, MidiWriteError
from midigpt_core.files import whole
from midigpt_core.midi_file.outline import ReadLimits
from midigpt_core.midi_file.source import MidiSource

LARGEST = ReadLimits()
MAX_BYTES = 128 * 1024 * 1024

Readable = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, IO[bytes]]
Writable = Union[str, "os.PathLike[str]", IO[bytes]]


def take(file: Readable, limits: ReadLimits = LARGEST) -> MidiSource:
    """The bytes of a path, of a binary file object, or the bytes themselves. Raises MidiFileError."""
    if isinstance(file, bytes | bytearray | memoryview):
        return _limited(bytes(file), "MIDI data", limits)
    if isinstance(file, str | os.PathLike):
        name = os.fspath(file)
        try:
            with open(name, "rb") as stream:
                return _limited(stream.read(MAX_BYTES + 1), name, limits)
        except (OSError, ValueError) as error:
            raise MidiFileError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not hasattr(file, "read"):
        raise MidiFileError(f"a MIDI file is a path, bytes or a binary file object, not {type(file).__name__}")
    data = file.read(MAX_BYTES + 1)
    if not isinstance(data, bytes):
        raise MidiFileError("a MIDI file object must be opened in binary mode ('rb')")
    label = getattr(file, "name", None)
    return _limited(data, label if isinstance(label, str) else "MIDI data", limits)


def _limited(data: bytes, name: str, limits: ReadLimits) -> MidiSource:
    if len(data) > MAX_BYTES:
        raise MidiFileError(f"{name}: larger than {MAX_BYTES >> 20} MiB, which no MIDI file is")
    return MidiSource(data, name, limits)


def put(data: bytes, file: Writable) -> None:
    """Write a whole file: under a temporary name beside the target, then renamed. Raises MidiWriteError.

    A symbolic link stays, and what it leads to is written.
    What is there and is no file (a device, a named pipe) is written to instead of being replaced.
    """
    if not isinstance(file, str | os.PathLike):
        file.write(data)
        return
    path = Path(os.path.realpath(file))
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        with whole(path) as partial:
            partial.write_bytes(data)
    except (OSError, ValueError) as error:
        raise MidiWriteError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
