"""Write a loop as audio: exactly as long as its bars, what rings on past its end heard at its beginning."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import mido

from midigpt_cli.output.destination import Written
from midigpt_cli.output.rendering import RATE
from midigpt_core.audio.audio_files import write_audio
from midigpt_core.audio.synthesis import synthesise
from midigpt_core.midi_file import score_to_bytes


def write_loop(soundfont: Path | None, result: Written, path: Path) -> None:
    """Audio exactly as long as the loop, its tail wrapped into its beginning."""
    data = score_to_bytes(result.score)
    wave = synthesise(data, length_seconds=_seconds(data), wrap_tail=True, soundfont=soundfont)
    write_audio(wave, path, RATE)


def _seconds(data: bytes) -> float:
    """How long a .mid file plays, to its last tick."""
    midi = mido.MidiFile(file=io.BytesIO(data))
    end = max(sum(message.time for message in track) for track in midi.tracks)
    changes = sorted((tick, tempo) for track in midi.tracks for tick, tempo in _tempi(track))
    seconds, position, tempo = 0.0, 0, 500_000
    for tick, next_tempo in [*changes, (end, 0)]:
        seconds += (tick - position) * tempo / midi.ticks_per_beat / 1e6
        position, tempo = tick, next_tempo
    return seconds


def _tempi(track: Any) -> list[tuple[int, int]]:
    tick, found = 0, []
    for message in track:
        tick += message.time
        if message.type == "set_tempo":
            found.append((tick, message.tempo))
    return found
