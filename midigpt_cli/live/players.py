"""Where a jam sounds: a MIDI port, bar by bar on a clock of its own, or a file that holds all of it."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from midigpt_core.errors import MidiGptError
from midigpt_core.fields import nearest, refused
from midigpt_core.music import seconds_of
from midigpt_core.score import DRUM, Score

if TYPE_CHECKING:
    from midigpt_cli.live.jam_session import Delivery

HEAD_START = 0.05  # seconds from the first chunk to its first note
ALL_NOTES_OFF, ALL_SOUND_OFF, RESET = 123, 120, 121
PORT = "port:"


class Player(Protocol):
    """Something that takes a jam's chunks."""

    def play(self, given: Delivery) -> None:
        """Take the next chunk."""

    def finish(self, whole: bool) -> str:
        """End; `whole`: not before everything has sounded. What came of it, in words, if anything."""


class FilePlayer:
    """Gathers the chunks and writes them as one .mid file at the end, however the end comes."""

    def __init__(self, output: str, force: bool) -> None:
        """Raises RequestValidationError where nothing can be written."""
        self.output = output
        self._chunks: list[Score] = []
        if output == "-" and sys.stdout.isatty():
            raise refused("--output", "-", "would write MIDI to a terminal", "pipe it into something, or name a file")
        if output != "-" and Path(output).exists() and not force:
            raise refused("--output", output, "exists", "add --force to overwrite it, or choose another name")

    def play(self, given: Delivery) -> None:
        self._chunks.append(given.chunk.score)

    def finish(self, whole: bool) -> str:
        if not self._chunks:
            return ""
        first = self._chunks[0]
        tracks = [
            replace(track, bars=[bar for chunk in self._chunks for bar in chunk.tracks[t].bars])
            for t, track in enumerate(first.tracks)
        ]
        score = replace(first, tracks=tracks)
        if self.output == "-":
            score.to_midi(sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            Path(self.output).parent.mkdir(parents=True, exist_ok=True)
            score.to_midi(self.output)
        return f"{self.output}: {score.n_bars} bars"


def channels_of(score: Score) -> list[int]:
    """A channel per track: 9 for drums, the others in order."""
    free = iter([c for c in range(16) if c != 9] * 16)
    return [9 if track.track_type == DRUM else next(free) for track in score.tracks]


def events_of(score: Score) -> list[tuple[float, bytes]]:
    """(seconds from the start, MIDI message) of a chunk; at one moment notes end before others begin."""
    second = seconds_of(1 / score.resolution, score.tempo)
    found: list[tuple[float, int, bytes]] = []
    for track, channel in zip(score.tracks, channels_of(score), strict=True):
        start = 0
        for bar in track.bars:
            for note in bar.notes:
                on = start + note.onset_ticks
                found.append((on * second, 1, bytes((0x90 | channel, note.pitch, max(1, note.velocity)))))
                found.append(((on + note.duration_ticks) * second, 0, bytes((0x80 | channel, note.pitch, 0))))
            start += bar.ticks(score.resolution)
    return [(seconds, message) for seconds, _, message in sorted(found)]


class PortPlayer:
    """Sends each message at its time, from a thread of its own."""

    def __init__(self, port: Any, name: str) -> None:
        """`port` has send(mido.Message) and close()."""
        self.port, self.name = port, name
        self.bars = 0
        self._queue: deque[tuple[float, bytes]] = deque()
        self._next_start: float | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._channels: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="midigpt-port", daemon=True)
        self._thread.start()

    def play(self, given: Delivery) -> None:
        score, now = given.chunk.score, time.perf_counter()
        length = seconds_of(sum(bar.beat_length for bar in score.tracks[0].bars), score.tempo)
        with self._changed:
            if self._next_start is None:
                self._next_start = now + HEAD_START
                self._set_up(score)
            start = max(self._next_start + given.skipped * length, now)
            self._queue.extend((start + seconds, message) for seconds, message in events_of(score))
            self._next_start = start + length
            self.bars += len(score.tracks[0].bars)
            self._changed.notify()

    def finish(self, whole: bool) -> str:
        if whole and self._next_start is not None:
            time.sleep(max(0.0, self._next_start - time.perf_counter()))
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(2)
        for channel in sorted(self._channels):
            for control in (ALL_NOTES_OFF, ALL_SOUND_OFF, RESET):
                self._send(bytes((0xB0 | channel, control, 0)))
        self.port.close()
        return f"{self.name}: {self.bars} bars"

    def _set_up(self, score: Score) -> None:
        for track, channel in zip(score.tracks, channels_of(score), strict=True):
            self._channels.add(channel)
            if channel != 9:
                self._send(bytes((0xC0 | channel, track.instrument)))

    def _run(self) -> None:
        sounding: set[tuple[int, int]] = set()
        while (message := self._next_message()) is not None:
            self._send(message)
            key = (message[0] & 0x0F, message[1])
            if message[0] & 0xF0 == 0x90:
                sounding.add(key)
            else:
                sounding.discard(key)
        for channel, pitch in sorted(sounding):
            self._send(bytes((0x80 | channel, pitch, 0)))

    def _next_message(self) -> bytes | None:
        """The next message when its time has come; None at the end."""
        with self._changed:
            while not self._stopping:
                wait = self._queue[0][0] - time.perf_counter() if self._queue else None
                if wait is not None and wait <= 0:
                    return self._queue.popleft()[1]
                self._changed.wait(wait)
            return None

    def _send(self, message: bytes) -> None:
        import mido

        self.port.send(mido.Message.from_bytes(message))


def port_names() -> list[str]:
    """The MIDI outputs of this machine. Raises MidiGptError where they cannot be listed."""
    import mido

    try:
        return list(dict.fromkeys(mido.get_output_names()))
    except ImportError as error:
        raise _no_backend(error) from error
    except OSError as error:
        raise MidiGptError(f"this machine's MIDI ports cannot be listed: {error}") from error


def open_port(name: str) -> PortPlayer:
    """The output whose name is, or holds, `name`. Raises RequestValidationError, MidiGptError."""
    import mido

    names = port_names()
    found = [known for known in names if known == name] or [n for n in names if name.lower() in n.lower()]
    if not found or not name:
        remedy = nearest(name, names) if names else "this machine has none; start a synthesiser, or write -o FILE"
        raise refused("--output", f"{PORT}{name}", "is not a MIDI output of this machine", remedy)
    try:
        return PortPlayer(mido.open_output(found[0]), found[0])
    except OSError as error:
        raise MidiGptError(f"MIDI output {found[0]!r} cannot be opened: {error}") from error


def _no_backend(error: ImportError) -> MidiGptError:
    return MidiGptError(
        f"MIDI ports need python-rtmidi ({error}); install it with: pip install 'midigpt-cli[live]', "
        "or write a file with -o jam.mid"
    )
