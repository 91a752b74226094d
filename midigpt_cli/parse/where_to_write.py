"""Read where to write, as people say it: bars, beats, minutes and seconds, sections by name, and what is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from midigpt_cli.parse.bar_content import WHAT
from midigpt_cli.parse.selectors import describe_bars, select_bars
from midigpt_core.errors import RequestValidationError
from midigpt_core.fields import nearest, refused
from midigpt_core.midi_file.sections import Section, bar_times, sections
from midigpt_core.score import Bar, Score

MOST_NAMED = 12  # sections in a sentence
_PARTS = re.compile(r'\s*("[^"]*"[^,]*|[^,]+)\s*(?:,|$)')
_BEATS = re.compile(r"(\d{1,6})\.(\d{1,4})(?:\s*-\s*(\d{1,6})\.(\d{1,4}))?")
_TIME = r"(\d{1,4}):(\d{1,2}(?:\.\d{1,6})?)"
_CLOCK = re.compile(rf"{_TIME}\s*-\s*(?:{_TIME})?")
_NUMBERS = re.compile(r"\s*|all\s*(/.*)?|[\d-].*")
_NAME = re.compile(r'"?(?P<name>[^"]+?)"?\s*(?:#(?P<which>\d{1,4}))?\s*(?:/(?P<step>\d{1,4}))?')
_WHERE = re.compile(r"(.*\S)\s+where\s+(\w+)\s*", re.IGNORECASE)

Span = tuple[float, float]  # quarter notes from the beginning of a bar


@dataclass(frozen=True)
class Selection:
    """Bars, from 0 and in order; `spans`: the part of a bar that is meant, where it is not all of it; `what`: only the
    bars of a track where that is to be found."""

    bars: tuple[int, ...]
    spans: Mapping[int, Span] = field(default_factory=dict)
    what: str = ""

    def by_track(self, tracks: Sequence[int], score: Score, option: str = "--where") -> dict[int, Sequence[int]]:
        """The bars of each of these tracks, without tracks that have none. Raises RequestValidationError for none."""
        if not self.what:
            return dict.fromkeys(tracks, self.bars)
        there = {number: WHAT[self.what](score.tracks[number], score.resolution) for number in tracks}
        found = {number: tuple(bar for bar in self.bars if bar in there[number]) for number in tracks}
        found = {number: bars for number, bars in found.items() if bars}
        if not found:
            raise refused(option, self.what, "matches no bar there", "name other bars or tracks")
        return {**found}


def select_places(text: str, score: Score, option: str = "--bars", where: str | None = None) -> Selection:
    """What a selector means in a song: "5-8", "-4-", "1-16/4", "5.3-6.2", "0:10-0:20" or "Chorus"; several with commas
    between them; " where silent" may follow, unless `where` says it.

    Raises RequestValidationError naming `option` for what cannot be read or is not in the song.
    """
    split = _WHERE.fullmatch(text)
    text, what = (split[1], split[2]) if split else (text, "")
    what = (what if where is None else where).strip().lower()
    if what and what not in WHAT:
        raise refused(option if where is None else "--where", what, "is not known", nearest(what, WHAT))
    whole: set[int] = set()
    spans: dict[int, Span] = {}
    for part in [part.strip() for part in _PARTS.findall(text)] or [text]:
        for bar, span in _part(part, text, score, option).items():
            if span is None:
                whole.add(bar)
            else:
                begin, end = spans.get(bar, span)
                spans[bar] = min(begin, span[0]), max(end, span[1])
    partly = {bar: span for bar, span in spans.items() if bar not in whole}
    return Selection(tuple(sorted({*whole, *spans})), partly, what)


def placed(data: Any, score: Score | None) -> Any:
    """A request in its JSON form, where bars that a track names in words ("Chorus", "5.3-6.2", "all where silent") are
    numbers; without a score they are none. Raises RequestValidationError."""
    tracks = data.get("tracks") if isinstance(data, dict) else None
    if not isinstance(tracks, list) or not any(isinstance(t, dict) and isinstance(t.get("bars"), str) for t in tracks):
        return data
    return {**data, "tracks": [_track_placed(track, f"tracks[{i}]", score) for i, track in enumerate(tracks)]}


def _track_placed(track: Any, where: str, score: Score | None) -> Any:
    if not isinstance(track, dict) or not isinstance(track.get("bars"), str):
        return track
    number: Any = track.get("id")
    held = track.get("bar_controls", {})
    if score is None or number not in range(len(score.tracks)) or not isinstance(held, dict):
        return {**track, "bars": []}
    places = select_places(track["bars"], score, f"{where}.bars")
    bars = list(places.by_track([number], score, f"{where}.bars")[number])
    spans = {str(bar): {"span": list(span)} for bar, span in places.spans.items() if bar in bars}
    held = {**held, **{bar: {**held.get(bar, {}), **span} for bar, span in spans.items()}}
    return {**track, "bars": bars, "bar_controls": held}


def select_whole_bars(text: str, score: Score, option: str = "--bars") -> tuple[int, ...]:
    """The same for those who need whole bars: a part of one stands for all of it. Raises RequestValidationError."""
    return select_places(text, score, option, "").bars


def _part(part: str, text: str, score: Score, option: str) -> dict[int, Span | None]:
    """The bars of one part of a selector, each with the span that is meant; None: all of it."""
    word = part.replace("\N{EN DASH}", "-").lower()
    if beats := _BEATS.fullmatch(word):
        return _by_beat(beats, text, score, option)
    if clock := _CLOCK.fullmatch(word):
        return dict.fromkeys(_by_time(clock, text, score, option))
    if not _NUMBERS.fullmatch(word) or (word[:1].isdigit() and _section(part, sections(score))):
        return dict.fromkeys(_by_name(part, sections(score), option))
    return dict.fromkeys(select_bars(word, score.n_bars, option, score.heard_bars))


def _by_beat(found: re.Match[str], text: str, score: Score, option: str) -> dict[int, Span | None]:
    first, beat = int(found[1]), int(found[2])
    last, stop = (first, beat) if found[3] is None else (int(found[3]), int(found[4]))
    bars = max((track.bars for track in score.tracks), key=len, default=[])
    for bar, number in ((first, beat), (last, stop)):
        if not 1 <= bar <= len(bars):
            raise refused(option, text, f"names bar {bar}", f"the song has bars 1 to {len(bars)} (counted from 1)")
        if not 1 <= number <= bars[bar - 1].ts_numerator:
            beats = bars[bar - 1].ts_numerator
            raise refused(option, text, f"names beat {number}", f"bar {bar} has beats 1 to {beats}")
    if (last, stop) < (first, beat):
        raise refused(option, text, "runs backwards", f"say {last}.{stop}-{first}.{beat}")
    spans: dict[int, Span | None] = {}
    for place in range(first - 1, last):
        here = bars[place]
        begin = (beat - 1) * _beat(here) if place == first - 1 else 0.0
        end = stop * _beat(here) if place == last - 1 else here.beat_length
        spans[place] = None if begin <= 0 and end >= here.beat_length else (begin, min(end, here.beat_length))
    return spans


def _beat(bar: Bar) -> float:
    """Quarter notes of a beat."""
    return 4.0 / bar.ts_denominator


def _by_time(found: re.Match[str], text: str, score: Score, option: str) -> list[int]:
    """The bars of which more than half lies there."""
    times = bar_times(score)
    begin = 60.0 * int(found[1]) + float(found[2])
    end = 60.0 * int(found[3]) + float(found[4]) if found[3] else times[-1]
    bars = [bar for bar, (a, b) in enumerate(pairwise(times)) if begin <= (a + b) / 2 < end]
    if not bars:
        length = f"{int(times[-1] // 60)}:{times[-1] % 60:04.1f}"
        raise refused(option, text, "covers no more than half of any bar", f"the song lasts {length}; say 0:10-0:20")
    return bars


def _by_name(part: str, there: Sequence[Section], option: str) -> Sequence[int]:
    """The bars of a section: NAME, NAME#2 for the second of that name, NAME/2 for every second bar of it."""
    found, step = _section(part, there), 1
    if not found and (split := _NAME.fullmatch(part)):
        found, step = _section(split["name"], there), int(split["step"] or 1)
        which = int(split["which"] or 0)
        found = found[which - 1 : which] if which else found
    if len(found) > 1:
        listed = _listed(found, " or ")
        raise refused(option, part, f"may be {listed}", f"name its bars, or write {part}#2 for the second")
    if not found or step < 1:
        raise _no_section(part, there, option)
    return range(found[0].first, found[0].end, step)


def _section(word: str, there: Sequence[Section]) -> list[Section]:
    """The sections of this name, else those whose name begins with it, else those that hold it."""
    word = word.strip(' "').lower()
    tests: tuple[Callable[[str], bool], ...] = (
        lambda name: name == word,
        lambda name: not word[0].isdigit() and name.startswith(word),
        lambda name: not word[0].isdigit() and word in name,
    )
    for test in tests if word else ():
        found = [section for section in there if test(section.name.lower())]
        if found:
            return found
    return []


def _no_section(part: str, there: Sequence[Section], option: str) -> RequestValidationError:
    if there:
        return refused(option, part, "is not a section of this song", f"it has {_listed(there, ', ')}")
    remedy = "say 4-8, or 5,7-9, or 17- (to the end), or all"
    return refused(option, part, "is not a range of bars, and the song names no sections", remedy)


def _listed(found: Sequence[Section], joint: str) -> str:
    words = [f"{each.name} (bar{'s' * (each.end > each.first + 1)} {_bars(each)})" for each in found]
    return joint.join(words[:MOST_NAMED]) + (", ..." if len(words) > MOST_NAMED else "")


def _bars(section: Section) -> str:
    return describe_bars(range(section.first, section.end))
