"""The one grammar of options, [TRACK/][BARS:]VALUE: a value for some tracks and bars, or for all that are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midigpt_cli.parse.selectors import select_bars, select_tracks
from midigpt_core.fields import refused
from midigpt_core.score import DRUM, Score, Track

VALUE = r"[^/]+"  # what a value looks like, unless an option says otherwise
_BARS = r"[\d,\s\N{EN DASH}-]*\d[\d,\s\N{EN DASH}-]*"
_GRAMMAR = r"\s*(?:(?P<track>.+)/)?(?:(?P<bars>{bars}):)?(?P<value>{shape})\s*"


@dataclass(frozen=True)
class Limited:
    """A value, and the selectors of the tracks and bars it is for ("" for all to which it applies)."""

    track: str
    bars: str
    value: Any

    @classmethod
    def read(cls, text: str, read: Callable[[str], Any], shape: str = VALUE) -> Limited:
        """[TRACK/][BARS:]VALUE, with the value read by `read`; `shape`: a pattern that tells a value from the rest."""
        found = re.fullmatch(_GRAMMAR.format(bars=_BARS, shape=shape), text)
        if found is None:  # the reader says what is wrong with it
            return cls("", "", read(text))
        return cls(found["track"] or "", found["bars"] or "", read(found["value"]))


def melodic(track: Track) -> bool:
    """Whether a track plays pitches."""
    return track.track_type != DRUM


def drums(track: Track) -> bool:
    """Whether a track plays drums."""
    return track.track_type == DRUM


def any_track(track: Track) -> bool:
    """Every track will do."""
    return True


@dataclass(frozen=True)
class Meant:
    """What selectors mean among the bars to be written."""

    targets: Mapping[int, Sequence[int]]  # track -> bars to write, all from 0
    score: Score

    def tracks(self, option: str, selector: str, fits: Callable[[Track], bool]) -> list[int]:
        """The tracks a value is for: those named, else those it applies to, of the tracks to be written."""
        tracks = self.score.tracks
        if not selector:
            found = [number for number in self.targets if fits(tracks[number])]
            if not found:
                raise refused(
                    option, None, "applies to none of the tracks to be written", "drop it, or choose other tracks"
                )
            return found
        named = list(select_tracks([selector], self.score, option))
        if any(number not in self.targets for number in named):
            raise refused(option, selector, "is not among the tracks to be written", "name it with --track too")
        return [number for number in named if fits(tracks[number])] or named

    def bars(self, option: str, selector: str, track: int) -> Sequence[int]:
        """The bars of a track that a value is for: those named, else all that are written."""
        if not selector:
            return self.targets[track]
        bars = select_bars(selector, self.score.n_bars, option)
        outside = sorted(bar + 1 for bar in set(bars) - set(self.targets[track]))
        if outside:
            raise refused(option, selector, f"names bar {outside[0]}, which is not written", "add it to --bars")
        return bars
