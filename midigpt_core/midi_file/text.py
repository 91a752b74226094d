"""Decode names in whichever charset the file was written in."""

from __future__ import annotations


def decode_text(data: bytes) -> str:
    """UTF-8 where it is valid, Shift-JIS where that gives Japanese, else Latin-1, which never fails."""
    data = data.rstrip(b"\0")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("cp932")
    except UnicodeDecodeError:
        return data.decode("latin-1")
    return text if _is_japanese(text) else data.decode("latin-1")


def _is_japanese(text: str) -> bool:
    """At least two letters beyond ASCII, all of them kana, kanji or their punctuation."""
    wide = [letter for letter in text if not letter.isascii()]
    known = ((0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xFF01, 0xFF60))
    return len(wide) >= 2 and all(any(low <= ord(letter) <= high for low, high in known) for letter in wide)
