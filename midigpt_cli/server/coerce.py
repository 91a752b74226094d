"""Read values that are written otherwise but can mean one thing only, as MIDI-GPT's server and JSON in general do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from midigpt_core.request import InferenceConfig, TrackPrompt

DRUM_KIT = 128  # as instrument: beyond the programs, where several programs keep drums


def request_as_meant(data: Any) -> Any:
    """A generation request with 40.0 for 40, 1 for true and no seed for a seed of null."""
    if not isinstance(data, dict):
        return data
    found = dict(data)
    if isinstance(data.get("config"), dict):
        config = {key: value for key, value in data["config"].items() if not (key == "seed" and value is None)}
        found["config"] = _values(config, InferenceConfig)
    if isinstance(data.get("tracks"), list):
        found["tracks"] = [_values(item, TrackPrompt) if isinstance(item, dict) else item for item in data["tracks"]]
    return found


def score_as_meant(data: Any) -> Any:
    """A score whose tracks may have instrument 128, a drum kit's: a drum track, unless its type is said."""
    tracks = data.get("tracks") if isinstance(data, dict) else None
    if not isinstance(tracks, list):
        return data
    return {**data, "tracks": [_track(item) for item in tracks]}


def flag(value: Any) -> Any:
    """True for 1 and "true", false for 0 and "false"; anything else as it is."""
    words = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, str):
        return words.get(value.lower(), value)
    return _truth(value)


def _track(item: Any) -> Any:
    if not isinstance(item, dict) or item.get("instrument") != DRUM_KIT:
        return item
    return {"track_type": "drum", **item, "instrument": 0}


def _values(data: Mapping[str, Any], cls: type) -> dict[str, Any]:
    readers = _readers(cls)
    return {key: readers[key](value) if key in readers else value for key, value in data.items()}


def _truth(value: Any) -> Any:
    return bool(value) if type(value) in (int, float) and value in (0, 1) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def _readers(cls: type) -> Mapping[str, Callable[[Any], Any]]:
    kinds: Mapping[Any, Callable[[Any], Any]] = {bool: _truth, int: _whole}
    return {name: kinds[hint] for name, hint in get_type_hints(cls).items() if hint in kinds}
