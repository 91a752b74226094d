"""Read the JSON messages of a jam: parts, tempo, metre and controls, at the start and later."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from midigpt_cli.live.jam_session import Pacing
from midigpt_cli.live.late_chunks import NEVER
from midigpt_cli.parse.instruments import NAMES, program_of
from midigpt_cli.parse.jam_prompt import WORDS, understood_in, with_words
from midigpt_cli.parse.numbers import whole
from midigpt_core import music
from midigpt_core.fields import Door, nearest, read, refused, same, setting
from midigpt_core.jam import JamSettings
from midigpt_core.midi_file import ReadLimits
from midigpt_core.music import bpm_of
from midigpt_core.request import InferenceConfig, TrackPrompt
from midigpt_core.score import DRUM, MELODIC, Score, Track
from midigpt_core.words import Understood
from midigpt_core.words.word_tables import BASSES

SAMPLING = tuple(f.name for f in dataclasses.fields(InferenceConfig) if f.name not in ("num_candidates", "plan_only"))
_PLAIN = ("bpm", "bars_per_chunk", "late", "ramp_seconds")
CHANGING = (*WORDS, *_PLAIN, "config", "attributes", "controls", *SAMPLING)
FIXED = ("metre", "tracks", "score", "midi", "pace", "ahead", "model", "chunk_midi", "audio", "audio_rate")
_FORM_ONLY = Door(ranges=False)  # ranges are looked at with the model at hand


def song_in(score: Any, midi: Any, limits: ReadLimits | None = None) -> Score | None:
    """The song in `score` (JSON) or `midi` (base64), no larger than the limits. Raises MidiGptError."""
    if score is not None and midi is not None:
        raise refused("midi", None, "and score are both given", "give one of them")
    if score is not None:
        return Score.from_dict(score, limits)
    if midi is None:
        return None
    if not isinstance(midi, str):
        raise refused("midi", midi, "is not a string", "give a .mid file in base64")
    try:
        file = base64.b64decode(midi, validate=True)
    except ValueError as error:
        raise refused("midi", None, f"is not base64 ({error})", "encode the bytes of a .mid file") from error
    return Score.from_midi(file, limits=limits)


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
    items = data.get("tracks", [])
    if not isinstance(items, list):
        raise refused("tracks", items, "is not a list", "give one object per part")
    parts = [read(JamPart, item, f"tracks[{i}]") for i, item in enumerate(items)]
    if parts:
        settings = replace(
            settings,
            tracks=tuple(_track(part, f"tracks[{i}]") for i, part in enumerate(parts)),
            attributes={i: part.attributes for i, part in enumerate(parts) if part.attributes},
            controls={i: part.controls for i, part in enumerate(parts) if part.controls},
        )
    return _changed(settings, data)


def read_update(data: Mapping[str, Any], settings: JamSettings, worded: bool = False) -> JamSettings:
    """The settings after an update; `worded`: the parts came from words, so that other words change them.

    Raises RequestValidationError.
    """
    for key in FIXED:
        if key in data:
            raise refused(key, None, "cannot change during a jam", "stop this one and start another")
    check_keys(data, CHANGING)
    if worded:
        settings = replace(settings, tracks=recast(settings.tracks, understood_in(data)))
    data = {key: value for key, value in with_words(data, from_song=True).items() if key != "metre"}
    return _changed(settings, data)


def recast(tracks: Sequence[Track], understood: Understood | None) -> tuple[Track, ...]:
    """The same parts on the instruments that words ask for: the bass stays a bass, the others follow in order."""
    named = [part.program for part in (understood.parts if understood else ()) if part.program is not None]
    basses = [program for program in named if program in BASSES]
    others = [program for program in named if program not in BASSES]
    found = []
    for track in tracks:
        free = basses if track.instrument in BASSES else others
        if track.track_type != DRUM and free:
            program = free.pop(0)
            track = replace(track, instrument=program, name=NAMES[program])
        found.append(track)
    return tuple(found)


def read_pacing(data: Mapping[str, Any], expires: float = NEVER) -> Pacing:
    """`pace` and `ahead`. Raises RequestValidationError."""
    given = {key: data[key] for key in ("pace", "ahead") if key in data}
    return replace(read(Pacing, given, ""), expires=expires)


def metre_of(value: Any) -> tuple[int, int]:
    """ "6/8" or [6, 8] as a pair. Raises RequestValidationError."""
    pair = music.metre_of(value) or value
    whole = isinstance(pair, (list, tuple)) and len(pair) == 2 and all(type(n) is int and n > 0 for n in pair)
    if not whole:
        raise refused("metre", value, "is not a time signature", "write 4/4, 3/4, 6/8, ...")
    return pair[0], pair[1]


def check_keys(data: Any, known: Collection[str], where: str = "") -> None:
    """Refuse what is no object, and keys nobody knows. Raises RequestValidationError."""
    if not isinstance(data, dict):
        raise refused(where or "message", None, "is not an object", "give keys and values")
    for key in data:
        if key not in known:
            raise refused(f"{where}.{key}".strip("."), None, "is not a known key", nearest(str(key), known))


@dataclass(frozen=True)
class JamChanges:
    """What may change while a jam plays."""

    bpm: float = same(JamSettings, "bpm")
    bars_per_chunk: int = same(JamSettings, "bars_per_chunk")
    late: str = same(JamSettings, "late")
    ramp_seconds: float = same(JamSettings, "ramp_seconds")
    config: dict[str, Any] = setting({}, "sampling; its fields may stand beside it too")
    attributes: dict[str, dict[str, int]] = setting({}, "attribute values by track")
    controls: dict[str, dict[str, Any]] = setting({}, "pitch_mask, ... by track")


@dataclass(frozen=True)
class JamPart:
    """One part of a jam."""

    instrument: Any = 0  # a program from 0, or a General MIDI name
    drums: bool = setting(False, "whether it is a drum part")
    name: str | None = setting(None, "its name; the instrument's if left out")
    attributes: dict[str, int] = setting({}, "attribute values")
    controls: dict[str, Any] = setting({}, "pitch_mask, rhythm_mask, ...")


def _changed(settings: JamSettings, data: Mapping[str, Any]) -> JamSettings:
    known = {row.name for row in dataclasses.fields(JamChanges)}
    given = {key: value for key, value in data.items() if key in known}
    asked = read(JamChanges, given, "", _FORM_ONLY)
    sampling = {**asked.config, **{key: data[key] for key in SAMPLING if key in data}}
    count = len(settings.tracks)
    plain: dict[str, Any] = {key: getattr(asked, key) for key in _PLAIN if key in given}
    return replace(
        settings,
        **plain,
        config=InferenceConfig.from_dict({**settings.config.to_dict(), **sampling}),
        attributes={**settings.attributes, **_by_track("attributes", asked.attributes, count)},
        controls={**settings.controls, **_by_track("controls", asked.controls, count)},
    )


def _by_track(key: str, data: Mapping[Any, Any], count: int) -> dict[int, dict[str, Any]]:
    """{track: {name: value}}, in place of what those tracks had; keys may be strings."""
    found: dict[int, dict[str, Any]] = {}
    for name, values in data.items():
        track = whole(str(name))
        if track is None or not 0 <= track < count:
            raise refused(
                f"{key}.{name}", None, f"is not one of the {count} tracks of this jam", f"use 0 to {count - 1}"
            )
        prompt = TrackPrompt.from_dict({"id": track, key: values or {}}, f"{key}.{name}")
        found[track] = getattr(prompt, key)
    return found


def _track(part: JamPart, where: str) -> Track:
    instrument = part.instrument
    program = program_of(instrument, f"{where}.instrument") if isinstance(instrument, str) else instrument
    if type(program) is not int or not 0 <= program <= 127:
        raise refused(f"{where}.instrument", instrument, "is not an instrument", "use 0 to 127, or a General MIDI name")
    name = part.name if part.name is not None else "Drums" if part.drums else NAMES[program]
    kind = DRUM if part.drums else MELODIC
    return Track(instrument=program, track_type=kind, name=name, channel=9 if part.drums else None)
