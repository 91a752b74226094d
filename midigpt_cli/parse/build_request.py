"""Turn command-line options into a GenerationRequest for one song."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_cli.options.dataclass_options import LIMITED, given, option_of
from midigpt_cli.options.music_options import Music
from midigpt_cli.options.shared_options import Context
from midigpt_cli.parse import control_values
from midigpt_cli.parse.control_options import Controls
from midigpt_cli.parse.numbers import count, whole
from midigpt_cli.parse.prompt_options import with_words
from midigpt_cli.parse.scoped_values import Limited, Meant
from midigpt_cli.parse.selectors import select_tracks
from midigpt_cli.parse.where_to_write import placed, select_whole_bars
from midigpt_core.errors import short
from midigpt_core.fields import nearest, refused
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import Score

if TYPE_CHECKING:
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.attributes.base import Attribute


@dataclass(frozen=True)
class RequestOptions:
    """What is to be written, and how."""

    targets: Mapping[int, Sequence[int]]  # track -> bars to write, all from 0
    music: Music
    context: Context
    settings: Any  # options.Settings
    spans: Mapping[int, tuple[float, float]] = field(default_factory=dict)  # by bar: the part of it that is written
    autoregressive: bool = False


def build_request(options: RequestOptions, score: Score, table: AttributeTable) -> GenerationRequest:
    """The request for this score. Raises RequestValidationError naming the option."""
    options = replace(options, music=with_words(options.music, score, list(options.targets), table.names))
    meant = Meant(options.targets, score)
    settings, limits = _split(options.settings)
    controls, attributes = Controls(meant), _Attributes(meant, table)
    controls.add(options.music, limits)
    controls.limit(options.spans)
    attributes.add(options.music.attribute)
    ignored = set(_tracks(score, options.context.ignore_track, "--ignore-track"))
    hidden = _hidden(options, score)
    prompts = [
        TrackPrompt(
            id=number,
            bars=sorted(options.targets.get(number, ())),
            autoregressive=options.autoregressive and number in options.targets,
            ignore=number in ignored,
            mask_bars=hidden.get(number, []),
            attributes=attributes.of_tracks.get(number, {}),
            controls=controls.of_tracks.get(number, {}),
            bar_attributes=attributes.of_bars.get(number, {}),
            bar_controls=controls.of_bars.get(number, {}),
        )
        for number in range(len(score.tracks))
    ]
    config = InferenceConfig(
        **given(settings),
        context_drop=_tracks(score, options.context.context_drop, "--context-drop"),
        context_keep=_tracks(score, options.context.context_keep, "--context-keep"),
    )
    music = options.music
    piece = {
        "velocity": control_values.switched(music.velocity),
        "microtiming": music.microtiming,
        "genre": music.genre,
    }
    return GenerationRequest(prompts, config, {name: value for name, value in piece.items() if value is not None})


def _split(settings: Any) -> tuple[Any, dict[str, list[Limited]]]:
    """The settings without the values that are for some tracks or bars alone, and those."""
    plain: dict[str, list[str]] = {}
    limits: dict[str, list[Limited]] = {}
    for name in sorted(LIMITED):
        for text in getattr(settings, name):
            entry = Limited.read(text, _count_of(name))
            if entry.track or entry.bars:
                limits.setdefault(name, []).append(entry)
            else:
                plain.setdefault(name, []).append(text)
    return replace(settings, **{name: plain.get(name, []) for name in limits}), limits


def _count_of(name: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = count(text)
        if number is None:
            raise refused(option_of(name), text, "is not a whole number", "use one from 0, or bass/5:8 for some bars")
        return number

    return read


def read_request(file: Path) -> Any:
    """The request in a JSON file, or in what `--json` printed for one song, in its JSON form."""
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise refused("--request", str(file), f"cannot be read ({short(str(error))})", "give a JSON file") from error
    songs = data.get("songs") if isinstance(data, dict) else None
    if isinstance(songs, list):
        if len(songs) != 1 or not isinstance(songs[0], dict) or "request" not in songs[0]:
            raise refused("--request", str(file), f"reports on {len(songs)} songs", "keep the request of one")
        data = songs[0]["request"]
    return data


def request_of(data: dict[str, Any], settings: Any, score: Score | None = None) -> GenerationRequest:
    """The request of its JSON form, for a score (without one, bars in words are none); settings on the command line
    win."""
    request = GenerationRequest.from_dict(placed(data, score))
    return replace(request, config=replace(request.config, **given(settings)))


def _tracks(score: Score, selectors: Iterable[str], option: str) -> list[int]:
    return list(select_tracks(selectors, score, option))


def _hidden(options: RequestOptions, score: Score) -> dict[int, list[int]]:
    hidden: dict[int, set[int]] = {}
    for text in options.context.mask_bars:
        track, _, bars = text.rpartition("/")
        for number in select_tracks([track], score, "--mask-bars") if track else range(len(score.tracks)):
            hidden.setdefault(number, set()).update(select_whole_bars(bars, score, "--mask-bars"))
    return {number: sorted(bars - set(options.targets.get(number, ()))) for number, bars in hidden.items()}


@dataclass
class _Attributes:
    """The attribute values of each track and of its bars, as they are put together."""

    meant: Meant
    table: AttributeTable
    of_tracks: dict[int, dict[str, int]] = field(default_factory=dict)
    of_bars: dict[int, dict[int, dict[str, int]]] = field(default_factory=dict)

    def add(self, texts: Iterable[str]) -> None:
        """Each --attribute that was given."""
        for text in texts:
            entry = control_values.AttributeOption.read(text)
            control = self._control(entry)
            level = _level(control, entry)
            for number in self.meant.tracks("--attribute", entry.track, control.applies_to):
                if control.level == "track":
                    self.of_tracks.setdefault(number, {})[control.name] = level
                    continue
                for bar in self.meant.bars("--attribute", entry.bars, number):
                    self.of_bars.setdefault(number, {}).setdefault(bar, {})[control.name] = level

    def _control(self, entry: control_values.AttributeOption) -> Attribute:
        """The control meant: of bars where bars are named; a control of bars is found without its `bar_` too."""
        own, of_bars = self.table.get(entry.name), self.table.get(f"bar_{entry.name}")
        found = own or of_bars
        if found is None:
            raise refused(
                "--attribute", entry.name, "is not an attribute of this model", nearest(entry.name, self.table.names)
            )
        if entry.bars and (own is None or own.level == "track"):
            if of_bars is None:
                raise refused("--attribute", entry.name, "applies to whole tracks only", "leave out the bars")
            return of_bars
        return found


def _level(control: Attribute, entry: control_values.AttributeOption) -> int:
    """The value of a control from its number or its word."""
    number = whole(entry.level)
    if number is None:
        number = control.value_of(entry.level)
        if number is None:
            raise refused(
                f"--attribute {entry.name}",
                entry.level,
                "is not one of its levels",
                nearest(entry.level, control.labels()),
            )
    if not 0 <= number < control.size:
        raise refused(f"--attribute {entry.name}", number, "is not one of its levels", f"use 0 to {control.size - 1}")
    return number
