"""Note, Bar, Track, Score: music as bars of notes, and its JSON form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import IO, TYPE_CHECKING, Any, ClassVar

from midigpt_core.errors import ScoreError, SongTooLargeError
from midigpt_core.fields import Door, all_sound, read, sentence, setting, suggesting
from midigpt_core.fields import check as check_values
from midigpt_core.music import bpm_of, quarters_of

if TYPE_CHECKING:
    from os import PathLike

    from midigpt_core.midi_file import MidiSource, ReadLimits
    from midigpt_core.midi_file.lazy_bars import FilePart, Stretch

MELODIC = "melodic"
DRUM = "drum"
FINEST = 1_000_000  # ticks per quarter note, at most; a MIDI file has up to 32,767
LONGEST_BAR = 1020  # quarter notes: 255/1, the longest metre that a MIDI file can say
FOLLOWS = 0.0  # beat_length of a bar whose length follows from its metre
MOST = 2**28 - 1  # no tick, tempo or metre in JSON is larger: what a MIDI file can hold


@dataclass(slots=True)
class Note:
    """One note. Ticks are in the score's resolution; the onset counts from the start of its bar."""

    pitch: int = setting(0, "MIDI pitch; 60 is middle C", 0, 127, example=60)
    velocity: int = setting(64, "MIDI velocity", 0, 127, example=90)
    onset_ticks: int = setting(0, "ticks from the start of the bar", 0, MOST, example=0)
    duration_ticks: int = setting(0, "ticks; may reach past the bar", 0, MOST, example=480)
    delta: int = setting(0, "micro-timing below the grid, in ticks", -MOST, MOST)


class _OfFile:
    """Something of a file whose contents are made when they are first asked for: a bar's notes, a track's bars."""

    __slots__ = ("_left",)

    _made_late: ClassVar[str]  # the field
    _left: Any  # where its contents are in the file, until they are made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The contents, asked for the first time."""
            if name != self._made_late:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            left = self._left
            if left is not None:
                setattr(self, name, left.made())
                self._left = None
            return object.__getattribute__(self, name)

    def _unasked(self) -> Any:
        """Where the contents are in the file, as long as nobody has asked for them."""
        try:
            object.__getattribute__(self, self._made_late)
        except AttributeError:
            return self._left
        return None


@suggesting
@dataclass(slots=True)
class Bar(_OfFile):
    """One measure of one track."""

    _made_late: ClassVar[str] = "notes"

    notes: list[Note] = setting([], "notes that begin in this bar")
    ts_numerator: int = setting(4, "beats per bar", 1, MOST)
    ts_denominator: int = setting(4, "note value of a beat", 1, MOST)
    beat_length: float = setting(
        FOLLOWS, "length in quarter notes; default: that of the time signature", 0, LONGEST_BAR, open_low=True
    )
    future: bool = setting(False, "hidden or to be written (informational)")

    def __post_init__(self) -> None:
        if self.beat_length == FOLLOWS and self.ts_denominator:
            self.beat_length = quarters_of(self.ts_numerator, self.ts_denominator)

    @classmethod
    def of_file(cls, stretch: Stretch, ts_numerator: int, ts_denominator: int, beat_length: float) -> Bar:
        """A bar whose notes are those of a stretch of a file; they cost nothing until somebody asks for them."""
        bar = cls.__new__(cls)
        bar.ts_numerator, bar.ts_denominator, bar.beat_length, bar.future = (
            ts_numerator,
            ts_denominator,
            beat_length,
            False,
        )
        bar._left = stretch
        return bar

    @property
    def stretch(self) -> Stretch | None:
        """Where the notes are in their file, as long as nobody has asked for them."""
        found: Stretch | None = self._unasked()
        return found

    @property
    def n_notes(self) -> int:
        """How many notes begin here."""
        stretch = self.stretch
        return len(self.notes) if stretch is None else len(stretch)

    @property
    def pitches(self) -> Sequence[int]:
        """The pitches of its notes, in their order."""
        stretch = self.stretch
        return [note.pitch for note in self.notes] if stretch is None else stretch.pitches

    def ticks(self, resolution: int) -> int:
        """Its length in ticks, `resolution` of them to the quarter note."""
        return round(self.beat_length * resolution)


@suggesting
@dataclass(slots=True)
class Track(_OfFile):
    """One part: an instrument or a drum kit playing the same bars as every other track."""

    _made_late: ClassVar[str] = "bars"

    bars: list[Bar] = setting([], "all tracks have equally many")
    instrument: int = setting(0, "General MIDI program, from 0", 0, 127)
    track_type: str = setting(MELODIC, "melodic, or drum (then pitches are drum sounds)", choices=(MELODIC, DRUM))
    attributes: dict[str, int] = setting({}, "attribute values by name")
    name: str = setting("", "track name")
    channel: int | None = setting(None, "MIDI channel, from 0", 0, 15)
    midi_track: int | None = setting(None, "track chunk in the source file, from 0", 0, MOST)
    # what says that it plays drums, or not, in words
    told_by: str = field(default="", repr=False, compare=False, metadata={"hidden": True})
    # all the channels it plays on, where there are several
    channels: tuple[int, ...] = field(default=(), repr=False, compare=False, metadata={"hidden": True})

    @classmethod
    def of_file(cls, part: FilePart, **values: Any) -> Track:
        """A track whose bars are those of a part of a file; they cost nothing until somebody asks for them."""
        track = cls.__new__(cls)
        for name, value in {"attributes": {}, **values, "_left": part}.items():
            object.__setattr__(track, name, value)  # there may be 65,535 tracks: no field is looked at
        return track

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            """Set a field; bars that are set are no longer those of a file."""
            object.__setattr__(self, name, value)
            if name == "bars":
                object.__setattr__(self, "_left", None)

    @property
    def part(self) -> FilePart | None:
        """Where the bars are in their file, as long as nobody has asked for them."""
        found: FilePart | None = self._left
        return found

    @property
    def n_bars(self) -> int:
        """How many bars it has."""
        return len(self.bars) if self._left is None else len(self._left)

    def excerpt(self, first: int, end: int) -> list[Bar]:
        """The bars from `first` to before `end`, only to be looked at."""
        part = self.part
        return self.bars[first:end] if part is None else part.bars(first, end)

    def played(self, first: int, end: int) -> tuple[Sequence[int], int]:
        """The pitches of the notes that begin in the bars from `first` to before `end`, and at how many onsets."""
        part = self.part
        if part is not None:
            found = part.notes_in(first, end)
            there = slice(found.start, found.stop)
            return part.notes.pitches[there], len(set(part.notes.onsets[there]))
        bars = self.bars[first:end]
        onsets = sum(len({note.onset_ticks for note in bar.notes}) for bar in bars)
        return [pitch for bar in bars for pitch in bar.pitches], onsets

    def count_notes(self, first: int, end: int) -> int:
        """How many notes begin in the bars from `first` to before `end`."""
        part = self.part
        return sum(bar.n_notes for bar in self.bars[first:end]) if part is None else len(part.notes_in(first, end))

    @property
    def heard_bars(self) -> int:
        """Bars up to the last one in which a note begins."""
        part = self.part
        if part is not None:
            return part.heard_bars
        return max((i for i, bar in enumerate(self.bars, 1) if bar.n_notes), default=0)


@suggesting
@dataclass(slots=True)
class Score:
    """A piece: tracks of equally many bars. `source` remembers the file it came from, so writing loses nothing."""

    tracks: list[Track] = setting([], "parts, playing the same bars")
    resolution: int = setting(480, "ticks per quarter note", 1, FINEST, example=480)
    tempo: int = setting(
        500_000, "microseconds per quarter note (the first tempo of the file)", 1, MOST, example=500_000
    )
    source: MidiSource | None = field(default=None, repr=False, compare=False, metadata={"hidden": True})

    @classmethod
    def from_midi(
        cls,
        file: str | PathLike[str] | bytes | IO[bytes],
        split_channels: bool = False,
        limits: ReadLimits | None = None,
    ) -> Score:
        """Read a .mid file: a path, its bytes, or a binary file object. Raises MidiFileError.

        A line that plays over several channels (MPE, guitar strings) is one track, unless `split_channels`. `limits`
        bounds bars, tracks and notes; a song beyond them is refused (SongTooLargeError) before it is built.
        """
        from midigpt_core.midi_file import read_score

        return read_score(file, split_channels, limits)

    @classmethod
    def from_bytes(cls, data: bytes) -> Score:
        """Read the bytes of a .mid file. Raises MidiFileError."""
        return cls.from_midi(data)

    def to_midi(self, file: str | PathLike[str] | IO[bytes]) -> None:
        """Write a .mid file: into the file this score came from, changed bars only, or from scratch."""
        from midigpt_core.midi_file import write_score

        check_score(self)
        write_score(self, file)

    @classmethod
    def from_dict(cls, data: dict[str, Any], limits: ReadLimits | None = None) -> Score:
        """Build a score from its JSON form. Raises ScoreError naming an unknown or wrongly typed key.

        A score beyond the limits is refused (SongTooLargeError) before it is built.
        """
        if limits is not None:
            _check_size(data, limits)
        return read(cls, data, "score", _DATA)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: plain dicts, lists and numbers; `from_dict` is its inverse."""
        return {
            "resolution": self.resolution,
            "tempo": self.tempo,
            "tracks": [_track_to_dict(track) for track in self.tracks],
        }

    def resample(self, target_tpq: int) -> Score:
        """A copy with `target_tpq` ticks to the quarter note; onsets and durations are rounded to the nearest."""
        scale = target_tpq / self.resolution

        def moved(note: Note) -> Note:
            length = max(1, round(note.duration_ticks * scale))
            return replace(note, onset_ticks=round(note.onset_ticks * scale), duration_ticks=length)

        tracks = [
            replace(track, bars=[replace(bar, notes=[moved(note) for note in bar.notes]) for bar in track.bars])
            for track in self.tracks
        ]
        return replace(self, tracks=tracks, resolution=target_tpq)

    def __repr__(self) -> str:
        notes = sum(track.count_notes(0, track.n_bars) for track in self.tracks)
        names = ", ".join(track.name or track.track_type for track in self.tracks[:8])
        more = ", ..." if len(self.tracks) > 8 else ""
        bpm = bpm_of(self.tempo) if self.tempo else 0.0
        return f"Score({self.n_bars} bars, {notes} notes, {bpm:.4g} bpm, tracks: {names}{more})"

    def _repr_html_(self) -> str:
        """A piano roll that plays, for notebooks."""
        from midigpt_core.notebook import piano_roll

        return piano_roll(self)

    @property
    def n_bars(self) -> int:
        """Bars of the longest track."""
        return max((track.n_bars for track in self.tracks), default=0)

    @property
    def heard_bars(self) -> int:
        """Bars up to the last one in which a note begins; all where none does."""
        return max((track.heard_bars for track in self.tracks), default=0) or self.n_bars


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


# ---- reading the JSON form, and looking at what Python code has made ----


def _malformed(name: str, value: Any, problem: str, remedy: str) -> ScoreError:
    return ScoreError(sentence(name, value, problem, remedy))


_DATA, _VALUES = Door(_malformed), Door(_malformed, data=False)


def check_score(score: Score) -> None:
    """Look at every value of a score, as `from_dict` does. Raises ScoreError naming the first that cannot be.

    What nobody has asked for is as it was in the file, and left alone.
    """
    check_values(score, "score", _VALUES, without="tracks")
    bars = [bar for track in score.tracks if track.part is None for bar in track.bars]
    notes = [note for bar in bars if bar.stretch is None for note in bar.notes]
    if (
        all_sound(Track, score.tracks, _VALUES, "bars")
        and all_sound(Bar, bars, _VALUES, "notes")
        and all_sound(Note, notes, _VALUES)
    ):
        return
    for t, track in enumerate(score.tracks):
        where = f"score.tracks[{t}]"
        check_values(track, where, _VALUES, without="bars")
        for b, bar in enumerate(track.bars):
            check_values(bar, f"{where}.bars[{b}]", _VALUES)


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
