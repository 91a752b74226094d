"""Load what the first transcription needs before anybody waits for it: its packages take far longer than its model."""

from __future__ import annotations

import threading

from midigpt_core.errors import AudioError

_loading, _loaded = threading.Lock(), threading.Event()


def is_loaded() -> bool:
    """Whether a transcription can begin at once."""
    return _loaded.is_set()


def load_ahead() -> None:
    """Transcribe a few clicks, which loads everything; later calls return at once. Raises AudioError."""
    with _loading:
        if _loaded.is_set():
            return
        import numpy as np

        from midigpt_core.audio.pitch_model import RATE
        from midigpt_core.audio.transcribe import transcribe_samples

        clicks = np.zeros(3 * RATE, np.float32)
        for beat in range(6):
            clicks[beat * RATE // 2 : beat * RATE // 2 + RATE // 8] = np.sin(np.arange(RATE // 8) * 0.125)
        transcribe_samples(clicks)
        _loaded.set()


def load_in_background() -> threading.Thread:
    """The same in a thread of its own; where something is missing, nothing happens."""

    def load() -> None:
        try:
            load_ahead()
        except AudioError:
            return  # the first caller is told what is missing

    thread = threading.Thread(target=load, name="midigpt-listening-ahead", daemon=True)
    thread.start()
    return thread
