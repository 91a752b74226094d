"""Controls of the chords that new notes lean on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midigpt_core.chords import changes_of
from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.line_controls import check_melodic
from midigpt_core.constraints.masks import Constraint
from midigpt_core.fields import reader
from midigpt_core.score import Track
from midigpt_core.tokens.encoder_config import EncoderConfig

HEARD, FILE = "heard", "file"  # instead of names: the chords that the song sounds, or that its file names
STRONGEST = 10.0
_CHORDS = reader(str, "such as Am7, or Am,F")
_STRENGTH = reader(float, "0: not at all, 1: nine of ten notes belong to the chord", 0, STRONGEST)


class ChordsControl:
    """ "Am7", "Am,F" (equally long) or "Am@1,F@3.5" (from these beats): the chords of a bar, for new notes to follow;
    "heard" takes those estimated from the song's notes, "file" those named in its markers, texts or lyrics."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        check_melodic(where, value, track)
        _CHORDS(value, where)
        if value not in (HEARD, FILE):
            changes_of(value, max((bar.beat_length for bar in track.bars), default=4.0), where)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        return []  # the harmony holds them


class ChordStrength:
    """How strongly new notes follow their chords (0: not at all, 1: nine of ten belong to the chord)."""

    def check(self, value: Any, where: str, encoder: EncoderConfig, track: Track) -> None:
        _STRENGTH(value, where)

    def constraints(self, values: Mapping[int, Any], scene: Scene) -> list[Constraint]:
        return []  # told with the chords
