"""Read what a jam is asked to play from JSON: its parts, tempo, metre and controls, at the start and later."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from midigpt_cli.live.session import NEVER, Pacing
from midigpt_cli.parse.instruments import NAMES, program_of
from midigpt_cli.parse.jam_words import WORDS, with_words
from midigpt_core import music
from midigpt_core.fields import nearest, refused
from midigpt_core.jam import JamSettings
from midigpt_core.music import bpm_of
from midigpt_core.request import InferenceConfig, TrackPrompt
from midigpt_core.score import DRUM, MELODIC, Score, Track

SAMPLING = tuple(f.name for f in dataclasses.fields(InferenceConfig) if f.name not in ("num_candidates", "plan_only"))
CHANGING = (*WORDS, "bpm", "bars_per_chunk", "late", "config", "attributes", "controls", *SAMPLING)
FIXED = ("metre", "tracks", "score", "midi", "pace", "ahead", "model", "chunk_midi")
_TRACK_KEYS = ("instrument", "drums", "name", "attributes", "controls")


def song_in(score: Any, midi: Any) -> Score | None:
    """The song in `score` (JSON) or `midi` (base64). Raises RequestValidationError, ScoreError, MidiFileError."""
    if score is not None and midi is not None:
        raise refused("midi", None, "and score are both given", "give one of them")
    if score is not None:
        return Score.from_dict(score)
    if midi is None:
        return None
    try:
        file = base64.b64decode(_of("midi", midi, str, "a string (base64)"), validate=True)
    except ValueError as error:
        raise refused("midi", None, f"is not base64 ({error})", "encode the bytes of a .mid file") from error
    return Score.from_midi(file)


def read_start(data: Mapping[str, Any], song: Score | None) -> JamSettings:
    """The settings a jam starts with; what is not said comes from the song. Raises RequestValidationError."""
    check_keys(data, (*CHANGING, *FIXED))
    data = with_words(data, song is not None)
    settings = JamSettings()
    if song is not None:
        bars = [bar for track in song.tracks for bar in track.bars[-1:]]
        tracks = [replace(t, bars=[], attributes={}, channel=None, midi_track=None) for t in song.tracks]
        settings = replace(settings, bpm=round(bpm_of(song.tempo), 3), tracks=tuple(tracks))
        settings = replace(settings, metre=(bars[0].ts_numerator, bars[0].ts_denominator)) if bars else settings
    if "metre" in data:
        settings = replace(settings, metre=metre_of(data["metre"]))
    items = _of("tracks", data.get("tracks", []), list, "a list")
    if items:
        settings = replace(settings, tracks=tuple(_track(item, f"tracks[{i}]") for i, item in enumerate(items)))
        for key in ("attributes", "controls"):
            told = {i: item[key] for i, item in enumerate(items) if item.get(key)}
            settings = replace(settings, **{key: _by_track(key, told, len(items))})
    return _changed(settings, data)


def read_update(data: Mapping[str, Any], settings: JamSettings) -> JamSettings:
    """The settings after an update. Raises RequestValidationError."""
    for key in FIXED:
        if key in data:
            raise refused(key, None, "cannot change during a jam", "stop this one and start another")
    check_keys(data, CHANGING)
    data = {key: value for key, value in with_words(data, from_song=True).items() if key != "metre"}
    return _changed(settings, data)


def read_pacing(data: Mapping[str, Any], expires: float = NEVER) -> Pacing:
    """`pace` and `ahead`. Raises RequestValidationError."""
    ahead = _of("ahead", data.get("ahead", Pacing.ahead), int, "a whole number")
    return Pacing(_of("pace", data.get("pace", Pacing.pace), str, "a string"), ahead, expires)


def metre_of(value: Any) -> tuple[int, int]:
    """ "6/8" or [6, 8] as a pair. Raises RequestValidationError."""
    pair = music.metre_of(value) or value
    whole = isinstance(pair, (list, tuple)) and len(pair) == 2 and all(type(n) is int and n > 0 for n in pair)
    if not whole:
        raise refused("metre", value, "is no time signature", "write 4/4, 3/4, 6/8, ...")
    return pair[0], pair[1]


def check_keys(data: Any, known: Collection[str], where: str = "") -> None:
    """Refuse what is no object, and keys nobody knows. Raises RequestValidationError."""
    if not isinstance(data, dict):
        raise refused(where or "message", None, "is not an object", "give keys and values")
    for key in data:
        if key not in known:
            raise refused(f"{where}.{key}".strip("."), None, "is not a known key", nearest(str(key), known))


def _changed(settings: JamSettings, data: Mapping[str, Any]) -> JamSettings:
    asked = _of("config", data.get("config", {}), dict, "an object")
    asked = {**asked, **{key: data[key] for key in SAMPLING if key in data}}
    config = InferenceConfig.from_dict({**settings.config.to_dict(), **asked})
    count = len(settings.tracks)
    return replace(
        settings,
        config=config,
        bpm=float(_of("bpm", data.get("bpm", settings.bpm), (int, float), "a number")),
        bars_per_chunk=_of("bars_per_chunk", data.get("bars_per_chunk", settings.bars_per_chunk), int, "whole"),
        late=_of("late", data.get("late", settings.late), str, "a string"),
        attributes={**settings.attributes, **_by_track("attributes", data.get("attributes", {}), count)},
        controls={**settings.controls, **_by_track("controls", data.get("controls", {}), count)},
    )


def _by_track(key: str, data: Any, count: int) -> dict[int, dict[str, Any]]:
    """{track: {name: value}}, in place of what those tracks had; keys may be strings."""
    found: dict[int, dict[str, Any]] = {}
    for name, values in _of(key, data, dict, "an object by track").items():
        if not str(name).isdecimal() or int(name) >= count:
            raise refused(f"{key}.{name}", None, f"is no track of this jam of {count}", f"use 0 to {count - 1}")
        track = int(name)
        prompt = TrackPrompt.from_dict({"id": track, key: values or {}}, f"{key}.{name}")
        found[track] = getattr(prompt, key)
    return found


def _track(data: Any, where: str) -> Track:
    check_keys(data, _TRACK_KEYS, where)
    drums = _of(f"{where}.drums", data.get("drums", False), bool, "true or false")
    instrument = data.get("instrument", 0)
    program = program_of(instrument, f"{where}.instrument") if isinstance(instrument, str) else instrument
    if type(program) is not int or not 0 <= program <= 127:
        raise refused(f"{where}.instrument", instrument, "is no instrument", "use 0 to 127, or a General MIDI name")
    name = _of(f"{where}.name", data.get("name", "Drums" if drums else NAMES[program]), str, "a string")
    return Track(instrument=program, track_type=DRUM if drums else MELODIC, name=name, channel=9 if drums else None)


def _of(name: str, value: Any, kind: Any, words: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise refused(name, value, f"is not {words}", "correct it")
    return value
