"""The options that hold notes to something: how each is read, and the control of a request that it comes to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from midigpt_cli.options.dataclass_options import option_of
from midigpt_cli.options.music_options import Music
from midigpt_cli.parse import control_values
from midigpt_cli.parse.numbers import count
from midigpt_cli.parse.scoped_values import VALUE, Limited, Meant, any_track, drums, melodic
from midigpt_core.chords import chord_of
from midigpt_core.fields import refused
from midigpt_core.score import Track

Values = dict[str, Any]  # by the name of the control
_PITCHES = ("pitches", "pitch_classes", "scale", "root")  # ways to say which pitches; one replaces the other

_SHARES = r"[a-z]+(?::[\d.]+)?(?:,[a-z]+:[\d.]+)*"  # steps:0.6,leaps:0.2


@dataclass(frozen=True)
class ControlOption:
    """One option, and the control it sets."""

    field: str  # of Music
    option: str
    control: str
    read: Callable[[str], Any]
    fits: Callable[[Track], bool] = any_track  # the tracks it applies to, where none is named
    shape: str = VALUE  # of a value, see Limited


CONTROL_OPTIONS = (
    ControlOption("scale", "--scale", "pitch_mask", control_values.scale, melodic),
    ControlOption("pitch_range", "--pitch-range", "pitch_mask", control_values.pitch_range, melodic),
    ControlOption("pitch_set", "--pitch-set", "pitch_mask", control_values.pitch_set, melodic),
    ControlOption("grid", "--grid", "rhythm_mask", control_values.grid),
    ControlOption("rhythm_lock", "--rhythm-lock", "rhythm_lock", control_values.rhythm_lock),
    ControlOption("fill", "--fill", "fill", control_values.fill, drums),
    ControlOption("swing", "--swing", "swing", control_values.swing),
    ControlOption("syncopation", "--syncopation", "syncopation", control_values.syncopation, melodic),
    ControlOption("remix", "--remix", "remix", control_values.remix, shape=r"[\d.]+(?::\w+)?"),
    ControlOption("chord_strength", "--chord-strength", "chord_strength", control_values.strength, melodic),
    ControlOption("humanise", "--humanise", "humanise", control_values.humanise),
    ControlOption("motion", "--motion", "motion", control_values.motion, melodic, _SHARES),
    ControlOption("contour", "--contour", "contour", control_values.contour, melodic),
    ControlOption("keep_range", "--keep-range", "keep_range", control_values.keep_range, melodic),
    ControlOption("keep_contour", "--keep-contour", "keep_contour", control_values.keep_contour, melodic),
    ControlOption(
        "time_signature", "--time-signature", "time_signature", control_values.time_signature, shape=r"\d+/\d+"
    ),
)


CHORDS = ControlOption("chords", "--chords", "chords", control_values.chords, melodic)
RHYTHM_FROM = ControlOption("rhythm_from", "--rhythm-from", "rhythm_from", str)
VELOCITY = ControlOption("velocity", "--velocity", "velocity", control_values.velocity)
_CHORD = re.compile(r"(?:(?P<track>[^:]+)/)?(?P<bars>\d[\d,-]*):(?P<value>.+)|(?:(?P<own>[^:]+)/)?(?P<word>[A-Zhf].*)")


def chord_entries(text: str, meant: Meant) -> list[Limited]:
    """The chords of "5:Am 6:F,G bass/7:C/E", of "heard" or "file", or of "Am F C G" for the bars one after another."""
    found = [_chord_entry(word) for word in re.split(r"[\s|]+", text) if word]
    if not found:
        raise refused("--chords", text, "names no chord", "write 'Am F C/E G7', 5:Am,F or bass/5-8:Am")
    if len(found) > 1 and all(not entry.bars for entry in found):
        bars = sorted({bar for mine in meant.targets.values() for bar in mine})
        track = found[0].track
        return [Limited(track, str(bar + 1), found[i % len(found)].value) for i, bar in enumerate(bars)]
    return found


def _chord_entry(word: str) -> Limited:
    if chord_of(word) is not None:  # C/E is no track C
        return Limited("", "", word)
    found = _CHORD.fullmatch(word)
    if found is None:
        raise refused("--chords", word, "cannot be read", "write 'Am F C/E G7', 5:Am,F or bass/5-8:Am")
    track, value = found["track"] or found["own"] or "", found["value"] or found["word"]
    return Limited(track, found["bars"] or "", control_values.chords(value))


@dataclass
class Controls:
    """The controls of each track and of its bars, as they are put together."""

    meant: Meant
    of_tracks: dict[int, Values] = field(default_factory=dict)
    of_bars: dict[int, dict[int, Values]] = field(default_factory=dict)

    def add(self, music: Music, limits: Mapping[str, Sequence[Limited]]) -> None:
        """All that was given: first what is for whole tracks, then what is for single bars and wins there.

        limits: values of settings that are for some tracks or bars, by setting.
        """
        rows = [
            (row, Limited.read(text, row.read, row.shape))
            for row in CONTROL_OPTIONS
            for text in getattr(music, row.field)
        ]
        own = [(ControlOption("", option_of(name), name, count), entry) for name in limits for entry in limits[name]]
        chords = chord_entries(" ".join(music.chords), self.meant) if music.chords else []
        named = [(CHORDS, entry) for entry in chords]
        loud = [
            (VELOCITY, Limited.read(text, VELOCITY.read))
            for text in music.velocity
            if not control_values.is_switch(text)
        ]
        source = partial(control_values.rhythm_from, score=self.meant.score)
        called = [(RHYTHM_FROM, Limited.read(text, source)) for text in music.rhythm_from]
        self._place([*rows, *named, *loud, *called, *own])

    def limit(self, spans: Mapping[int, tuple[float, float]]) -> None:
        """Of these bars, only a part is written."""
        for number, bars in self.meant.targets.items():
            for bar in set(bars) & spans.keys():
                self.of_bars.setdefault(number, {}).setdefault(bar, {})["span"] = list(spans[bar])

    def _place(self, rows: Sequence[tuple[ControlOption, Limited]]) -> None:
        for row, entry in rows:
            if not entry.bars:
                for number in self.meant.tracks(row.option, entry.track, row.fits):
                    _put(self.of_tracks.setdefault(number, {}), row.control, entry.value)
        for row, entry in rows:
            for number in self.meant.tracks(row.option, entry.track, row.fits) if entry.bars else ():
                for bar in self.meant.bars(row.option, entry.bars, number):
                    mine = self.of_bars.setdefault(number, {}).setdefault(bar, {})
                    if row.control not in mine:
                        mine |= _inherited(self.of_tracks.get(number, {}), row.control, entry.value)
                    _put(mine, row.control, entry.value)


def _put(values: Values, control: str, value: Any) -> None:
    values[control] = {**values.get(control, {}), **value} if isinstance(value, dict) else value


def _inherited(whole: Values, control: str, value: Any) -> Values:
    """What a bar takes over from its track beside a value of its own: the range of a pitch mask, or its pitches."""
    if control != "pitch_mask":
        return {}
    mask: Mapping[str, Any] = whole.get(control, {})
    replaced = _PITCHES if any(key in value for key in _PITCHES) else ()
    kept = {key: each for key, each in mask.items() if key not in replaced}
    return {control: kept} if kept else {}
