"""Read `prompt`, `styles` and `style_weights` of a jam: what they ask of its start, where nothing else says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midigpt_cli.parse.control_values import grid, pitch_range, scale
from midigpt_cli.parse.prompt_options import MELODIC_ONLY
from midigpt_core.attributes.note_duration import DURATION_NAMES
from midigpt_core.fields import nearest, refused
from midigpt_core.words import PromptPart, Understood, mixed, read_prompt
from midigpt_core.words.word_tables import BASSES, REGISTERS, STYLES

WORDS = ("prompt", "styles", "style_weights")
HEAVIEST = 1_000_000  # of style_weights: their sum must be a number, too


def understood_in(data: Mapping[str, Any]) -> Understood | None:
    """What the words of a start message ask for; None without any. Raises RequestValidationError."""
    prompt, styles = data.get("prompt"), _listed("styles", data.get("styles"))
    weights = _numbers(data.get("style_weights"), len(styles))
    if prompt is not None and not isinstance(prompt, str):
        raise refused("prompt", prompt, "is not a string", "write what to play, such as 'slow jazz piano'")
    if prompt is not None and styles:
        raise refused("styles", None, "and prompt both say what to play", "give one of them")
    if styles:
        return _of_styles(styles, weights)
    return None if prompt is None else read_prompt(prompt)


def with_words(data: Mapping[str, Any], from_song: bool) -> dict[str, Any]:
    """The start message without its words, joined by what they ask for; what it says itself wins."""
    understood = understood_in(data)
    rest = {key: value for key, value in data.items() if key not in WORDS}
    if understood is None:
        return rest
    asked: dict[str, Any] = {"bpm": understood.bpm, "metre": understood.metre}
    if not (from_song or rest.get("tracks")) and understood.parts:
        asked["tracks"] = [_track(part, understood) for part in understood.parts]
    return {**{key: value for key, value in asked.items() if value is not None}, **rest}


def _track(part: PromptPart, understood: Understood) -> dict[str, Any]:
    """A part as an entry of `tracks`."""
    drums = part.program is None
    feels = {**understood.feels, **part.feels}
    if drums:
        feels = {aspect: value for aspect, value in feels.items() if aspect not in MELODIC_ONLY}
    register = feels.pop("register", None)
    pitches = scale(understood.scale) if understood.scale else {}
    if register:
        pitches |= pitch_range(REGISTERS[register][part.program not in BASSES])
    controls: dict[str, Any] = {"pitch_mask": pitches} if pitches and not drums else {}
    if understood.grid:
        controls["rhythm_mask"] = grid(understood.grid)
    levels = {aspect: _level(value) for aspect, value in feels.items()}
    own = {"drums": True} if drums else {"instrument": part.program}
    return {**own, "attributes": levels, "controls": controls}


def _level(value: str) -> int:
    return DURATION_NAMES.index(value) if value in DURATION_NAMES else int(value)


def _of_styles(styles: Sequence[str], weights: Sequence[float]) -> Understood:
    found: dict[str, float] = {}
    for style, weight in zip(styles, weights, strict=True):
        names = read_prompt(style).styles
        if not names:
            raise refused("styles", style, "is not a known style", nearest(style, STYLES))
        for name in names:
            found[name] = found.get(name, 0.0) + weight
    return mixed(found)


def _listed(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise refused(name, value, "is not a list of strings", "name styles such as jazz,funk")
    return [item.strip() for item in items if item.strip()]


def _numbers(value: Any, count: int) -> list[float]:
    items = value.split(",") if isinstance(value, str) else [value] if isinstance(value, (int, float)) else value
    if not items or value == "":
        return [1.0] * count
    try:
        found = [float(item) for item in items]
    except (TypeError, ValueError, OverflowError):
        raise refused("style_weights", value, "are not numbers", "give one for each style, such as 1,0.5") from None
    if len(found) != count or not all(0 <= weight <= HEAVIEST for weight in found) or not any(found):
        remedy = f"give one for each, 0 to {HEAVIEST:,}, not all of them 0"
        raise refused("style_weights", value, f"do not fit {count} styles", remedy)
    return found
