"""Whether one player can strike some pitches together: two hands at a keyboard, the strings of a guitar or bass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

HAND = 14  # semitones that a hand spans: a ninth
FINGERS = 5
FRETS = 20
STRETCH = 4  # frets between the lowest and the highest finger; open strings need none
GUITAR = (40, 45, 50, 55, 59, 64)  # open strings
BASS = (23, 28, 33, 38, 43)

Grip = Callable[[tuple[int, ...]], bool]  # of different pitches, ascending


def two_hands(pitches: tuple[int, ...]) -> bool:
    """Whether ten fingers reach these keys; the left hand takes as many of the low ones as it can."""
    if not pitches:
        return True
    left = [pitch for pitch in pitches if pitch - pitches[0] <= HAND][:FINGERS]
    right = pitches[len(left) :]
    return len(right) <= FINGERS and (not right or right[-1] - right[0] <= HAND)


def on_guitar(pitches: tuple[int, ...]) -> bool:
    """Whether six strings have a grip for these pitches."""
    return _fretted(pitches, GUITAR)


def on_bass(pitches: tuple[int, ...]) -> bool:
    """Whether the strings of a bass have a grip for these pitches."""
    return _fretted(pitches, BASS)


@lru_cache(maxsize=1 << 14)
def _fretted(pitches: tuple[int, ...], strings: Sequence[int], frets: tuple[int, ...] = ()) -> bool:
    """Each pitch, from the lowest, on a string of its own above those before. `frets`: those pressed so far."""
    if not pitches:
        return True
    for i, string in enumerate(strings):
        fret = pitches[0] - string
        pressed = tuple(sorted({*frets, fret} - {0}))
        near = not pressed or pressed[-1] - pressed[0] <= STRETCH
        if 0 <= fret <= FRETS and near and _fretted(pitches[1:], strings[i + 1 :], pressed):
            return True
    return False


_GRIPS: tuple[tuple[range, Grip, str], ...] = (  # programs from 0, whose grip, and what is said of pitches without one
    (range(9), two_hands, "more than two hands reach"),  # pianos, harpsichord, clavinet, celesta
    (range(16, 21), two_hands, "more than two hands reach"),  # organs
    (range(24, 31), on_guitar, "no grip on a guitar"),
    (range(32, 38), on_bass, "no grip on a bass"),
)


def grip_of(program: int) -> tuple[Grip, str] | None:
    """How an instrument is held to what one player can strike together; None where it is not."""
    return next(((grip, said) for programs, grip, said in _GRIPS if program in programs), None)
