"""Sound and pictures beside a MIDI file: which there are, and how they are made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from midigpt_core.request import nearest, refused

if TYPE_CHECKING:
    from midigpt_core.plan.steps import Cell
    from midigpt_core.score import Score

PICTURES = (".png", ".svg", ".pdf")
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
RATE = 44_100


def endings(wish: str | None) -> tuple[str, ...]:
    """The file name endings in a list such as "wav,png". Raises RequestValidationError for an unknown one."""
    found = tuple(f".{word.strip().lower().removeprefix('.')}" for word in (wish or "").split(",") if word.strip())
    for ending in found:
        if ending not in SOUNDS + PICTURES:
            known = [other[1:] for other in SOUNDS + PICTURES]
            raise refused("--render", ending[1:], "is nothing that can be made", nearest(ending[1:], known))
    return found


def check(path: Path) -> None:
    """Raise AudioError where a file of this name cannot be made here, before any time is spent."""
    if path.suffix in SOUNDS:
        from midigpt_core.audio.files import check_writable

        check_writable(path, RATE)
    else:
        from midigpt_core.audio.picture import check_drawing

        check_drawing()


def make(score: Score, paths: Sequence[Path], lit: Collection[Cell]) -> None:
    """Play the score into each sound file, draw it, `lit` cells highlighted, into each picture. Raises AudioError."""
    for path in paths:
        if path.suffix in SOUNDS:
            from midigpt_core.audio.synthesis import render_audio
            from midigpt_core.midi_file import score_to_bytes

            render_audio(score_to_bytes(score), path, rate=RATE)
        else:
            from midigpt_core.audio.picture import draw_score

            draw_score(score, path, lit)
