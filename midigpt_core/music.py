"""Bars, tempo, metres, pitch and key names: the arithmetic of music that every room shares."""

from __future__ import annotations

import re
from collections.abc import Mapping

PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_BY_FIFTHS = "FCGDAEB"  # the order in which a signature sharpens notes; it flattens them from the end
# Krumhansl and Kessler's probe-tone profiles (1982): weight of each pitch class, counted up from the tonic.
MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
SCALES: Mapping[str, tuple[int, ...]] = {  # name -> semitones above the root
    "chromatic": tuple(range(12)),
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "natural_minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic_minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major_pentatonic": (0, 2, 4, 7, 9),
    "minor_pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole_tone": (0, 2, 4, 6, 8, 10),
}

GRIDS: Mapping[str, float] = {  # unit -> quarter notes
    "whole": 4.0,
    "half": 2.0,
    "quarter": 1.0,
    "eighth": 1 / 2,
    "sixteenth": 1 / 4,
    "quarter_triplet": 2 / 3,
    "eighth_triplet": 1 / 3,
    "sixteenth_triplet": 1 / 6,
}

_METRE = re.compile(r"\s*(\d{1,3})\s*/\s*(\d{1,3})\s*")
_MICROSECONDS = 60_000_000  # of a minute


def pitch_name(pitch: int) -> str:
    """ "C4" for 60."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def spelled_in(key: int) -> tuple[str, ...]:
    """The twelve pitch classes as they are written in a key (0-11: C to B major, 12-23: C to B minor, 24: none).

    Notes of the key's signature and the leading note of a minor key have its accidentals, the others are PITCH_CLASSES.
    """
    names = list(PITCH_CLASSES)
    if key >= 24:
        return PITCH_CLASSES
    minor, tonic = divmod(key, 12)
    fewest = -6 if minor else -5  # of 12 signatures: Eb minor rather than D# minor, F# major rather than Gb major
    fifths = (7 * (tonic + 3 * minor) - fewest) % 12 + fewest  # sharps of its signature, or flats below 0
    for letter in _BY_FIFTHS[:fifths] if fifths > 0 else ():
        names[(PITCH_CLASSES.index(letter) + 1) % 12] = letter + "#"
    for letter in _BY_FIFTHS[fifths:] if fifths < 0 else ():
        names[PITCH_CLASSES.index(letter) - 1] = letter + "b"
    leading = names[tonic - 1]
    if minor and leading.endswith("b"):
        names[tonic - 1] = PITCH_CLASSES[tonic - 2] + "#"
    return tuple(names)


def key_name(key: int) -> str:
    """ "Db major" for 1, "G# minor" for 20; see `spelled_in`."""
    return "no key" if key >= 24 else f"{spelled_in(key)[key % 12]} {'minor' if key >= 12 else 'major'}"


def metre_of(text: object) -> tuple[int, int] | None:
    """(6, 8) for "6/8"; None for what is no metre."""
    found = _METRE.fullmatch(text) if isinstance(text, str) else None
    metre = (int(found[1]), int(found[2])) if found else (0, 0)
    return metre if metre[0] and metre[1] else None


def quarters_of(numerator: int, denominator: int) -> float:
    """Length of a bar of this metre in quarter notes."""
    return 4.0 * numerator / denominator


def sixteenth_of(tick: int, resolution: int) -> int:
    """The nearest sixteenth, counted from 0; `resolution` ticks to the quarter note."""
    return (8 * tick + resolution) // (2 * resolution)


def tempo_of(bpm: float) -> int:
    """Microseconds per quarter note at so many quarter notes per minute."""
    return round(_MICROSECONDS / bpm)


def bpm_of(tempo: float) -> float:
    """Quarter notes per minute at so many microseconds per quarter note."""
    return _MICROSECONDS / tempo


def seconds_of(quarters: float, tempo: float) -> float:
    """How long so many quarter notes last at so many microseconds each."""
    return quarters * tempo / 1e6
