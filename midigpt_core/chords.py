"""Chord names as musicians write them ("Am7", "C/E", "F#m7b5"), the pitch classes they stand for, and their places.

A grammar of its own rather than a library: pychord 1.4.1, the one that is kept up, knows a list of spellings and
refuses a quarter of those that lead sheets have ("C-7", "Cma7", "Co7", "C+", "A7(13)").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from midigpt_core.fields import refused

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, "H": 11}
_SIGNS = {"": 0, "#": 1, "b": -1}
_NAME = re.compile(r"(?P<root>[A-H][#b]?)(?P<kind>.*?)(?:/(?P<bass>[A-H][#b]?))?")
_TENSIONS = {2: 2, 4: 5, 5: 7, 6: 9, 7: 10, 9: 2, 11: 5, 13: 9}  # degree -> semitones
NO_CHORD = ("N.C.", "NC", "-")


@dataclass(frozen=True)
class Chord:
    """A chord: `classes` are its pitch classes from 0 (C), `bass` the lowest of them."""

    name: str
    root: int
    classes: frozenset[int]
    bass: int


@dataclass(frozen=True)
class Change:
    """A chord that begins at a beat of its bar, counted in quarter notes from 0; None: no chord."""

    quarter: float
    chord: Chord | None


@dataclass
class _Spelling:
    """Semitones above the root, as a name is read from left to right."""

    third: int | None = 4
    fifth: int | None = 7
    seventh: int | None = None
    others: set[int] = field(default_factory=set)
    major: bool = False  # a seventh to come is a major one
    diminished: bool = False  # a seventh to come is a diminished one

    def degree(self, number: str) -> None:
        """6, 7, 9, 11, 13, 69, 5, 2 or 4."""
        if number == "5":
            self.third = None
        elif number in ("6", "69", "2", "4"):
            self.others |= {_TENSIONS[int(digit)] for digit in number}
        else:
            self.seventh = 11 if self.major else 9 if self.diminished else 10
            self.others |= {
                _TENSIONS[each] for each in (9, 11, 13) if each <= int(number) and (each, number) != (11, "13")
            }

    def minor(self, _: str) -> None:
        self.third = 3

    def major_seventh(self, word: str) -> None:
        self.major = True
        if word in ("\N{GREEK CAPITAL LETTER DELTA}", "^"):
            self.seventh = 11

    def lowered(self, _: str) -> None:
        self.third, self.fifth, self.diminished = 3, 6, True

    def half_diminished(self, _: str) -> None:
        self.third, self.fifth, self.seventh = 3, 6, 10

    def augmented(self, _: str) -> None:
        self.fifth = 8

    def suspended(self, word: str) -> None:
        self.third = None
        self.others.add(2 if word.endswith("2") else 5)

    def altered(self, _: str) -> None:
        self.fifth, self.seventh = None, 10
        self.others |= {1, 3, 6, 8}

    def added(self, word: str) -> None:
        sign, degree = re.sub(r"\d", "", word).removeprefix("add"), int(re.sub(r"\D", "", word))
        self.others.add((_TENSIONS[degree] + _SIGNS[sign]) % 12)

    def left_out(self, word: str) -> None:
        if word.endswith("3"):
            self.third = None
        else:
            self.fifth = None

    def changed(self, word: str) -> None:
        """b5, #9, -5, +11."""
        semitones = (_TENSIONS[int(word[1:])] + (1 if word[0] in "#+" else -1)) % 12
        if word[1:] == "5":
            self.fifth = semitones
        else:
            self.others.add(semitones)
            self.others.discard(_TENSIONS[int(word[1:])])
            self.seventh = self.seventh or 10

    def semitones(self) -> set[int]:
        return {each for each in (0, self.third, self.fifth, self.seventh, *self.others) if each is not None}


_PARTS: tuple[tuple[re.Pattern[str], Callable[[_Spelling, str], None]], ...] = tuple(
    (re.compile(pattern), effect)
    for pattern, effect in (
        (r"add[#b]?(?:13|11|9|6|4|2)", _Spelling.added),
        (r"(?:no|omit)[35]", _Spelling.left_out),
        (r"sus[24]?", _Spelling.suspended),
        (r"alt", _Spelling.altered),
        (r"[#b+-](?:5|9|11|13)(?!\d)", _Spelling.changed),
        (r"[Mm]aj(?:or)?|[Mm]a|M|\N{GREEK CAPITAL LETTER DELTA}|\^", _Spelling.major_seventh),
        (r"[Mm]in(?:or)?|[Mm]i|m|-", _Spelling.minor),
        (r"dim|\N{DEGREE SIGN}|o", _Spelling.lowered),
        (r"\N{LATIN SMALL LETTER O WITH STROKE}|h", _Spelling.half_diminished),
        (r"aug|\+", _Spelling.augmented),
        (r"69|13|11|9|7|6|5|4|2", _Spelling.degree),
    )
)


@lru_cache(maxsize=4096)
def chord_of(name: str) -> Chord | None:
    """The chord of a name; None for what is none."""
    plain = name.strip().replace("\N{MUSIC SHARP SIGN}", "#").replace("\N{MUSIC FLAT SIGN}", "b")
    found = _NAME.fullmatch(plain.replace("6/9", "69"))
    spelling = None if found is None else _spelled(re.sub(r"[()\s,:]", "", found["kind"]))
    if found is None or spelling is None:
        return None
    root = _pitch_class(found["root"])
    bass = _pitch_class(found["bass"]) if found["bass"] else root
    classes = frozenset({(root + each) % 12 for each in spelling.semitones()} | {bass})
    return Chord(name.strip(), root, classes, bass)


def _pitch_class(word: str) -> int:
    return (_LETTERS[word[0]] + _SIGNS[word[1:]]) % 12


def _spelled(kind: str) -> _Spelling | None:
    spelling, at = _Spelling(), 0
    while at < len(kind):
        for pattern, effect in _PARTS:
            part = pattern.match(kind, at)
            if part and not (at == 0 and part[0] in ("-9", "-11", "-13")):  # C-9 is a minor chord
                effect(spelling, part[0])
                at = part.end()
                break
        else:
            return None
    return spelling


def changes_of(text: str, quarters: float, where: str) -> tuple[Change, ...]:
    """The chords of one bar of so many quarter notes: "Am", "Am,F" (equally long), "Am@1,F@3.5" (from these beats).

    Beats are quarter notes from 1. Raises RequestValidationError.
    """
    words = [word.strip() for word in re.split(r"[,|](?![^(]*\))", text) if word.strip()]
    found: list[Change] = []
    for place, word in enumerate(words):
        name, _, beat = word.partition("@")
        chord = chord_of(name)
        if chord is None and name not in NO_CHORD:
            raise refused(where, name, "is not a chord", "write C, Am7, F#m7b5, C/E, ... or N.C. for none")
        try:
            quarter = float(beat) - 1 if beat else place * quarters / len(words)
        except ValueError:
            quarter = -1.0
        if not 0 <= quarter < quarters or (found and quarter <= found[-1].quarter):
            raise refused(
                where, word, "does not begin after the chord before it", f"use beats from 1, below {quarters + 1:g}"
            )
        found.append(Change(quarter, chord))
    if not found:
        raise refused(where, text, "names no chord", "write C, Am7, C/E, ...")
    return tuple(found)
