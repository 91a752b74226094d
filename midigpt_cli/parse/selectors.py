"""Read which bars and tracks are meant: people count both from 1, the library from 0."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from midigpt_cli.parse.instruments import FAMILIES, NAMES, programs_meant
from midigpt_cli.parse.numbers import count
from midigpt_core.errors import RequestValidationError
from midigpt_core.fields import refused
from midigpt_core.score import DRUM, Score, Track

SOUNDING = "tracks that sound in these bars or next to them"
BARS_HELP = (
    "Bars, counted from 1: 4-8, 5,7-9, 17- (to the end), -4- (the last four), 1-16/4 (every fourth), all (to the last "
    "note), 0:10-0:20 (minutes and seconds) or a section of the song (Chorus)."
)
BEATS_HELP = f"{BARS_HELP} 5.3-6.2: from beat 3 of bar 5 to beat 2 of bar 6."
WHERE_HELP = "Only those of the bars that are silent, sounding, dense, sparse or repeated in their track."
TRACK_HELP = (
    "Track number from 1, name or instrument (or part of one), bass, lead, harmony, drums, melodic or all (repeatable)."
)

MOST_NAMED = 12  # tracks in a sentence
_RANGE = re.compile(
    r"(?:(?P<all>all)|(?P<first>\d{1,9}|-\d{1,9}(?=\s*-))\s*(?:(?P<dash>-)\s*(?P<last>-?\d{1,9})?)?)\s*"
    r"(?:/\s*(?P<step>\d{1,9}))?"
)

_GROUPS: Mapping[str, Callable[[Track], bool]] = {
    "all": lambda track: True,
    "drums": lambda track: track.track_type == DRUM,
    "melodic": lambda track: track.track_type != DRUM,
}
_ROLES = {"bass": "bass", "lead": "lead", "melody": "lead", "harmony": "harmony", "chords": "harmony"}


def select_bars(text: str, n_bars: int, option: str = "--bars", heard: int | None = None) -> tuple[int, ...]:
    """The bars, counted from 0 and in order, that a selector means in a song of `n_bars`: "5,7-9", "17-" (to the end),
    "-4-" (the last four), "1-16/4" (the first and every fourth after it).

    `heard`: where "all" ends and where bars from the end are counted, in songs that end in silence.
    Raises RequestValidationError naming `option` for a selector that cannot be read or leaves the song.
    """
    if not n_bars:
        raise refused(option, text, "matches no bar", "the song has none")
    chosen: set[int] = set()
    for part in text.replace("\N{EN DASH}", "-").split(","):
        first, last, step = _range(part.strip().lower(), (n_bars, heard or n_bars), text, option)
        if first > last:
            raise refused(option, text, "runs backwards", f"write {last}-{first}")
        if first < 1 or last > n_bars:
            outside = first if not 1 <= first <= n_bars else last
            raise refused(option, text, f"names bar {outside}", f"the song has bars 1 to {n_bars} (counted from 1)")
        chosen.update(range(first - 1, last, step))
    return tuple(sorted(chosen))


def select_tracks(selectors: Iterable[str], score: Score, option: str = "--track") -> tuple[int, ...]:
    """The tracks, counted from 0, that these selectors mean, in the order they are named and each once.

    A selector is a number from 1, "drums", "melodic", "all", a name in any case, a beginning or part of a name
    that only one track has, or else the instrument, family ("guitar") or part ("bass", "lead", "harmony") of only one.
    Several numbers or words may stand in one, with commas. Raises RequestValidationError.
    """
    chosen: dict[int, None] = {}
    for selector in selectors:
        whole = by_name(selector.strip().lower(), score)
        parts = [selector] if len(whole) == 1 else selector.split(",")
        for part in parts:
            chosen.update(dict.fromkeys(_tracks(part.strip(), score, option)))
    return tuple(chosen)


def select_cells(places: Iterable[str], score: Score, option: str = "--highlight") -> frozenset[tuple[int, int]]:
    """The (track, bar) cells, counted from 0, of places such as "drums:5-8". Raises RequestValidationError."""
    cells: set[tuple[int, int]] = set()
    for place in places:
        track, colon, bars = place.rpartition(":")
        if not colon:
            raise refused(option, place, "has no colon", "write TRACK:BARS, such as drums:5-8")
        tracks = select_tracks([track], score, option)
        cells |= {(t, b) for t in tracks for b in select_bars(bars, score.n_bars, option)}
    return frozenset(cells)


def tracks_to_write(selectors: Sequence[str], score: Score, bars: Sequence[int]) -> tuple[int, ...]:
    """The tracks these selectors mean; without any, those that sound in these bars or the bar before or after one.

    Where none sounds there, all. Raises RequestValidationError.
    """
    if selectors:
        return select_tracks(selectors, score)
    near = {bar + step for bar in bars for step in (-1, 0, 1)}
    heard = (any(track.count_notes(b, b + 1) for b in near if 0 <= b < track.n_bars) for track in score.tracks)
    return tuple(number for number, sounds in enumerate(heard) if sounds) or tuple(range(len(score.tracks)))


def describe_bars(bars: Iterable[int]) -> str:
    """Bars counted from 0 as people say them: "4-8, 12"."""
    ranges: list[list[int]] = []
    for bar in sorted(set(bars)):
        if ranges and ranges[-1][1] == bar - 1:
            ranges[-1][1] = bar
        else:
            ranges.append([bar, bar])
    return ", ".join(str(a + 1) if a == b else f"{a + 1}-{b + 1}" for a, b in ranges)


def describe_track(number: int, score: Score) -> str:
    """A track counted from 0 as people say it: `3 "Bass"`."""
    track = score.tracks[number]
    name = track.name.strip() or ("drums" if track.track_type == DRUM else "")
    return f'{number + 1} "{name}"' if name else str(number + 1)


def describe_tracks(numbers: Sequence[int], score: Score) -> str:
    """Tracks counted from 0 as people say them: `3 "Bass", 4 "Drums"`; where they are many, how many."""
    if len(numbers) > MOST_NAMED:
        return f"{len(numbers)} of {len(score.tracks)} tracks"
    return ", ".join(describe_track(number, score) for number in numbers)


def _described(number: int, score: Score) -> str:
    """The same with its instrument: `3 "Bass" (Acoustic Bass)`."""
    track = score.tracks[number]
    if track.track_type == DRUM:
        return describe_track(number, score)
    return f"{describe_track(number, score)} ({NAMES[track.instrument]})"


def _range(part: str, ends: tuple[int, int], text: str, option: str) -> tuple[int, int, int]:
    """First bar, last bar and step; `ends`: the number of bars, and that of those up to the last note."""
    found = _RANGE.fullmatch(part)
    if found is None:
        raise refused(option, text, "is not a range of bars", "write 4-8, or 5,7-9, or 17- (to the end), or all")
    n_bars, heard = ends
    step = int(found["step"] or 1)
    if step < 1:
        raise refused(option, text, "steps by 0 bars", "write 1-16/4 for every fourth bar")
    if found["all"]:
        return 1, heard, step
    first, last = (_counted(found[name], heard) for name in ("first", "last"))
    if last is None:
        last = max(first or 1, heard if found["first"].startswith("-") else n_bars) if found["dash"] else first
    return first or 0, last or 0, step


def _counted(word: str | None, heard: int) -> int | None:
    """A bar from 1; below 0, it is counted from the last one that is heard."""
    number = int(word) if word else None
    return heard + 1 + number if number is not None and number < 0 else number


def _tracks(word: str, score: Score, option: str) -> Sequence[int]:
    tracks, selector = score.tracks, word.lower()
    number = count(selector)
    if number is not None and 1 <= number <= len(tracks):
        return [number - 1]
    named = by_name(selector, score) if selector else []
    if len(named) == 1 and tracks[named[0]].name.strip().lower() == selector:
        return named
    if selector in _GROUPS:
        found = [number for number, track in enumerate(tracks) if _GROUPS[selector](track)]
        if not found:
            raise refused(option, word, "matches no track", f"the song has {_listed(range(len(tracks)), score)}")
        return found
    named = named or (_by_sound(selector, score) if selector else [])
    if len(named) > 1:
        raise refused(option, word, f"could mean track {_listed(named, score, ' or ')}", "give the number")
    if not named:
        raise _unknown(word, score, option)
    return named


def is_group(word: str, score: Score) -> bool:
    """Whether a word stands for a kind of tracks, and the score has some."""
    return word in _GROUPS and any(map(_GROUPS[word], score.tracks))


def by_name(selector: str, score: Score) -> list[int]:
    """The tracks whose name is `selector`, else (a number aside) begins with it, else holds it."""
    names = [track.name.strip().lower() for track in score.tracks]
    tests: tuple[Callable[[str], bool], ...] = (
        lambda name: name == selector,
        lambda name: name.startswith(selector),
        lambda name: selector in name,
    )
    for test in tests[:1] if selector.isdecimal() else tests:
        found = [number for number, name in enumerate(names) if name and test(name)]
        if found:
            return found
    return []


def _by_sound(selector: str, score: Score) -> list[int]:
    """The tracks of an instrument or family called `selector`, else those that play such a part."""
    melodic = [number for number, track in enumerate(score.tracks) if track.track_type != DRUM]
    for programs in programs_meant(selector):
        found = [number for number in melodic if score.tracks[number].instrument in programs]
        if found:
            return found
    if selector not in _ROLES:
        return []
    from midigpt_core.plan.roles import role

    return [number for number in melodic if role(score.tracks[number], 0, score.n_bars) == _ROLES[selector]]


def _unknown(word: str, score: Score, option: str) -> RequestValidationError:
    if word.isdecimal():
        count = len(score.tracks)
        return refused(option, word, "is not a track", f"the song has tracks 1 to {count} (counted from 1)")
    names = {track.name.strip().lower(): number for number, track in enumerate(score.tracks) if track.name.strip()}
    there = [family for family in FAMILIES if _by_sound(family, score)]
    near = difflib.get_close_matches(word.lower(), [*names, *_GROUPS, *there], 1)
    if near:
        meant = describe_track(names[near[0]], score) if near[0] in names else near[0]
        return refused(option, word, "is not a track", f"did you mean {meant}?")
    return refused(option, word, "is not a track", f"the song has {_listed(range(len(score.tracks)), score)}")


def _listed(numbers: Iterable[int], score: Score, joint: str = ", ") -> str:
    listed = [_described(number, score) for number in numbers]
    return joint.join(listed[:MOST_NAMED]) + (", ..." if len(listed) > MOST_NAMED else "") if listed else "no tracks"
