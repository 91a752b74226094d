"""What a checkpoint fixed about its tokens: the encoder configuration, read tolerantly, unknown keys kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any

from midigpt_core.attributes.attribute_table import make_attributes
from midigpt_core.errors import EncoderConfigError, short
from midigpt_core.fields import Door, rows_of, sentence, setting
from midigpt_core.music import metre_of
from midigpt_core.tokens.domains import PROGRAMS, InstrumentGroups, Metre
from midigpt_core.tokens.types import TokenType, token_type

Domain = tuple[TokenType, int]
OWN_KEYS = ("echo", "harmony", "temperature", "drum_temperature", "optional_controls", "rounding")


@dataclass(frozen=True)
class EncoderConfig:
    """The encoder JSON of a checkpoint. Every default is what a missing key means."""

    resolution: int = setting(480, "ticks per quarter note on the model's grid", 1)
    decode_resolution: int = setting(480, "ticks per quarter note of decoded scores", 1)
    model_dim: int = setting(4, "bars of a window, where nothing else says it", 1)
    pitch_range: tuple[int, int] = (0, 127)  # lowest and highest pitch, for derived domains
    velocity_levels: int = setting(32, "loudness levels, for derived domains", 1)
    note_duration_max_beats: int = setting(8, "longest note in quarter notes, for derived domains", 1)
    velocity_sticky: bool = setting(True, "a velocity token only where the level changes within a bar")
    emit_delta_tokens: bool = setting(False, "micro-timing tokens")
    supports_infill: bool = setting(False, "fill-in tokens")
    supports_mask_bar_token: bool = setting(False, "a token that stands for a hidden bar")
    switchable_velocity: bool = setting(False, "velocity tokens can be switched off for a piece")
    switchable_microtiming: bool = setting(False, "micro-timing can be switched off; implies emit_delta_tokens")
    token_domains: tuple[Domain, ...] = ()  # (type, number of values) in vocabulary order
    num_bars_map: tuple[int, ...] = setting((), "window lengths in bars", 1)
    time_signatures: tuple[Metre, ...] = ()  # metres in token order; none: metres are not told apart
    instrument_merge_groups: tuple[tuple[int, ...], ...] = ()  # programs that share one instrument token
    genre_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # genre -> other names for it
    attribute_controls: tuple[Mapping[str, Any], ...] = ()  # {"name", "params"} entries
    # not in the files of midigpt 0.4.2, and written only where they say something
    echo: float = setting(0.0, "how strongly to reuse bars of the same track, where the caller does not say", 0.0, 20.0)
    harmony: float | None = setting(None, "how much pitches fit the other tracks, likewise", 0.0, 20.0)
    temperature: float = setting(1.0, "what a caller's temperature of 1 comes to", 0.0, 10.0, open_low=True)
    drum_temperature: float | None = setting(None, "the same on drum tracks", 0.0, 10.0, open_low=True)
    optional_controls: bool = setting(False, "trained to do without attribute tokens")
    rounding: str = setting("down", "how notes go to the grid", choices=("down", "nearest"))
    extra: Mapping[str, Any] = field(default_factory=dict)  # keys this version does not know

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EncoderConfig:
        """Read the JSON form. Raises EncoderConfigError naming the key that is malformed."""
        if not isinstance(data, Mapping):
            raise EncoderConfigError(f"encoder configuration: expected an object, found {type(data).__name__}")
        known = {f.name for f in fields(cls) if f.name != "extra"}
        values = {key: _read(key, value) for key, value in data.items() if key in known}
        values["extra"] = {key: value for key, value in data.items() if key not in known}
        if values.get("switchable_microtiming"):
            values["emit_delta_tokens"] = True
        draft = cls(**values)
        domains = draft.token_domains if "token_domains" in values else derive_token_domains(draft)
        values["token_domains"] = _with_attribute_domains(domains, draft.attribute_controls)
        return cls(**values)

    @classmethod
    def load(cls, source: str | PathLike[str] | Mapping[str, Any] | EncoderConfig) -> EncoderConfig:
        """From a path to a JSON file, its parsed form, or a configuration. Raises EncoderConfigError."""
        if isinstance(source, EncoderConfig):
            return source
        if isinstance(source, Mapping):
            return cls.from_dict(source)
        path = Path(source)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise EncoderConfigError(f"encoder configuration {path}: cannot be read ({error.strerror})") from error
        except (ValueError, RecursionError) as error:
            raise EncoderConfigError(f"encoder configuration {path}: is not JSON ({error})") from error
        return cls.from_dict(data)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; `from_dict` is its inverse, unknown keys included."""
        data: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        data["token_domains"] = [{"type": t.value, "domain_size": size} for t, size in self.token_domains]
        data["time_signatures"] = [f"{numerator}/{denominator}" for numerator, denominator in self.time_signatures]
        data["pitch_range"] = list(self.pitch_range)
        data["num_bars_map"] = list(self.num_bars_map)
        data["instrument_merge_groups"] = [list(group) for group in self.instrument_merge_groups]
        data["genre_groups"] = {name: list(aliases) for name, aliases in self.genre_groups.items()}
        data["attribute_controls"] = [dict(entry) for entry in self.attribute_controls]
        for key in ("num_bars_map", "time_signatures", "genre_groups"):
            if not data[key]:
                del data[key]  # absent and empty are read differently elsewhere
        for name in OWN_KEYS:
            if data[name] == getattr(EncoderConfig, name):
                del data[name]
        return {**data, **self.extra}

    @property
    def rounds(self) -> bool:
        """Whether notes go to the nearest tick of the grid ("rounding": "nearest"), not to the one before."""
        return self.rounding == "nearest" and not self.emit_delta_tokens

    @property
    def genres(self) -> tuple[str, ...]:
        """Genre names in token order."""
        return tuple(sorted(self.genre_groups))

    def genre_id(self, name: str) -> int:
        """Token value of a genre or of another name for it, in any case. Raises EncoderConfigError."""
        wanted = name.lower()
        found = -1
        for i, genre in enumerate(self.genres):  # a name listed twice belongs to the later group
            if wanted == genre.lower() or wanted in (alias.lower() for alias in self.genre_groups[genre]):
                found = i
        if found < 0:
            raise EncoderConfigError(f"genre: {name!r} is not known here; known: {', '.join(self.genres) or 'none'}")
        return found


# ---- derived domains, for configurations that do not list them ----


def derive_token_domains(config: EncoderConfig) -> tuple[Domain, ...]:
    """The structural part of the vocabulary, from the plain fields."""
    longest_bar = max((-(-4 * config.resolution * n // d) for n, d in config.time_signatures), default=0)
    rows = (
        (TokenType.PIECE_START, 2 if config.supports_infill else 1),
        (TokenType.TRACK, 2),
        (TokenType.TRACK_END, 1),
        (TokenType.BAR, 1),
        (TokenType.BAR_END, 1),
        (TokenType.TIME_SIG, len(config.time_signatures)),
        (TokenType.INSTRUMENT, InstrumentGroups(config.instrument_merge_groups).size),
        (TokenType.NUM_BARS, len(config.num_bars_map)),
        (TokenType.NOTE_ONSET, config.pitch_range[1] - config.pitch_range[0] + 1),
        (TokenType.NOTE_DURATION, config.note_duration_max_beats * config.resolution),
        (TokenType.TIME_ABSOLUTE_POS, longest_bar),
        (TokenType.USE_VELOCITY, 2 if config.switchable_velocity else 0),
        (TokenType.USE_MICROTIMING, 2 if config.switchable_microtiming else 0),
        (TokenType.GENRE, len(config.genre_groups)),
        (TokenType.VELOCITY_LEVEL, config.velocity_levels),
        (TokenType.DELTA_DIRECTION, 2 if config.emit_delta_tokens else 0),
        (TokenType.DELTA, max(1, config.resolution // 2) if config.emit_delta_tokens else 0),
        (TokenType.FILL_IN_PLACEHOLDER, int(config.supports_infill)),
        (TokenType.FILL_IN_START, int(config.supports_infill)),
        (TokenType.FILL_IN_END, int(config.supports_infill)),
        (TokenType.MASK_BAR, int(config.supports_mask_bar_token)),
    )
    return tuple((kind, size) for kind, size in rows if size)


def _with_attribute_domains(domains: tuple[Domain, ...], entries: Sequence[Mapping[str, Any]]) -> tuple[Domain, ...]:
    """The domains, and after them those of controls that have none yet."""
    known = {kind for kind, _ in domains}
    added: dict[TokenType, int] = {}
    for control in make_attributes((kind.value for kind in known), entries):
        kind = token_type(control.token_type)
        if kind not in known:
            added.setdefault(kind, control.size)
    return (*domains, *added.items())


# ---- reading: one function per kind of value; each raises EncoderConfigError naming the key ----

Reader = Callable[[str, Any], Any]


def _fail(key: str, expected: str, value: Any) -> EncoderConfigError:
    return EncoderConfigError(f"{key}: expected {expected}, found {short(value)}")


def _refused(name: str, value: Any, problem: str, remedy: str) -> EncoderConfigError:
    return EncoderConfigError(sentence(name, value, problem, remedy))


_DOOR = Door(_refused)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _items(key: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise _fail(key, "a list", value)
    return value


def _pitches(key: str, value: Any) -> tuple[int, int]:
    pair = _items(key, value)
    if len(pair) != 2 or not all(_is_int(p) and 0 <= p <= 127 for p in pair) or pair[0] > pair[1]:
        raise _fail(key, "[lowest, highest] MIDI pitches", value)
    return (pair[0], pair[1])


def _metre(key: str, value: Any) -> Metre:
    metre = metre_of(value)
    if metre is None:
        raise _fail(key, 'a metre such as "3/4"', value)
    return metre


def _metres(key: str, value: Any) -> tuple[Metre, ...]:
    return tuple(_metre(f"{key}[{i}]", item) for i, item in enumerate(_items(key, value)))


def _programs(key: str, value: Any) -> tuple[int, ...]:
    group = _items(key, value)
    if not all(_is_int(program) and 0 <= program < PROGRAMS for program in group):
        raise _fail(key, "programs from 0 to 127", value)
    return tuple(group)


def _groups(key: str, value: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(_programs(f"{key}[{i}]", group) for i, group in enumerate(_items(key, value)))


def _genres(key: str, value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise _fail(key, "an object of lists of names", value)
    for name, aliases in value.items():
        if not all(isinstance(alias, str) for alias in _items(f"{key}.{name}", aliases)):
            raise _fail(f"{key}.{name}", "a list of names", aliases)
    return {name: tuple(aliases) for name, aliases in value.items()}


def _controls(key: str, value: Any) -> tuple[Mapping[str, Any], ...]:
    entries = _items(key, value)
    make_attributes((), entries)
    return tuple(entries)


def _positive(key: str, value: Any) -> int:
    if not _is_int(value) or value < 1:
        raise _fail(key, "an integer, 1 or more", value)
    return int(value)


def _domains(key: str, value: Any) -> tuple[Domain, ...]:
    domains: dict[TokenType, int] = {}
    for i, item in enumerate(_items(key, value)):
        if not isinstance(item, Mapping) or "type" not in item or "domain_size" not in item:
            raise _fail(f"{key}[{i}]", 'an object with "type" and "domain_size"', item)
        kind = token_type(item["type"])
        if kind in domains:
            raise EncoderConfigError(f"{key}[{i}]: {item['type']!r} is listed a second time; list each type once")
        domains[kind] = _positive(f"{key}[{i}].domain_size", item["domain_size"])
    return tuple(domains.items())


_READERS: Mapping[str, Reader] = {  # for what is written differently in JSON; the other fields say it all
    "pitch_range": _pitches,
    "token_domains": _domains,
    "time_signatures": _metres,
    "instrument_merge_groups": _groups,
    "genre_groups": _genres,
    "attribute_controls": _controls,
}


def _read(key: str, value: Any) -> Any:
    if key in _READERS:
        return _READERS[key](key, value)
    kind: Any = EncoderConfig
    return rows_of(kind)[key].read(value, key, _DOOR)
