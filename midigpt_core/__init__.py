"""Fill in bars of a MIDI song: the library behind the `midigpt` command."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names, for editors and type checkers
    from midigpt_core.engine import InferenceEngine as InferenceEngine
    from midigpt_core.engine import SamplingSession as SamplingSession
    from midigpt_core.errors import AudioError as AudioError
    from midigpt_core.errors import AudioFileError as AudioFileError
    from midigpt_core.errors import CancelledError as CancelledError
    from midigpt_core.errors import CheckpointError as CheckpointError
    from midigpt_core.errors import CheckpointMissingError as CheckpointMissingError
    from midigpt_core.errors import EncoderConfigError as EncoderConfigError
    from midigpt_core.errors import GenerationError as GenerationError
    from midigpt_core.errors import MidiFileError as MidiFileError
    from midigpt_core.errors import MidiGptError as MidiGptError
    from midigpt_core.errors import RequestValidationError as RequestValidationError
    from midigpt_core.errors import ScoreError as ScoreError
    from midigpt_core.errors import TokenError as TokenError
    from midigpt_core.errors import TrainingError as TrainingError
    from midigpt_core.inference_config import InferenceConfig as InferenceConfig
    from midigpt_core.model.checkpoint import load_checkpoint as load_checkpoint
    from midigpt_core.model.checkpoint import save_checkpoint as save_checkpoint
    from midigpt_core.request import GenerationRequest as GenerationRequest
    from midigpt_core.request import TrackPrompt as TrackPrompt
    from midigpt_core.score import Bar as Bar
    from midigpt_core.score import Note as Note
    from midigpt_core.score import Score as Score
    from midigpt_core.score import Track as Track
    from midigpt_core.tokens.encoder_config import EncoderConfig as EncoderConfig
    from midigpt_core.tokens.tokenizer import Tokenizer as Tokenizer

    __version__: str

_HOME = {  # public name -> the module that defines it; loaded on first use, so that importing this package stays cheap
    "Note": "score",
    "Bar": "score",
    "Track": "score",
    "Score": "score",
    "EncoderConfig": "tokens.encoder_config",
    "Tokenizer": "tokens.tokenizer",
    "GenerationRequest": "request",
    "TrackPrompt": "request",
    "InferenceConfig": "inference_config",
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


if not TYPE_CHECKING:  # for them, a name that does not exist is a mistake

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
