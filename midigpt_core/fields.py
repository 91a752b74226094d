"""One strict reader for every dataclass, whose fields say type, default, range and meaning.

`read` turns plain data (JSON, TOML) into a dataclass, `check` looks at one that Python code has made. Both name the
field, the value and the way out. A field's metadata may hold `help`, `label` (what people call it), `low`, `high`,
`open_low`, `open_high`, `choices`, `words` (a word that stands for a value), `each` (metadata for the values of an
object) and `least` (items of a list).
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import operator
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cache, partial, wraps
from typing import Any, TypeVar, get_args, get_origin

from midigpt_core.errors import MidiGptError, RequestValidationError

T = TypeVar("T")
_LOCAL: dict[str, Any] = {"MidiSource": object}  # named in annotations, but not part of any plain form
Refuse = Callable[[str, Any, str, str], Exception]  # (field, value, problem, remedy) -> what to raise


def setting(default: Any, meaning: str, low: float | None = None, high: float | None = None, **more: Any) -> Any:
    """A field with its meaning and range: `low <= value <= high`; `choices` for words; `open_low` for `low <`."""
    metadata = {"help": meaning, "low": low, "high": high, **more}
    if isinstance(default, (list, dict)):
        return field(default_factory=partial(copy, default) if default else type(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def suggesting(cls: type[T]) -> type[T]:
    """A dataclass that names the nearest field where an argument is none of its own. Raises TypeError."""
    kind: Any = cls
    plain = kind.__init__
    known = {each.name for each in dataclasses.fields(kind)}

    @wraps(plain)
    def checked(self: Any, *args: Any, **values: Any) -> None:
        try:
            plain(self, *args, **values)
        except TypeError:
            for name in values.keys() - known:
                raise TypeError(f"{cls.__name__} has no {name!r}; {nearest(name, known)}") from None
            raise

    kind.__init__ = checked
    return cls


def same(cls: Any, name: str, **more: Any) -> Any:
    """A field with the default, range and meaning that a field of another dataclass has."""
    each = next(each for each in dataclasses.fields(cls) if each.name == name)
    metadata = {**each.metadata, **more}
    if each.default_factory is not dataclasses.MISSING:
        return field(default_factory=each.default_factory, metadata=metadata)
    return field(default=each.default, metadata=metadata)


def limits_of(cls: Any, name: str) -> dict[str, Any]:
    """The range of a field, as `min` and `max`."""
    meta = next(each for each in dataclasses.fields(cls) if each.name == name).metadata
    return {"min": meta["low"], "max": meta["high"]}


def refused(field_name: str, value: Any, problem: str, remedy: str) -> RequestValidationError:
    """The error for one field of a request: `field = value problem; remedy`."""
    return RequestValidationError(sentence(field_name, value, problem, remedy), field_name, value, remedy)


def sentence(field_name: str, value: Any, problem: str, remedy: str) -> str:
    """What is wrong with a field, in one sentence; long values are cut."""
    shown = "" if value is None else f" = {_short(repr(value))}"
    return f"{field_name}{shown} {problem}; {remedy}"


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "..."


def nearest(word: str, known: Collection[Any] | Mapping[Any, Any]) -> str:
    """A remedy that names the nearest known word, or all of them."""
    words = sorted(str(item) for item in known)
    near = difflib.get_close_matches(word, words, 1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(words) or 'none'}"


@dataclass(frozen=True)
class Door:
    """How strictly values are looked at, and what is raised."""

    refuse: Refuse = refused
    ranges: bool = True  # hold values to their ranges and choices, too
    data: bool = True  # plain data: objects are dicts, whose keys may spell whole numbers


def read(cls: type[T], data: Any, where: str, door: Door = Door()) -> T:
    """A dataclass from its plain form: every key known, every value of its type. Raises what the door says."""
    if not isinstance(data, dict):
        raise door.refuse(where, data, "is not an object", "give keys and values")
    kind: Any = cls
    rows, values = rows_of(kind), {}
    for key, value in data.items():
        row = rows.get(key)
        if row is None:
            raise door.refuse(_under(where, key), None, "is not a known key", nearest(str(key), rows))
        if type(value) is int and row.lowest <= value <= row.highest:  # nearly every value of a score
            values[key] = value
        else:
            values[key] = row.read(value, _under(where, key), door)
    for row in required_of(kind):
        if row.name not in values:
            raise door.refuse(_under(where, row.name), None, "is missing", f"give {row.meaning or 'it'}")
    return cls(**values)


def reader(
    kind: Any, meaning: str = "", low: float | None = None, high: float | None = None, **more: Any
) -> Callable[[Any, str], Any]:
    """What reads a value that is no field of a dataclass, as `read` would read a field declared by `setting`."""
    found = _reader(kind, {"help": meaning, "low": low, "high": high, **more})
    return lambda value, where: found(value, where, Door())


def check(value: Any, where: str, door: Door = Door(data=False), without: str = "") -> None:
    """Look at every field of a dataclass (but one, perhaps) as `read` does. Raises what the door says."""
    kind: Any = type(value)
    for row in rows_of(kind).values():
        if row.name != without:
            row.read(getattr(value, row.name), _under(where, row.name), door)


def all_sound(cls: Any, values: Sequence[Any], door: Door, without: str = "") -> bool:
    """Whether `check` would accept these dataclasses of one kind: a fast test, as there may be a hundred thousand.

    False where only a closer look can tell.
    """
    if not set(map(type, values)) <= {cls}:
        return False
    try:
        for row in (row for row in rows_of(cls).values() if values and row.name != without):
            for value in _different(list(map(operator.attrgetter(row.name), values)), row):
                row.read(value, row.name, door)
    except (MidiGptError, TypeError):  # TypeError: values that cannot be compared
        return False
    return True


def _different(values: list[Any], row: FieldRow) -> list[Any]:
    """Those of many values that have to be looked at."""
    kinds = set(map(type, values))
    if kinds == {int} and row.lowest <= row.highest:
        return [min(values), max(values)]
    if kinds <= {list, tuple, dict}:
        return [value for value in values if value] or values[:1]
    return [value for _, value in set(zip(map(type, values), values, strict=True))]


def _under(where: str, key: Any) -> str:
    return f"{where}.{key}" if where else str(key)


# ---- one row per field, one reader per type ----

Reader = Callable[[Any, str, Door], Any]


@dataclass(frozen=True)
class FieldRow:
    """One field of a dataclass."""

    name: str
    read: Reader
    required: bool
    meaning: str
    lowest: float  # a whole number from here to `highest` needs no further look
    highest: float


@cache
def rows_of(cls: Any) -> Mapping[str, FieldRow]:
    """The fields of a dataclass by name; those marked `hidden` are not part of its plain form."""
    hints = typing.get_type_hints(cls, localns=_LOCAL)
    rows = {}
    for each in dataclasses.fields(cls):
        if not each.metadata.get("hidden"):
            required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
            meaning = str(each.metadata.get("help", ""))
            reader, whole = _reader(hints[each.name], each.metadata), _whole_range(hints[each.name], each.metadata)
            rows[each.name] = FieldRow(each.name, reader, required, meaning, *whole)
    return rows


@cache
def required_of(cls: Any) -> tuple[FieldRow, ...]:
    """The fields that have no default."""
    return tuple(row for row in rows_of(cls).values() if row.required)


def _reader(hint: Any, meta: Mapping[str, Any]) -> Reader:
    """The reader for a type."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _optional(_reader(next(kind for kind in inner if kind is not type(None)), meta))
    if origin in (list, tuple):
        return _many(inner[0], origin, meta)
    if origin is dict or hint is dict:
        key, kind = inner or (str, Any)
        return _by_key(key, kind, meta.get("each", {}))
    if dataclasses.is_dataclass(hint):
        return lambda value, where, door: _nested(hint, value, where, door)
    return _plain(hint, meta)


def _nested(cls: Any, value: Any, where: str, door: Door) -> Any:
    if door.data:
        return read(cls, value, where, door)
    if not isinstance(value, cls):
        raise door.refuse(where, value, f"is not a {cls.__name__}", "make one")
    check(value, where, door)
    return value


def _optional(inner: Reader) -> Reader:
    return lambda value, where, door: None if value is None else inner(value, where, door)


_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}
_MANY = {int: "integers", float: "numbers", bool: "true or false", str: "strings"}


def _plain(kind: Any, meta: Mapping[str, Any]) -> Reader:
    if kind not in _WORDS:
        return lambda value, where, door: value
    fits, words, limits = _FITS[kind], meta.get("words", {}), _limits(meta)

    def found(value: Any, where: str, door: Door) -> Any:
        if isinstance(value, str) and value in words:
            return words[value]
        if not fits(value):
            expected = _either([*_WORDS[kind].split(" or "), *map(repr, words)])
            raise door.refuse(where, value, f"is not {expected}", "correct it")
        if door.ranges and limits:
            limits(value, where, door)
        return value

    return found


def _whole_range(kind: Any, meta: Mapping[str, Any]) -> tuple[float, float]:
    """The whole numbers that need no further look: an empty range for other kinds."""
    if kind is not int or meta.get("choices"):
        return 1, 0
    low, high = meta.get("low"), meta.get("high")
    return (-math.inf if low is None else low), (math.inf if high is None else high)


def _is_int(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or hasattr(value, "__index__")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


_FITS: Mapping[Any, Callable[[Any], bool]] = {
    int: _is_int,
    float: lambda value: _is_int(value) or isinstance(value, float),
    bool: lambda value: isinstance(value, bool),
    str: _is_text,
}


def _limits(meta: Mapping[str, Any]) -> Callable[[Any, str, Door], None] | None:
    """What holds a value to the range and the choices of its field; None where it has neither."""
    low, high, choices = meta.get("low"), meta.get("high"), meta.get("choices")
    if low is None and high is None and not choices:
        return None
    above, below = (
        (operator.gt if meta.get("open_low") else operator.ge),
        (operator.lt if meta.get("open_high") else operator.le),
    )
    hint = f" ({meta['help']})" if meta.get("help") else ""

    usable = _either([_range_in_words(meta), *map(repr, meta.get("words", ()))])

    def hold(value: Any, where: str, door: Door) -> None:
        if choices and value not in choices:
            raise door.refuse(where, value, "is not known", nearest(str(value), choices))
        if value != value:
            raise door.refuse(where, value, "is not a number", f"use one{hint}")
        if low is not None and not above(value, low):
            raise door.refuse(where, value, "is too small", f"use {usable}{hint}")
        if high is not None and not below(value, high):
            raise door.refuse(where, value, "is too large", f"use {usable}{hint}")

    return hold


def _either(ways: Sequence[str]) -> str:
    """ "a", "a or b", "a, b or c"."""
    return " or ".join(filter(None, [", ".join(ways[:-1]), ways[-1]]))


def _range_in_words(meta: Mapping[str, Any]) -> str:
    """ "1 to 20", "at least 1", "above 0, at most 1"."""
    low, high = (f"{end:g}" if isinstance(end, float) else end for end in (meta.get("low"), meta.get("high")))
    if low is not None and high is not None and not meta.get("open_low") and not meta.get("open_high"):
        return f"{low} to {high}"
    ends = [] if low is None else [f"{'above' if meta.get('open_low') else 'at least'} {low}"]
    ends += [] if high is None else [f"{'below' if meta.get('open_high') else 'at most'} {high}"]
    return ", ".join(ends)


def _many(kind: Any, made: Any, meta: Mapping[str, Any]) -> Reader:
    one, fits = _reader(kind, meta), _FITS.get(kind)
    words, least = _MANY.get(kind, "objects"), meta.get("least", 0)

    def found(value: Any, where: str, door: Door) -> Any:
        if not isinstance(value, (list, tuple)) or (fits is not None and not all(map(fits, value))):
            raise door.refuse(where, value, f"is not a list of {words}", "correct it")
        if len(value) < least:
            raise door.refuse(where, value, "is empty", "name at least one")
        if not door.data and dataclasses.is_dataclass(kind) and all_sound(kind, value, door):
            return made(value)
        if meta.get("choices"):
            return made(one(item, where, door) for item in value)
        return made(one(item, f"{where}[{i}]", door) for i, item in enumerate(value))

    return found


def _by_key(key: Any, kind: Any, meta: Mapping[str, Any]) -> Reader:
    one = _reader(kind, meta)

    def found(value: Any, where: str, door: Door) -> Any:
        if not isinstance(value, Mapping):
            raise door.refuse(where, value, "is not an object", "give keys and values")
        return {_key(name, key, where, door): one(item, f"{where}[{name}]", door) for name, item in value.items()}

    return found


def _key(name: Any, kind: Any, where: str, door: Door) -> Any:
    if kind is int:
        if door.data and isinstance(name, str) and name.lstrip("-").isdecimal():
            return int(name)
        if not _is_int(name):
            raise door.refuse(where, name, "is not a valid key", "use whole numbers from 0 as keys")
    elif kind is str and not isinstance(name, str):
        raise door.refuse(where, name, "is not a valid key", "use names as keys")
    return name
