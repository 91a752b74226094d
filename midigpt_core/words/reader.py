"""Read a prompt word by word against the table; spelling is forgiven, nothing is dropped in silence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, reduce
from typing import Any

from midigpt_core.fields import refused
from midigpt_core.words import word_tables
from midigpt_core.words.understood import PromptPart, Said, Understood

LONGEST = 4000  # characters of a prompt
_LONGEST_PHRASE = 3  # words
_LIKENESS, _SHORTEST = 0.8, 5  # of a misspelt word: how like, and how many letters at least
_ROOT = r"(?P<root>[a-g](?:#|b|[- ]?sharp|[- ]?flat)?)"
_SCALE = "|".join(sorted(word_tables.SCALES, key=len, reverse=True))
_ARTICLE = r"(?!a (?:minor|major) (?:key|scale|mode)\b)"  # "a minor key" is no A minor
_NUMBERS = {  # what is read before the words: kind -> pattern
    "bpm": re.compile(
        r"(?:tempo (?:of )?|at )?\b(?P<value>\d{2,3}(?:\.\d+)?) ?bpm\b"
        r"|\b(?:tempo|at) (?:of )?(?P<bare>\d{2,3})\b(?! bars?)"
    ),
    "metre": re.compile(r"\b(?P<value>\d{1,2}/(?:16|1|2|4|8))\b(?: time)?"),
    "bars": re.compile(r"\b(?P<value>\d{1,3})[- ](?:bars?|measures?)\b"),
    "scale": re.compile(
        rf"\b{_ARTICLE}{_ROOT} ?(?P<scale>{_SCALE})\b|\bkey of (?P<key>[a-g](?:#|b)?)(?![a-z#])",
    ),
}


@dataclass(frozen=True)
class _Entry:
    """A phrase of the table."""

    kind: str
    value: Any


@cache
def _vocabulary() -> Mapping[str, _Entry]:
    found: dict[str, _Entry] = {}
    rows: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("part", word_tables.PARTS),
        ("ensemble", word_tables.ENSEMBLES),
        ("role", word_tables.ROLES),
        ("feel", word_tables.FEELS),
        ("grid", word_tables.GRIDS),
        ("bpm", word_tables.TEMPOS),
        ("metre", word_tables.METRES),
        ("style", {name: name for name in word_tables.STYLES} | dict(word_tables.SPELLINGS)),
    )
    for kind, words in rows:
        found.update({word: _Entry(kind, value) for word, value in words.items()})
    return found


@cache
def _single_words() -> tuple[str, ...]:
    return tuple(word for word in _vocabulary() if " " not in word and len(word) >= _SHORTEST - 1)


@dataclass
class _Named:
    """A part as it is put together."""

    word: str
    program: int | None
    role: str = ""
    settled: bool = True  # an instrument is named; else style and role say it
    feels: dict[str, str] = field(default_factory=dict)


def read_prompt(text: str) -> Understood:
    """What `text` asks for, what became of each of its words, and which are not known.

    Raises RequestValidationError for one of more than LONGEST characters, or that no file or answer can hold.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise refused("prompt", None, "holds an incomplete character (a lone surrogate)", "send it as UTF-8")
    if len(text) > LONGEST:
        raise refused("prompt", None, f"has {len(text)} characters", f"use at most {LONGEST}")
    return _PromptReader(text).read()


def mixed(weights: Mapping[str, float]) -> Understood:
    """Several styles as one: parts, metre and feel of the heaviest, the weighted mean of the tempos."""
    named = sorted((name for name, weight in weights.items() if weight > 0), key=lambda name: -weights[name])
    first = read_prompt(" ".join(named[:1]))
    total = sum(weights[name] for name in named)
    bpm = sum(sum(word_tables.STYLES[name].bpm) / 2 * weights[name] for name in named) / total
    said = tuple(Said(name, f"style, weight {weights[name] / total:.2f}") for name in named)
    return replace(first, text=", ".join(named), styles=tuple(named), bpm=float(round(bpm)), said=said)


class _PromptReader:
    """One prompt, as it is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.single: dict[str, Any] = {}  # bpm, metre, scale, grid, bars
        self.exact: set[str] = set()  # those said by number or name rather than by a word such as "fast"
        self.styles: list[str] = []
        self.parts: list[_Named] = []
        self.removed: list[int | None] = []
        self.feels: dict[str, str] = {}
        self.said: list[Said] = []
        self.unknown: list[str] = []
        self.contradictions: list[str] = []

    def read(self) -> Understood:
        """Numbers first, then clause by clause."""
        rest = self._numbers(self.text.lower())
        rest = reduce(lambda text, row: text.replace(*row), word_tables.ONE_WORD.items(), rest)
        joints = "|".join(word_tables.JOINTS)
        for clause in re.split(rf"[,;.!?:|\n]+|\b(?:{joints})\b", rest):
            self._clause(re.findall(r"[a-z0-9#&'/-]*[a-z0-9#]", clause))
        return self._finished()

    # ---- numbers ----

    def _numbers(self, text: str) -> str:
        for kind, pattern in _NUMBERS.items():
            for found in pattern.finditer(text):
                value = _number(kind, found)
                self._set(kind, value, found[0].strip())
                self.exact.add(kind)
            text = pattern.sub(" ", text)
        return text

    def _set(self, kind: str, value: Any, words: str) -> None:
        old = self.single.get(kind)
        if old is not None and old != value:
            self.contradictions.append(f"{words!r} contradicts {kind} {old}, which was said first and is kept")
            return
        self.single[kind] = value
        self.said.append(Said(words, f"{kind} {value:g}" if isinstance(value, float) else f"{kind} {value}"))

    # ---- words ----

    def _clause(self, words: list[str]) -> None:
        here: list[_Named] = []
        waiting: dict[str, str] = {}
        at = 0
        negated = strong = False
        while at < len(words):
            phrase, count, entry = _longest(words[at : at + _LONGEST_PHRASE])
            at += count
            if entry is None:
                negated, strong = negated or phrase in word_tables.NEGATIONS, strong or phrase in word_tables.VERY
                self._unread(phrase)
                continue
            if negated:
                self._remove(phrase, entry)
            elif entry.kind == "feel":
                self._feel(phrase, entry.value, strong, waiting)
            elif entry.kind in ("part", "role"):
                here, waiting = self._part(phrase, entry, here, waiting), {}
            elif entry.kind == "ensemble":
                here, waiting = self._ensemble(phrase, entry, waiting), {}
            else:
                self._whole(phrase, entry)
            strong = False
        for aspect, value in waiting.items():
            self._hold(here[-1].feels if here else self.feels, aspect, value)

    def _unread(self, word: str) -> None:
        if word in word_tables.MOODS:
            self.said.append(Said(word, "a mood, which no model here can be asked for"))
            return
        known = (*word_tables.NEGATIONS, *word_tables.VERY, *word_tables.SILENT)
        if word not in known:
            self.unknown.append(word)

    def _remove(self, phrase: str, entry: _Entry) -> None:
        if entry.kind not in ("part", "role"):
            self.unknown.append(f"no {phrase}")
            return
        program = entry.value[1] if entry.kind == "role" else entry.value
        self.removed.append(program)
        self.said.append(Said(f"no {phrase}", "left out"))

    def _feel(self, phrase: str, feel: tuple[str, str], strong: bool, waiting: dict[str, str]) -> None:
        aspect, value = feel
        if strong:
            value = word_tables.STRONGER.get(aspect, {}).get(value, value)
        if aspect in word_tables.NO_CONTROL:
            self.said.append(Said(phrase, f"understood, but {aspect} is nothing a model can be asked for"))
            return
        self.said.append(Said(phrase, f"{aspect} {value}"))
        self._hold(waiting, aspect, value)

    def _hold(self, feels: dict[str, str], aspect: str, value: str) -> None:
        if feels.get(aspect, value) != value:
            self.contradictions.append(f"{aspect} {value} contradicts {aspect} {feels[aspect]}, which is kept")
            return
        feels[aspect] = value

    def _part(self, phrase: str, entry: _Entry, here: list[_Named], waiting: dict[str, str]) -> list[_Named]:
        role = entry.value[0] if entry.kind == "role" else ""
        last = here[-1] if here else None
        if last is not None and bool(role) != bool(last.role):  # "piano chords", "lead trumpet": one part
            if role:
                last.role = role
            else:
                last.program, last.settled, last.word = entry.value, True, f"{last.word} {phrase}"
            self.said.append(Said(phrase, f"the role of {last.word}" if role else f"the instrument of {last.word}"))
            last.feels.update(waiting)
            return here
        program = entry.value[1] if role else entry.value
        named = _Named(phrase, program, role, not role, dict(waiting))
        self.parts.append(named)
        self.said.append(Said(phrase, "drums" if program is None else "a part"))
        return [*here, named]

    def _ensemble(self, phrase: str, entry: _Entry, waiting: dict[str, str]) -> list[_Named]:
        players = [_Named(phrase, program, feels=dict(waiting)) for program in entry.value]
        self.parts += players
        self.said.append(Said(phrase, f"{len(players)} parts"))
        return players[-1:]

    def _whole(self, phrase: str, entry: _Entry) -> None:
        if entry.kind == "style":
            heard = word_tables.STYLES[entry.value].heard
            self.styles.append(entry.value)
            self.said.append(Said(phrase, f"style {entry.value}" + ("" if heard else " (by tempo and parts only)")))
        elif entry.kind not in self.exact:
            self._set(entry.kind, float(entry.value) if entry.kind == "bpm" else entry.value, phrase)
        elif self.single[entry.kind] != entry.value:
            self.said.append(Said(phrase, f"{entry.kind} {self.single[entry.kind]} is said more exactly"))

    # ---- the whole ----

    def _finished(self) -> Understood:
        styles = [word_tables.STYLES[name] for name in dict.fromkeys(self.styles)]
        named = bool(self.parts)
        if not named:
            self.parts = [_Named(role, program, role) for s in styles[:1] for role, program in s.parts.items()]
        kept = [part for part in self._distinct() if part.program not in self.removed]
        parts = [self._settled(part, styles) for part in kept]
        single = self.single
        bpm, metre, grid = single.get("bpm"), single.get("metre"), single.get("grid")
        if bpm is None and styles:
            bpm = round(sum(sum(style.bpm) / 2 for style in styles) / len(styles))
        return Understood(
            self.text,
            tuple(parts),
            tuple(dict.fromkeys(self.styles)),
            None if bpm is None else float(bpm),
            metre or next((style.metre for style in styles if style.metre), None),
            single.get("scale"),
            grid or next((style.grid for style in styles if style.grid), None),
            single.get("bars"),
            self.feels,
            tuple(self.said),
            tuple(dict.fromkeys(self.unknown)),
            tuple(self.contradictions),
            named,
        )

    def _distinct(self) -> list[_Named]:
        """The parts; an instrument that is named a second time in another word is one part."""
        found: list[_Named] = []
        for part in self.parts:
            other = next((old for old in found if old.program == part.program and old.word != part.word), None)
            if other is None or not (part.settled and other.settled):
                found.append(part)
            else:
                other.feels = {**part.feels, **other.feels}
        return found

    def _settled(self, part: _Named, styles: list[word_tables.Style]) -> PromptPart:
        program = part.program
        family = word_tables.FAMILIES.get(part.word, ())
        if family:
            program = next((p for style in styles for p in style.parts.values() if p in family), program)
        if not part.settled:
            program = next((style.parts[part.role] for style in styles if part.role in style.parts), program)
        feels = {**word_tables.ROLE_FEELS.get(part.role, {}), **part.feels}
        return PromptPart(part.word, program, feels)


def _longest(words: list[str]) -> tuple[str, int, _Entry | None]:
    """(phrase as the table spells it, words it takes, its entry): the longest phrase, else the likest word."""
    known = _vocabulary()
    for count in range(min(_LONGEST_PHRASE, len(words)), 0, -1):
        phrase = " ".join(words[:count])
        if phrase in known:
            return phrase, count, known[phrase]
    word = words[0]
    without_value = (*word_tables.SILENT, *word_tables.MOODS, *word_tables.VERY, *word_tables.NEGATIONS)
    if len(word) < _SHORTEST or word in without_value:
        return word, 1, None
    near = difflib.get_close_matches(word, _single_words(), 1, _LIKENESS)
    return (near[0], 1, known[near[0]]) if near else (word, 1, None)


def _number(kind: str, found: re.Match[str]) -> Any:
    if kind == "bpm":
        return float(found["value"] or found["bare"])
    if kind != "scale":
        return int(found["value"]) if kind == "bars" else found["value"]
    if found["key"]:
        return f"{found['key'].capitalize()}:major"
    root = re.sub(r"[- ]?sharp", "#", found["root"])
    root = re.sub(r"[- ]?flat", "b", root)
    return f"{root.capitalize()}:{word_tables.SCALES[found['scale']]}"
