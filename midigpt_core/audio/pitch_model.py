"""Run Spotify's basic-pitch model: audio to how likely each pitch sounds and begins, frame by frame.

The model (Bittner et al., ICASSP 2022, Apache-2.0) is read from the file inside the `basic-pitch` package, which is
never imported: it would load TensorFlow. Window sizes and layout are the published model's.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_core.errors import AudioError

Floats = npt.NDArray[np.float32]

RATE = 22_050  # Hz, what the model listens at
HOP = 256  # samples per frame
PITCHES, LOWEST_PITCH = 88, 21
BINS_PER_SEMITONE = 3  # of the contour
INSTALL = "pip install --no-deps basic-pitch"

_WINDOW = 2 * RATE - HOP  # samples the model hears at once
_OVERLAP = 30  # frames two windows share; half of them are dropped at each end
_STEP = _WINDOW - _OVERLAP * HOP
_FILE = Path("saved_models", "icassp_2022", "nmp.onnx")
_OUTPUTS = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2", "StatefulPartitionedCall:0"]  # as in Activations
_BATCH = 8


@dataclass(frozen=True)
class Activations:
    """What the model heard; time runs along the first axis."""

    frames: Floats  # (frames, 88): the pitch sounds, 0 to 1
    onsets: Floats  # (frames, 88): the pitch begins, 0 to 1
    contours: Floats  # (frames, 264): three bins per semitone
    times: npt.NDArray[np.float64]  # (frames,): seconds


def model_file() -> Path:
    """The model inside the basic-pitch package. Raises AudioError naming the command that brings it."""
    spec = importlib.util.find_spec("basic_pitch")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder, _FILE)).is_file():
            return file
    raise AudioError(f"transcribing needs the model of the basic-pitch package, without its requirements: {INSTALL}")


def listen(samples: Floats, progress: Callable[[float], None] | None = None) -> Activations:
    """The activations of mono audio at RATE, shape (samples,). Raises AudioError where a package is missing."""
    session = _session()
    padded = np.concatenate([np.zeros(_OVERLAP // 2 * HOP, dtype=np.float32), samples])
    starts = range(0, len(padded), _STEP)
    padded = np.pad(padded, (0, _WINDOW))
    name = session.get_inputs()[0].name
    pieces: list[list[Floats]] = []
    for first in range(0, len(starts), _BATCH):
        windows = np.stack([padded[s : s + _WINDOW, None] for s in starts[first : first + _BATCH]])
        pieces.append(session.run(_OUTPUTS, {name: windows.astype(np.float32)}))
        if progress:
            progress(min(first + _BATCH, len(starts)) / len(starts))
    half = _OVERLAP // 2
    kept = [np.concatenate([piece[i] for piece in pieces])[:, half:-half] for i in range(len(_OUTPUTS))]
    per_window = kept[0].shape[1]
    times = (np.arange(len(starts))[:, None] * _STEP + np.arange(per_window) * HOP).ravel() / RATE
    count = int(np.searchsorted(times, len(samples) / RATE))
    joined = [whole.reshape(-1, whole.shape[2])[:count] for whole in kept]
    return Activations(joined[0], joined[1], joined[2], times[:count])


def _session() -> Any:
    file = model_file()
    try:
        import onnxruntime
    except ImportError:
        raise AudioError('transcribing needs onnxruntime: pip install "midigpt-cli[transcribe]"') from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
