"""Bars, tempo, metres, pitch and key names: the arithmetic of music that every room shares."""

from __future__ import annotations

import re

PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# Krumhansl and Kessler's probe-tone profiles (1982): weight of each pitch class, counted up from the tonic.
MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_METRE = re.compile(r"\s*(\d{1,3})\s*/\s*(\d{1,3})\s*")
_MICROSECONDS = 60_000_000  # of a minute


def pitch_name(pitch: int) -> str:
    """ "C4" for 60."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def metre_of(text: object) -> tuple[int, int] | None:
    """(6, 8) for "6/8"; None for what is no metre."""
    found = _METRE.fullmatch(text) if isinstance(text, str) else None
    metre = (int(found[1]), int(found[2])) if found else (0, 0)
    return metre if metre[0] and metre[1] else None


def quarters_of(numerator: int, denominator: int) -> float:
    """Length of a bar of this metre in quarter notes."""
    return 4.0 * numerator / denominator


def tempo_of(bpm: float) -> int:
    """Microseconds per quarter note at so many quarter notes per minute."""
    return round(_MICROSECONDS / bpm)


def bpm_of(tempo: float) -> float:
    """Quarter notes per minute at so many microseconds per quarter note."""
    return _MICROSECONDS / tempo


def seconds_of(quarters: float, tempo: float) -> float:
    """How long so many quarter notes last at so many microseconds each."""
    return quarters * tempo / 1e6
