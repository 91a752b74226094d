"""The exit codes, promised to stay, and which error gives which."""

from __future__ import annotations

from midigpt_core.errors import (
    AudioFileError,
    CancelledError,
    CheckpointError,
    EncoderConfigError,
    GenerationError,
    MidiFileError,
    MidiGptError,
    MidiWriteError,
    RequestValidationError,
    ScoreError,
)

DONE, FAILURE, USAGE, UNREADABLE, NO_MODEL, REJECTED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

TABLE = {
    DONE: "done",
    FAILURE: "failure",
    USAGE: "wrong usage",
    UNREADABLE: "input unreadable",
    NO_MODEL: "model missing or unreadable",
    REJECTED: "checks failed after all attempts",
    INTERRUPTED: "interrupted",
}

_BY_ERROR: tuple[tuple[type[MidiGptError], int], ...] = (
    (MidiWriteError, FAILURE),
    (MidiFileError, UNREADABLE),
    (AudioFileError, UNREADABLE),
    (ScoreError, UNREADABLE),
    (CheckpointError, NO_MODEL),
    (EncoderConfigError, NO_MODEL),
    (RequestValidationError, USAGE),
    (GenerationError, REJECTED),
    (CancelledError, INTERRUPTED),
)


def code_of(error: MidiGptError) -> int:
    """The exit code of an error."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), FAILURE)
