"""Turn what was asked on the command line into a GenerationRequest for one song."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_cli.options.groups import Context, Music
from midigpt_cli.options.settings import given
from midigpt_cli.parse import musical
from midigpt_cli.parse.selectors import select_bars, select_tracks
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt, nearest, refused
from midigpt_core.score import DRUM, Score, Track

if TYPE_CHECKING:
    from midigpt_core.attributes.base import Control
    from midigpt_core.attributes.table import AttributeTable


@dataclass(frozen=True)
class Wishes:
    """What is to be written, and how."""

    targets: Mapping[int, Sequence[int]]  # track -> bars to write, all from 0
    music: Music
    context: Context
    settings: Any  # options.Settings
    autoregressive: bool = False


def build_request(wishes: Wishes, score: Score, table: AttributeTable) -> GenerationRequest:
    """The request for this score. Raises RequestValidationError naming the option."""
    draft = _Draft(wishes, score, table)
    draft.add_controls()
    draft.add_attributes()
    ignored = set(_tracks(score, wishes.context.ignore_track, "--ignore-track"))
    hidden = _hidden(wishes, score)
    prompts = [
        TrackPrompt(
            id=number,
            bars=sorted(wishes.targets.get(number, ())),
            autoregressive=wishes.autoregressive and number in wishes.targets,
            ignore=number in ignored,
            mask_bars=hidden.get(number, []),
            attributes=draft.attributes.get(number, {}),
            controls=draft.controls.get(number, {}),
            bar_attributes=draft.bar_attributes.get(number, {}),
            bar_controls=draft.bar_controls.get(number, {}),
        )
        for number in range(len(score.tracks))
    ]
    config = InferenceConfig(
        **given(wishes.settings),
        context_drop=_tracks(score, wishes.context.context_drop, "--context-drop"),
        context_keep=_tracks(score, wishes.context.context_keep, "--context-keep"),
    )
    music = wishes.music
    piece = {"velocity": music.velocity, "microtiming": music.microtiming, "genre": music.genre}
    return GenerationRequest(prompts, config, {name: value for name, value in piece.items() if value is not None})


def read_request(file: Path, settings: Any) -> GenerationRequest:
    """The request in a JSON file, or in what `--json` printed for one song; settings on the command line win."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise refused("--request", str(file), f"cannot be read ({error})", "give a JSON file") from error
    songs = data.get("songs") if isinstance(data, dict) else None
    if isinstance(songs, list):
        if len(songs) != 1 or not isinstance(songs[0], dict) or "request" not in songs[0]:
            raise refused("--request", str(file), f"reports on {len(songs)} songs", "keep the request of one")
        data = songs[0]["request"]
    request = GenerationRequest.from_dict(data)
    return replace(request, config=replace(request.config, **given(settings)))


def _tracks(score: Score, selectors: Iterable[str], option: str) -> list[int]:
    return list(select_tracks(selectors, score, option))


def _hidden(wishes: Wishes, score: Score) -> dict[int, list[int]]:
    hidden: dict[int, set[int]] = {}
    for text in wishes.context.mask_bars:
        track, _, bars = text.rpartition("/")
        for number in select_tracks([track], score, "--mask-bars") if track else range(len(score.tracks)):
            hidden.setdefault(number, set()).update(select_bars(bars, score.n_bars, "--mask-bars"))
    return {number: sorted(bars - set(wishes.targets.get(number, ()))) for number, bars in hidden.items()}


def _melodic(track: Track) -> bool:
    return track.track_type != DRUM


def _any(track: Track) -> bool:
    return True


@dataclass
class _Draft:
    """The controls of each track, as they are put together."""

    wishes: Wishes
    score: Score
    table: AttributeTable
    controls: dict[int, dict[str, Any]] = field(default_factory=dict)
    bar_controls: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict)
    attributes: dict[int, dict[str, int]] = field(default_factory=dict)
    bar_attributes: dict[int, dict[int, dict[str, int]]] = field(default_factory=dict)

    def add_controls(self) -> None:
        """Pitches, rhythm, remix, metre."""
        music = self.wishes.music
        self._add("--scale", "pitch_mask", music.scale, musical.scale, _melodic)
        self._add("--pitch-range", "pitch_mask", music.pitch_range, musical.pitch_range, _melodic)
        self._add("--pitch-set", "pitch_mask", music.pitch_set, musical.pitch_set, _melodic)
        self._add("--grid", "rhythm_mask", music.grid, musical.grid, _any)
        for number in self.wishes.targets:
            if music.rhythm_lock:
                self.controls.setdefault(number, {})["rhythm_lock"] = True
            if music.remix is not None:
                self.controls.setdefault(number, {})["remix"] = musical.remix(music.remix)
        for text in music.time_signature:
            self._add_metre(musical.time_signature(text))

    def _add(
        self, option: str, control: str, texts: list[str], read: Callable[[str], Any], fits: Callable[[Track], bool]
    ) -> None:
        for text in texts:
            wish = musical.limited(text, read)
            for number in self._meant(option, wish.track, fits):
                mine = self.controls.setdefault(number, {})
                mine[control] = {**mine.get(control, {}), **wish.value}

    def _add_metre(self, wish: musical.Limited) -> None:
        for number, bars in self.wishes.targets.items():
            if not wish.track:
                self.controls.setdefault(number, {})["time_signature"] = wish.value
                continue
            for bar in self._bars_meant("--time-signature", wish.track, bars):
                self.bar_controls.setdefault(number, {}).setdefault(bar, {})["time_signature"] = wish.value

    def add_attributes(self) -> None:
        """Control tokens of the model."""
        for text in self.wishes.music.attribute:
            wish = musical.Attribute.read(text)
            control = self._control(wish)
            level = _level(control, wish)
            for number in self._meant("--attribute", wish.track, control.applies_to):
                if control.level == "track":
                    self.attributes.setdefault(number, {})[control.name] = level
                    continue
                targets = self.wishes.targets[number]
                for bar in self._bars_meant("--attribute", wish.bars, targets) if wish.bars else targets:
                    self.bar_attributes.setdefault(number, {}).setdefault(bar, {})[control.name] = level

    def _control(self, wish: musical.Attribute) -> Control:
        """The control meant: of bars where bars are named; a control of bars is found without its `bar_` too."""
        own, of_bars = self.table.get(wish.name), self.table.get(f"bar_{wish.name}")
        if own is None and of_bars is None:
            raise refused("--attribute", wish.name, "is no control of this model", nearest(wish.name, self.table.names))
        if wish.bars and (own is None or own.level == "track"):
            if of_bars is None:
                raise refused("--attribute", wish.name, "is a control of whole tracks", "leave out the bars")
            return of_bars
        return own or of_bars  # type: ignore[return-value]

    def _meant(self, option: str, selector: str, fits: Callable[[Track], bool]) -> list[int]:
        """The tracks a value is for: those named, else those it applies to, of the tracks to be written."""
        targets = list(self.wishes.targets)
        if not selector:
            found = [number for number in targets if fits(self.score.tracks[number])]
            if not found:
                raise refused(option, None, "applies to none of the tracks to be written", "drop it or choose tracks")
            return found
        found = list(select_tracks([selector], self.score, option))
        for number in found:
            if number not in targets:
                raise refused(option, selector, "is not among the tracks to be written", "name it with --track too")
        return found

    def _bars_meant(self, option: str, selector: str, targets: Sequence[int]) -> list[int]:
        bars = list(select_bars(selector, self.score.n_bars, option))
        outside = sorted(bar + 1 for bar in set(bars) - set(targets))
        if outside:
            raise refused(option, selector, f"speaks of bar {outside[0]}, which is not written", "add it to --bars")
        return bars


def _level(control: Control, wish: musical.Attribute) -> int:
    """The value of a control from its number or its word."""
    if wish.level.lstrip("-").isdecimal():
        number = int(wish.level)
    else:
        words = [label.lower() for label in control.labels()]
        if wish.level.lower() not in words:
            raise refused(f"--attribute {wish.name}", wish.level, "is no level", nearest(wish.level, control.labels()))
        number = words.index(wish.level.lower())
    if not 0 <= number < control.size:
        raise refused(f"--attribute {wish.name}", number, "is no level of it", f"use 0 to {control.size - 1}")
    return number
