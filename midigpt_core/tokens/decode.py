"""Tokens back to bars of notes: the readable reference, mirror image of encode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from midigpt_core.music import quarters_of
from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

DEFAULT_VELOCITY = 100  # of notes no velocity token speaks of
DRUM_TICKS = 1  # drum hits have no duration token

# Track-level attribute tokens and the key their value is kept under.
TRACK_KEYS: Mapping[TokenType, str] = {
    TokenType.NOTE_DENSITY: "note_density",
    TokenType.MIN_POLYPHONY: "min_polyphony",
    TokenType.MAX_POLYPHONY: "max_polyphony",
    TokenType.MIN_NOTE_DURATION: "min_note_duration",
    TokenType.MAX_NOTE_DURATION: "max_note_duration",
    TokenType.SILENCE_PROPORTION: "silence_proportion",
    TokenType.KEY_SIGNATURE: "key_signature",
    TokenType.PITCH_RANGE: "pitch_range",
    TokenType.TRACK_LEVEL_SILENCE_PROPORTION_MIN: "silence_proportion_min",
    TokenType.TRACK_LEVEL_ONSET_DENSITY: "track_onset_density",
    TokenType.TRACK_LEVEL_ONSET_POLYPHONY_MIN: "track_onset_polyphony_min",
    TokenType.TRACK_LEVEL_NOMML: "nomml",
}

# Tokens that are track-level attributes before the first bar of a track and something else inside bars.
HEAD_KEYS: Mapping[TokenType, str] = {
    TokenType.ONSET_POLYPHONY: "onset_polyphony",
    TokenType.NOTE_DURATION: "note_duration_dist",
}

# Bar-level attribute tokens; their value is kept under "bar_<name>_<bar>".
BAR_KEYS: Mapping[TokenType, str] = {
    TokenType.BAR_LEVEL_ONSET_DENSITY: "BarLevelOnsetDensity",
    TokenType.BAR_LEVEL_ONSET_POLYPHONY_MIN: "BarLevelOnsetPolyphonyMin",
    TokenType.BAR_LEVEL_ONSET_POLYPHONY_MAX: "BarLevelOnsetPolyphonyMax",
    TokenType.PITCH_CLASS_SET: "PitchClassSet",
    TokenType.TENSION: "Tension",
    TokenType.TENSION_DRUM: "TensionDrum",
}

PITCHES = (TokenType.NOTE_ONSET, TokenType.NOTE_PITCH)


def decode(tokens: Sequence[int], vocabulary: Vocabulary) -> Score:
    """The score a prompt (and what was written after it) speaks of, at `config.resolution`.

    Fill-in blocks go to the bars of their placeholders. Raises TokenError for ids outside the vocabulary.
    """
    reader = _NoteReader(vocabulary)
    for token in filled_in(tokens, vocabulary):
        reader.read(*vocabulary.decode(int(token)))
    return Score(tracks=reader.tracks, resolution=vocabulary.config.resolution)


def filled_in(tokens: Iterable[int], vocabulary: Vocabulary) -> list[int]:
    """The tokens with each placeholder replaced by the fill-in block that belongs to it, the blocks themselves gone."""
    listed = [int(token) for token in tokens]
    place, start, end = (
        vocabulary.range(kind)[0]
        for kind in (TokenType.FILL_IN_PLACEHOLDER, TokenType.FILL_IN_START, TokenType.FILL_IN_END)
    )
    if min(place, start, end) < 0 or start not in listed:
        return listed
    starts = [i for i, token in enumerate(listed) if token == start]
    blocks = iter([_until(listed, i + 1, end) for i in starts])
    out: list[int] = []
    for token in listed[: starts[0]]:
        out += next(blocks, [token]) if token == place else [token]
    return out


def _until(tokens: list[int], begin: int, end_token: int) -> list[int]:
    end = tokens.index(end_token, begin) if end_token in tokens[begin:] else len(tokens)
    return tokens[begin:end]


class _NoteReader:
    """The growing score, and what the tokens read so far say about the next note."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.tracks: list[Track] = []
        self._track: Track | None = None
        self._bar: Bar | None = None
        self._position = 0
        self._velocity = DEFAULT_VELOCITY
        self._direction = 1
        self._delta = 0
        self._pitch: int | None = None  # of the token just read, if it was a pitch

    def read(self, kind: TokenType, value: int) -> None:
        """Take in one token."""
        pitch, self._pitch = self._pitch, None
        if kind is TokenType.NOTE_DURATION and self._bar is not None:
            if pitch is not None:
                self._note(pitch, value + 1)
        elif kind in _STEPS:
            _STEPS[kind](self, value)
        elif self._track is not None:
            self._attribute(kind, value, self._track)

    def _start_track(self, value: int) -> None:
        self._track = Track(track_type=DRUM if value == 1 else MELODIC)
        self.tracks.append(self._track)
        self._bar = None
        self._velocity = DEFAULT_VELOCITY
        self._at(0)

    def _end_track(self, value: int) -> None:
        self._track = self._bar = None

    def _instrument(self, value: int) -> None:
        if self._track is not None:
            self._track.instrument = self.vocabulary.instruments.decode(value)

    def _start_bar(self, value: int) -> None:
        self._at(0)
        if self._track is not None:
            self._bar = Bar()
            self._track.bars.append(self._bar)

    def _metre(self, value: int) -> None:
        numerator, denominator = self.vocabulary.metre_of(value)
        if self._bar is not None:
            self._bar.ts_numerator, self._bar.ts_denominator = numerator, denominator
            self._bar.beat_length = quarters_of(numerator, denominator)

    def _at(self, value: int) -> None:
        self._position = value
        self._direction, self._delta = 1, 0

    def _set_velocity(self, value: int) -> None:
        levels = self.vocabulary.velocities
        self._velocity = levels.decode(value) if levels is not None and value > 0 else DEFAULT_VELOCITY

    def _early(self, value: int) -> None:
        self._direction, self._delta = -1, 0

    def _add_delta(self, value: int) -> None:
        self._delta += self._direction * value

    def _pitched(self, value: int) -> None:
        self._pitch = value
        if self._track is not None and self._track.track_type == DRUM:
            self._note(value, DRUM_TICKS)

    def _note(self, pitch: int, duration: int) -> None:
        if self._bar is not None:
            self._bar.notes.append(Note(pitch, self._velocity, self._position, duration, self._delta))
            self._direction, self._delta = 1, 0

    def _attribute(self, kind: TokenType, value: int, track: Track) -> None:
        if kind in TRACK_KEYS:
            track.attributes[TRACK_KEYS[kind]] = value
        elif kind in HEAD_KEYS and not track.bars:
            track.attributes[HEAD_KEYS[kind]] = value
        elif kind in BAR_KEYS and track.bars:
            track.attributes[f"bar_{BAR_KEYS[kind]}_{len(track.bars) - 1}"] = value


_STEPS: Mapping[TokenType, Callable[[_NoteReader, int], None]] = {
    TokenType.TRACK: _NoteReader._start_track,
    TokenType.TRACK_END: _NoteReader._end_track,
    TokenType.INSTRUMENT: _NoteReader._instrument,
    TokenType.BAR: _NoteReader._start_bar,
    TokenType.TIME_SIG: _NoteReader._metre,
    TokenType.TIME_ABSOLUTE_POS: _NoteReader._at,
    TokenType.VELOCITY_LEVEL: _NoteReader._set_velocity,
    TokenType.DELTA_DIRECTION: _NoteReader._early,
    TokenType.DELTA: _NoteReader._add_delta,
    **dict.fromkeys(PITCHES, _NoteReader._pitched),
}
