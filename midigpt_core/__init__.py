"""Fill in bars of a MIDI song: the library behind the `midigpt` command."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {  # public name -> the module that defines it; loaded on first use, so that importing this package stays cheap
    "Note": "score",
    "Bar": "score",
    "Track": "score",
    "Score": "score",
    "EncoderConfig": "tokens.config",
    "Tokenizer": "tokens.tokenizer",
    "GenerationRequest": "request",
    "TrackPrompt": "request",
    "InferenceConfig": "request",
    "InferenceEngine": "engine",
    "SamplingSession": "engine",
    "load_checkpoint": "model.checkpoint",
    "save_checkpoint": "model.checkpoint",
    "MidiGptError": "errors",
    "MidiFileError": "errors",
    "ScoreError": "errors",
    "EncoderConfigError": "errors",
    "TokenError": "errors",
    "CheckpointError": "errors",
    "CheckpointMissingError": "errors",
    "RequestValidationError": "errors",
    "GenerationError": "errors",
    "TrainingError": "errors",
    "AudioError": "errors",
    "AudioFileError": "errors",
    "CancelledError": "errors",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("midigpt-cli")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
