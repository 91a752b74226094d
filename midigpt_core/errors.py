"""Every error this library raises on purpose, as one tree.

MidiGptError
├── MidiFileError             a .mid file cannot be read
│   ├── SongTooLargeError     a .mid file has more bars, tracks or notes than are read
│   └── MidiWriteError        a .mid file cannot be written
├── ScoreError                a score (or its dict) is malformed
├── EncoderConfigError        an encoder configuration is malformed
├── TokenError                a token or value has no place in the vocabulary
├── CheckpointError           a checkpoint is truncated, foreign or mismatched (a ValueError, too)
│   └── CheckpointMissingError  there is none of this name (a FileNotFoundError, too)
├── RequestValidationError    a generation request does not fit its score or checkpoint (a ValueError, too)
├── GenerationError           all attempts failed their checks
├── TrainingError             a data set or training run cannot go on
├── AudioError                audio or a picture cannot be made or written
│   └── AudioFileError        an audio file or soundfont cannot be read
└── CancelledError            the caller stopped the run

Each message names the field or file, the value found, and the way out.
"""

from __future__ import annotations

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 3, 120, 120, 60


def short(value: object) -> str:
    """A value as messages repeat it: cut where it is long, however deep or large it is."""
    try:
        return _SHORT.repr(value)
    except (RecursionError, ValueError):  # a number of too many digits
        return f"a very large {type(value).__name__}"


class MidiGptError(Exception):
    """Base of every error raised on purpose by this library."""


class MidiFileError(MidiGptError):
    """A .mid file cannot be read."""


class SongTooLargeError(MidiFileError):
    """A .mid file has more bars, tracks or notes than are read; nothing was built of it."""

    def __init__(self, what: str, most: int, found: int | None = None, where: str = "") -> None:
        self.what, self.most, self.found = what, most, found
        number = f"more than {most}" if found is None else str(found)
        super().__init__(f"{where and where + ': '}{number} {what}: too long to be music; at most {most} are read")

    def at(self, where: str) -> SongTooLargeError:
        """The same, saying which file it is."""
        return SongTooLargeError(self.what, self.most, self.found, where)


class MidiWriteError(MidiFileError):
    """A .mid file cannot be written."""


class ScoreError(MidiGptError):
    """A score, or the dict it was to be made from, is malformed."""


class EncoderConfigError(MidiGptError):
    """An encoder configuration is malformed."""


class TokenError(MidiGptError):
    """A token id or value has no place in the vocabulary."""


class CheckpointError(MidiGptError, ValueError):
    """A checkpoint is missing, truncated, foreign or mismatched."""


class CheckpointMissingError(CheckpointError, FileNotFoundError):
    """There is no checkpoint of this name."""


class RequestValidationError(MidiGptError, ValueError):
    """A generation request does not fit its score or checkpoint; nothing was generated."""

    def __init__(self, message: str, field: str = "", value: object = None, remedy: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.value = value
        self.remedy = remedy


class GenerationError(MidiGptError):
    """All attempts at a step failed their checks."""


class TrainingError(MidiGptError):
    """A data set or training run cannot go on."""


class AudioError(MidiGptError):
    """Audio or a picture cannot be made or written; says what to install where a part is missing."""


class AudioFileError(AudioError):
    """An audio file or soundfont cannot be read."""


class CancelledError(MidiGptError):
    """The caller stopped the run before it ended."""
