"""MIDI files inside other files: a RIFF RMID file, or 128 bytes of MacBinary before it."""

from __future__ import annotations

from binascii import crc_hqx
from typing import NamedTuple

from midigpt_core.errors import MidiFileError

_MAC = 128  # bytes of a MacBinary header; what follows it is filled up to as many
_LENGTH = slice(83, 87)  # of the data, in a MacBinary header


class Wrapper(NamedTuple):
    """What stands around the MIDI data."""

    before: bytes
    after: bytes


def unwrap(data: bytes, name: str) -> tuple[bytes, Wrapper | None]:
    """The MIDI bytes inside a wrapper and what stands around them; other data as it is. Raises MidiFileError."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        return _inside_riff(data, name)
    if data[:1] == b"\0" and data[_MAC : _MAC + 4] == b"MThd":
        size = int.from_bytes(data[_LENGTH], "big")
        end = _MAC + size if 0 < size <= len(data) - _MAC else len(data)
        return data[_MAC:end], Wrapper(data[:_MAC], data[end:])
    return data, None


def rewrapped(midi: bytes, wrapper: Wrapper) -> bytes:
    """The file with this MIDI data in it; the inverse of `unwrap`."""
    return _around_riff(midi, wrapper) if wrapper.before[:4] == b"RIFF" else _around_mac(midi, wrapper)


def _inside_riff(data: bytes, name: str) -> tuple[bytes, Wrapper]:
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        start = position + 8
        if data[position : position + 4] == b"data":
            if start + size > len(data):
                raise MidiFileError(
                    f"{name}: cut off: {size} bytes of MIDI in its RIFF wrapper, {len(data) - start} follow"
                )
            return data[start : start + size], Wrapper(data[:start], data[start + size :])
        position = start + size + size % 2
    raise MidiFileError(f"{name}: a RIFF RMID file without MIDI data in it")


def _around_riff(midi: bytes, wrapper: Wrapper) -> bytes:
    before, after = wrapper.before[:-4] + len(midi).to_bytes(4, "little"), wrapper.after
    old_size = int.from_bytes(wrapper.before[-4:], "little")
    if old_size % 2 and after[:1] == b"\0":
        after = after[1:]
    padding = b"\0" if len(midi) % 2 and (after or old_size % 2) else b""
    whole = before + midi + padding + after
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


def _around_mac(midi: bytes, wrapper: Wrapper) -> bytes:
    """Length and checksum are brought up to date where the header has them."""
    head, after = bytearray(wrapper.before), wrapper.after
    size = int.from_bytes(head[_LENGTH], "big")
    if size:
        summed = crc_hqx(head[:124], 0) == int.from_bytes(head[124:126], "big")
        head[_LENGTH] = len(midi).to_bytes(4, "big")
        if summed:
            head[124:126] = crc_hqx(head[:124], 0).to_bytes(2, "big")
        padded = -size % _MAC
        if not after[:padded].strip(b"\0") and len(after) >= padded:
            after = bytes(-len(midi) % _MAC if after else 0) + after[padded:]
    return bytes(head) + midi + after
