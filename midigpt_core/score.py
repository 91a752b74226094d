"""Note, Bar, Track, Score: music as bars of notes, and its JSON form."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, fields
from typing import IO, TYPE_CHECKING, Any

from midigpt_core.errors import ScoreError, SongTooLargeError, short

if TYPE_CHECKING:
    from os import PathLike

    from midigpt_core.midi_file import MidiSource, ReadLimits

MELODIC = "melodic"
DRUM = "drum"
FINEST = 1_000_000  # ticks per quarter note, at most; a MIDI file has up to 32,767
MOST = 2**28 - 1  # no tick, tempo or metre in JSON is larger: what a MIDI file can hold


@dataclass(slots=True)
class Note:
    """One note. Ticks are in the score's resolution; the onset counts from the start of its bar."""

    pitch: int = 0  # MIDI pitch, 0-127
    velocity: int = 64  # MIDI velocity, 0-127
    onset_ticks: int = 0  # from the start of the bar
    duration_ticks: int = 0  # may reach past the end of the bar
    delta: int = 0  # micro-timing below the grid, in ticks


@dataclass(slots=True)
class Bar:
    """One measure of one track."""

    notes: list[Note] = field(default_factory=list)
    ts_numerator: int = 4
    ts_denominator: int = 4
    beat_length: float = 4.0  # length in quarter notes
    future: bool = False  # True: to be generated or hidden (informational)


@dataclass
class Track:
    """One part: an instrument or a drum kit playing the same bars as every other track."""

    bars: list[Bar] = field(default_factory=list)
    instrument: int = 0  # General MIDI program, 0-127
    track_type: str = MELODIC  # "melodic" or "drum"
    attributes: dict[str, int] = field(default_factory=dict)  # quantized control values
    name: str = ""  # track name in the file
    channel: int | None = None  # MIDI channel, 0-15
    midi_track: int | None = None  # index of the track chunk in the source file, 0-based


@dataclass
class Score:
    """A piece: tracks of equally many bars. `source` remembers the file it came from, so writing loses nothing."""

    tracks: list[Track] = field(default_factory=list)
    resolution: int = 480  # ticks per quarter note
    tempo: int = 500_000  # microseconds per quarter note (the first tempo of the file)
    source: MidiSource | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_midi(cls, file: str | PathLike[str] | bytes | IO[bytes], limits: ReadLimits | None = None) -> Score:
        """Read a .mid file: a path, its bytes, or a binary file object. Raises MidiFileError.

        `limits` bounds bars, tracks and notes; a song beyond them is refused (SongTooLargeError) before it is built.
        """
        from midigpt_core.midi_file import read_score

        return read_score(file, limits)

    def to_midi(self, file: str | PathLike[str] | IO[bytes]) -> None:
        """Write a .mid file: into the file this score came from, changed bars only, or from scratch."""
        from midigpt_core.midi_file import write_score

        write_score(self, file)

    @classmethod
    def from_dict(cls, data: dict[str, Any], limits: ReadLimits | None = None) -> Score:
        """Build a score from its JSON form. Raises ScoreError naming an unknown or wrongly typed key.

        A score beyond the limits is refused (SongTooLargeError) before it is built.
        """
        if limits is not None:
            _check_size(data, limits)
        return _score_from(data)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: plain dicts, lists and numbers; `from_dict` is its inverse."""
        return {
            "resolution": self.resolution,
            "tempo": self.tempo,
            "tracks": [_track_to_dict(track) for track in self.tracks],
        }

    @property
    def n_bars(self) -> int:
        """Bars of the longest track."""
        return max((len(track.bars) for track in self.tracks), default=0)

    @property
    def heard_bars(self) -> int:
        """Bars up to the last one in which a note begins; all where none does."""
        last = [max((i for i, bar in enumerate(track.bars) if bar.notes), default=-1) for track in self.tracks]
        return max(last, default=-1) + 1 or self.n_bars


_NOTE_KEYS = tuple(f.name for f in fields(Note))


def _track_to_dict(track: Track) -> dict[str, Any]:
    data: dict[str, Any] = {
        "instrument": track.instrument,
        "track_type": track.track_type,
        "attributes": dict(track.attributes),
        "name": track.name,
        "channel": track.channel,
        "midi_track": track.midi_track,
    }
    data["bars"] = [
        {
            "ts_numerator": bar.ts_numerator,
            "ts_denominator": bar.ts_denominator,
            "beat_length": bar.beat_length,
            "future": bar.future,
            "notes": [{key: getattr(note, key) for key in _NOTE_KEYS} for note in bar.notes],
        }
        for bar in track.bars
    ]
    return data


# ---- reading the JSON form: each table names the keys and the test a value must pass ----


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_int(value) or (isinstance(value, float) and value == value)


def _is_count_map(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(k, str) and _INTEGER[0](v) for k, v in value.items())


_MIDI_BYTE = (lambda v: _is_int(v) and 0 <= v <= 127, "an integer from 0 to 127")
_COUNT = (lambda v: _is_int(v) and 0 <= v <= MOST, f"an integer from 0 to {MOST}")
_POSITIVE = (lambda v: _is_int(v) and 1 <= v <= MOST, f"an integer from 1 to {MOST}")
_INTEGER = (lambda v: _is_int(v) and -MOST <= v <= MOST, f"an integer from {-MOST} to {MOST}")
_FLAG = (lambda v: isinstance(v, bool), "true or false")
_TEXT = (lambda v: isinstance(v, str) and not any("\ud800" <= letter <= "\udfff" for letter in v), "a string")
_LIST = (lambda v: isinstance(v, list), "a list")

_NOTE = {
    "pitch": _MIDI_BYTE,
    "velocity": _MIDI_BYTE,
    "onset_ticks": _COUNT,
    "duration_ticks": _COUNT,
    "delta": _INTEGER,
}
_BAR = {
    "notes": _LIST,
    "ts_numerator": _POSITIVE,
    "ts_denominator": _POSITIVE,
    "beat_length": (lambda v: _is_number(v) and 0 < v < 1e6, "a number above 0 (quarter notes)"),
    "future": _FLAG,
}
_TRACK = {
    "bars": _LIST,
    "instrument": _MIDI_BYTE,
    "track_type": (lambda v: v in (MELODIC, DRUM), '"melodic" or "drum"'),
    "attributes": (_is_count_map, "an object of integers"),
    "name": _TEXT,
    "channel": (lambda v: v is None or (_is_int(v) and 0 <= v <= 15), "an integer from 0 to 15, or null"),
    "midi_track": (lambda v: v is None or (_is_int(v) and 0 <= v <= MOST), "an integer, 0 or more, or null"),
}
_SCORE = {
    "tracks": _LIST,
    "resolution": (lambda v: _is_int(v) and 1 <= v <= FINEST, f"an integer from 1 to {FINEST}"),
    "tempo": _POSITIVE,
}


def _checked(data: Any, table: dict[str, Any], where: str) -> dict[str, Any]:
    """The dict itself, once every key is known and every value passes its test."""
    if not isinstance(data, dict):
        raise ScoreError(f"{where}: expected an object, found {type(data).__name__}")
    for key, value in data.items():
        if key not in table:
            near = difflib.get_close_matches(str(key), table, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(table)}"
            raise ScoreError(f"{where}: unknown key {short(key)}{hint}")
        test, expected = table[key]
        if not test(value):
            raise ScoreError(f"{where}.{key}: expected {expected}, found {short(value)}")
    return data


def _check_size(data: Any, limits: ReadLimits) -> None:
    """Count what is there; what is no list is left to those who look closer."""
    tracks = _listed(data, "tracks")
    if len(tracks) > limits.tracks:
        raise SongTooLargeError("tracks", limits.tracks, len(tracks))
    notes = 0
    for track in tracks:
        bars = _listed(track, "bars")
        if len(bars) > limits.bars:
            raise SongTooLargeError("bars", limits.bars, len(bars))
        notes += sum(len(_listed(bar, "notes")) for bar in bars)
    if notes > limits.notes:
        raise SongTooLargeError("notes", limits.notes, notes)


def _listed(data: Any, key: str) -> list[Any]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, list) else []


def _score_from(data: Any) -> Score:
    values = dict(_checked(data, _SCORE, "score"))
    tracks = [_track_from(item, f"score.tracks[{i}]") for i, item in enumerate(values.pop("tracks", []))]
    return Score(tracks=tracks, **values)


def _track_from(data: Any, where: str) -> Track:
    values = dict(_checked(data, _TRACK, where))
    bars = [_bar_from(item, f"{where}.bars[{i}]") for i, item in enumerate(values.pop("bars", []))]
    values["attributes"] = dict(values.get("attributes", {}))
    return Track(bars=bars, **values)


def _bar_from(data: Any, where: str) -> Bar:
    values = dict(_checked(data, _BAR, where))
    notes = [Note(**_checked(item, _NOTE, f"{where}.notes[{i}]")) for i, item in enumerate(values.pop("notes", []))]
    if "beat_length" not in values:
        values["beat_length"] = 4.0 * values.get("ts_numerator", 4) / values.get("ts_denominator", 4)
    return Bar(notes=notes, **values)
