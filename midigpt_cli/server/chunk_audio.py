"""The sound of a jam, chunk by chunk: each exactly as long as its bars, what rings on being heard in the next."""

from __future__ import annotations

import base64
import io
import threading
import wave
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from midigpt_cli.live.jam_session import KEPT, Delivery
from midigpt_core.audio.audio_files import pcm_wav
from midigpt_core.audio.synthesis import synthesise
from midigpt_core.fields import setting
from midigpt_core.jam import RESOLUTION
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.music import bpm_of

BINARY = "binary"
RATE = 48_000
RATES = (8000, 48_000)  # lowest and highest that is rendered for callers
MOST_BYTES = 32_000_000  # of rendered chunks that one jam keeps


@dataclass(frozen=True)
class SoundRequest:
    """What a start message says of the sound of a jam's chunks."""

    audio: bool = setting(
        False, "sound with every chunk, as base64; binary: in a frame of its own", words={BINARY: BINARY}
    )
    audio_rate: int = setting(RATE, "sample rate of that sound in Hz", *RATES)


class ChunkSound:
    """Renders the chunks of one jam in the order of their places; one that is asked for again comes again."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._end = Fraction(0)  # of what was rendered, in seconds
        self._tail: npt.NDArray[np.float32] = np.zeros((0, 2), np.float32)
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._next = 0  # place that is rendered next
        self._lock = threading.Lock()

    def wav(self, given: Delivery) -> bytes:
        """The sound of a chunk as a wav file. Heavy: call it away from the event loop."""
        with self._lock:
            index = given.chunk.index
            if index < self._next and index not in self._kept:
                return pcm_wav(self._alone(given), self.rate)
            if index not in self._kept:
                self._kept[index], self._next = pcm_wav(self._rendered(given), self.rate), index + 1
                while len(self._kept) > KEPT or (len(self._kept) > 1 and self._held > MOST_BYTES):
                    self._kept.popitem(last=False)
            return self._kept[index]

    @property
    def _held(self) -> int:
        return sum(map(len, self._kept.values()))

    def _alone(self, given: Delivery) -> npt.NDArray[np.float32]:
        """A chunk that was let go of already, without what rang on into it."""
        seconds = given.chunk.ticks * given.chunk.score.tempo / RESOLUTION / 1e6
        return synthesise(score_to_bytes(given.chunk.score), self.rate, seconds, wrap_tail=False)

    def _rendered(self, given: Delivery) -> npt.NDArray[np.float32]:
        score = given.chunk.score
        begin = self._end
        self._end += Fraction(given.chunk.ticks * score.tempo, RESOLUTION * 1_000_000)
        length = round(self._end * self.rate) - round(begin * self.rate)  # edges are rounded, lengths never add up
        new = synthesise(score_to_bytes(score), self.rate)
        whole = np.zeros((max(length, len(new), len(self._tail)), 2), np.float32)
        whole[: len(new)] += new
        whole[: len(self._tail)] += self._tail
        self._tail = whole[length:].copy()
        return whole[:length]

    def facts(self, given: Delivery, data: bytes) -> dict[str, Any]:
        """What a player needs to know of a chunk's sound."""
        with wave.open(io.BytesIO(data)) as file:
            samples = file.getnframes()
        return {
            "sample_rate": self.rate,
            "channels": 2,
            "total_samples": samples,
            "bars": len(given.chunk.score.tracks[0].bars),
            "bpm": round(bpm_of(given.chunk.score.tempo), 3),
        }


def in_words(data: bytes) -> str:
    """Sound as base64, as messages carry it."""
    return base64.b64encode(data).decode("ascii")
