"""Turn command-line options into a GenerationRequest for one song."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_cli.options.groups import Context, Music
from midigpt_cli.options.settings import given
from midigpt_cli.parse import musical
from midigpt_cli.parse.numbers import whole
from midigpt_cli.parse.selectors import select_bars, select_tracks
from midigpt_cli.parse.words import with_words
from midigpt_core.errors import short
from midigpt_core.fields import nearest, refused
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import DRUM, Score, Track

if TYPE_CHECKING:
    from midigpt_core.attributes.base import Attribute
    from midigpt_core.attributes.table import AttributeTable


@dataclass(frozen=True)
class RequestOptions:
    """What is to be written, and how."""

    targets: Mapping[int, Sequence[int]]  # track -> bars to write, all from 0
    music: Music
    context: Context
    settings: Any  # options.Settings
    autoregressive: bool = False


def build_request(options: RequestOptions, score: Score, table: AttributeTable) -> GenerationRequest:
    """The request for this score. Raises RequestValidationError naming the option."""
    options = replace(options, music=with_words(options.music, score, list(options.targets), table.names))
    draft = _RequestBuilder(options, score, table)
    draft.add_controls()
    draft.add_attributes()
    ignored = set(_tracks(score, options.context.ignore_track, "--ignore-track"))
    hidden = _hidden(options, score)
    prompts = [
        TrackPrompt(
            id=number,
            bars=sorted(options.targets.get(number, ())),
            autoregressive=options.autoregressive and number in options.targets,
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
        **given(options.settings),
        context_drop=_tracks(score, options.context.context_drop, "--context-drop"),
        context_keep=_tracks(score, options.context.context_keep, "--context-keep"),
    )
    music = options.music
    piece = {"velocity": music.velocity, "microtiming": music.microtiming, "genre": music.genre}
    return GenerationRequest(prompts, config, {name: value for name, value in piece.items() if value is not None})


def read_request(file: Path, settings: Any) -> GenerationRequest:
    """The request in a JSON file, or in what `--json` printed for one song; settings on the command line win."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise refused("--request", str(file), f"cannot be read ({short(str(error))})", "give a JSON file") from error
    songs = data.get("songs") if isinstance(data, dict) else None
    if isinstance(songs, list):
        if len(songs) != 1 or not isinstance(songs[0], dict) or "request" not in songs[0]:
            raise refused("--request", str(file), f"reports on {len(songs)} songs", "keep the request of one")
        data = songs[0]["request"]
    return request_of(data, settings)


def request_of(data: dict[str, Any], settings: Any) -> GenerationRequest:
    """The request of its JSON form; settings on the command line win."""
    request = GenerationRequest.from_dict(data)
    return replace(request, config=replace(request.config, **given(settings)))


def _tracks(score: Score, selectors: Iterable[str], option: str) -> list[int]:
    return list(select_tracks(selectors, score, option))


def _hidden(options: RequestOptions, score: Score) -> dict[int, list[int]]:
    hidden: dict[int, set[int]] = {}
    for text in options.context.mask_bars:
        track, _, bars = text.rpartition("/")
        for number in select_tracks([track], score, "--mask-bars") if track else range(len(score.tracks)):
            hidden.setdefault(number, set()).update(select_bars(bars, score.n_bars, "--mask-bars"))
    return {number: sorted(bars - set(options.targets.get(number, ()))) for number, bars in hidden.items()}


def _melodic(track: Track) -> bool:
    return track.track_type != DRUM


def _any(track: Track) -> bool:
    return True


@dataclass
class _RequestBuilder:
    """The controls of each track, as they are put together."""

    options: RequestOptions
    score: Score
    table: AttributeTable
    controls: dict[int, dict[str, Any]] = field(default_factory=dict)
    bar_controls: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict)
    attributes: dict[int, dict[str, int]] = field(default_factory=dict)
    bar_attributes: dict[int, dict[int, dict[str, int]]] = field(default_factory=dict)

    def add_controls(self) -> None:
        """Pitches, rhythm, remix, metre."""
        music = self.options.music
        self._add("--scale", "pitch_mask", music.scale, musical.scale, _melodic)
        self._add("--pitch-range", "pitch_mask", music.pitch_range, musical.pitch_range, _melodic)
        self._add("--pitch-set", "pitch_mask", music.pitch_set, musical.pitch_set, _melodic)
        self._add("--grid", "rhythm_mask", music.grid, musical.grid, _any)
        for number in self.options.targets:
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
            entry = musical.limited(text, read)
            for number in self._meant(option, entry.track, fits):
                mine = self.controls.setdefault(number, {})
                mine[control] = {**mine.get(control, {}), **entry.value}

    def _add_metre(self, entry: musical.Limited) -> None:
        for number, bars in self.options.targets.items():
            if not entry.track:
                self.controls.setdefault(number, {})["time_signature"] = entry.value
                continue
            for bar in self._bars_meant("--time-signature", entry.track, bars):
                self.bar_controls.setdefault(number, {}).setdefault(bar, {})["time_signature"] = entry.value

    def add_attributes(self) -> None:
        """Control tokens of the model."""
        for text in self.options.music.attribute:
            entry = musical.AttributeOption.read(text)
            control = self._control(entry)
            level = _level(control, entry)
            for number in self._meant("--attribute", entry.track, control.applies_to):
                if control.level == "track":
                    self.attributes.setdefault(number, {})[control.name] = level
                    continue
                targets = self.options.targets[number]
                for bar in self._bars_meant("--attribute", entry.bars, targets) if entry.bars else targets:
                    self.bar_attributes.setdefault(number, {}).setdefault(bar, {})[control.name] = level

    def _control(self, entry: musical.AttributeOption) -> Attribute:
        """The control meant: of bars where bars are named; a control of bars is found without its `bar_` too."""
        own, of_bars = self.table.get(entry.name), self.table.get(f"bar_{entry.name}")
        found = own or of_bars
        if found is None:
            raise refused(
                "--attribute", entry.name, "is no control of this model", nearest(entry.name, self.table.names)
            )
        if entry.bars and (own is None or own.level == "track"):
            if of_bars is None:
                raise refused("--attribute", entry.name, "is a control of whole tracks", "leave out the bars")
            return of_bars
        return found

    def _meant(self, option: str, selector: str, fits: Callable[[Track], bool]) -> list[int]:
        """The tracks a value is for: those named, else those it applies to, of the tracks to be written."""
        targets = list(self.options.targets)
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


def _level(control: Attribute, entry: musical.AttributeOption) -> int:
    """The value of a control from its number or its word."""
    number = whole(entry.level)
    if number is None:
        words = [label.lower() for label in control.labels()]
        if entry.level.lower() not in words:
            raise refused(
                f"--attribute {entry.name}", entry.level, "is no level", nearest(entry.level, control.labels())
            )
        number = words.index(entry.level.lower())
    if not 0 <= number < control.size:
        raise refused(f"--attribute {entry.name}", number, "is no level of it", f"use 0 to {control.size - 1}")
    return number
