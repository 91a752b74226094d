"""The table of token types: name, legacy spelling, scope, meaning of the value."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from midigpt_core.errors import EncoderConfigError


class TokenType(str, Enum):
    """Kinds of tokens. The value is the name written in encoder configurations; the last block are second names."""

    __hash__ = str.__hash__  # Enum's own is written in Python, and kinds are looked up for every token

    PIECE_START = "PieceStart"
    NOTE_ONSET = "NoteOnset"
    NOTE_OFFSET = "NoteOffset"
    NOTE_PITCH = "NotePitch"
    NON_PITCH = "NonPitch"
    VELOCITY = "Velocity"
    TIME_DELTA = "TimeDelta"
    TIME_ABSOLUTE_POS = "TimeAbsolutePos"
    INSTRUMENT = "Instrument"
    BAR = "Bar"
    BAR_END = "BarEnd"
    TRACK = "Track"
    TRACK_END = "TrackEnd"
    DRUM_TRACK = "DrumTrack"
    FILL_IN = "FillIn"
    FILL_IN_PLACEHOLDER = "FillInPlaceholder"
    FILL_IN_START = "FillInStart"
    FILL_IN_END = "FillInEnd"
    HEADER = "Header"
    VELOCITY_LEVEL = "VelocityLevel"
    GENRE = "Genre"
    NOTE_DENSITY = "NoteDensity"
    TIME_SIG = "TimeSig"
    SEGMENT = "Segment"
    SEGMENT_END = "SegmentEnd"
    SEGMENT_FILL_IN = "SegmentFillIn"
    NOTE_DURATION = "NoteDuration"
    AV_POLYPHONY = "AvPolyphony"
    MIN_POLYPHONY = "MinPolyphony"
    MAX_POLYPHONY = "MaxPolyphony"
    MIN_NOTE_DURATION = "MinNoteDuration"
    MAX_NOTE_DURATION = "MaxNoteDuration"
    NUM_BARS = "NumBars"
    MIN_POLYPHONY_HARD = "MinPolyphonyHard"
    MAX_POLYPHONY_HARD = "MaxPolyphonyHard"
    MIN_NOTE_DURATION_HARD = "MinNoteDurationHard"
    MAX_NOTE_DURATION_HARD = "MaxNoteDurationHard"
    REST_PERCENTAGE = "RestPercentage"
    PITCH_CLASS = "PitchClass"
    PITCH_CLASS_COUNT = "PitchClassCount"
    BAR_LEVEL_ONSET_DENSITY = "BarLevelOnsetDensity"
    BAR_LEVEL_ONSET_POLYPHONY_MIN = "BarLevelOnsetPolyphonyMin"
    BAR_LEVEL_ONSET_POLYPHONY_MAX = "BarLevelOnsetPolyphonyMax"
    TRACK_LEVEL_ONSET_DENSITY = "TrackLevelOnsetDensity"
    TRACK_LEVEL_ONSET_POLYPHONY_MIN = "TrackLevelOnsetPolyphonyMin"
    TRACK_LEVEL_ONSET_POLYPHONY_MAX = "TrackLevelOnsetPolyphonyMax"
    TRACK_LEVEL_ONSET_DENSITY_MIN = "TrackLevelOnsetDensityMin"
    TRACK_LEVEL_ONSET_DENSITY_MAX = "TrackLevelOnsetDensityMax"
    TRACK_LEVEL_PITCH_RANGE_MIN = "TrackLevelPitchRangeMin"
    TRACK_LEVEL_PITCH_RANGE_MAX = "TrackLevelPitchRangeMax"
    KEY_SIGNATURE = "KeySignature"
    BAR_LEVEL_PITCH_CLASS_SET = "BarLevelPitchClassSet"
    TRACK_LEVEL_SILENCE_PROPORTION_MIN = "TrackLevelSilenceProportionMin"
    TRACK_LEVEL_SILENCE_PROPORTION_MAX = "TrackLevelSilenceProportionMax"
    VALENCE_SPOTIFY = "ValenceSpotify"
    ENERGY_SPOTIFY = "EnergySpotify"
    DANCEABILITY_SPOTIFY = "DanceabilitySpotify"
    DANCEABILITY = "Danceability"
    TENSION = "Tension"
    CONTAINS_NOTE_DURATION_THIRTY_SECOND = "ContainsNoteDurationThirtySecond"
    CONTAINS_NOTE_DURATION_SIXTEENTH = "ContainsNoteDurationSixteenth"
    CONTAINS_NOTE_DURATION_EIGHTH = "ContainsNoteDurationEighth"
    CONTAINS_NOTE_DURATION_QUARTER = "ContainsNoteDurationQuarter"
    CONTAINS_NOTE_DURATION_HALF = "ContainsNoteDurationHalf"
    CONTAINS_NOTE_DURATION_WHOLE = "ContainsNoteDurationWhole"
    WNBD_SYNCOPATION = "WnbdSyncopation"
    REPETITION = "Repetition"
    DELTA = "Delta"
    DELTA_DIRECTION = "DeltaDirection"
    NONE = "None"
    MASK_BAR = "MaskBar"
    TENSION_DRUM = "TensionDrum"
    USE_VELOCITY = "UseVelocity"
    USE_MICROTIMING = "UseMicrotiming"
    TRACK_LEVEL_NOMML = "TrackLevelNomml"

    ONSET_POLYPHONY = BAR_LEVEL_ONSET_POLYPHONY_MAX
    PITCH_RANGE = TRACK_LEVEL_PITCH_RANGE_MAX
    NOTE_DURATION_DIST = NOTE_DURATION
    SILENCE_PROPORTION = TRACK_LEVEL_SILENCE_PROPORTION_MAX
    PITCH_CLASS_SET = BAR_LEVEL_PITCH_CLASS_SET
    PIECE_END = NONE


class TokenFact(NamedTuple):
    """One row: the type, its spelling in old configurations ("" if none), where it stands, what its value says."""

    type: TokenType
    legacy: str
    scope: str  # "piece", "track", "bar" or "note"
    meaning: str  # "" where a lone marker or a plain level needs no words


TOKEN_FACTS = (
    TokenFact(TokenType.PIECE_START, "TOKEN_PIECE_START", "piece", "0 plain, 1 with bars to fill at the end"),
    TokenFact(TokenType.NOTE_ONSET, "TOKEN_NOTE_ONSET", "note", "MIDI pitch"),
    TokenFact(TokenType.NOTE_OFFSET, "TOKEN_NOTE_OFFSET", "note", ""),
    TokenFact(TokenType.NOTE_PITCH, "TOKEN_PITCH", "note", ""),
    TokenFact(TokenType.NON_PITCH, "TOKEN_NON_PITCH", "note", ""),
    TokenFact(TokenType.VELOCITY, "TOKEN_VELOCITY", "note", ""),
    TokenFact(TokenType.TIME_DELTA, "TOKEN_TIME_DELTA", "note", ""),
    TokenFact(TokenType.TIME_ABSOLUTE_POS, "TOKEN_TIME_ABSOLUTE_POS", "note", "ticks from the bar line"),
    TokenFact(TokenType.INSTRUMENT, "TOKEN_INSTRUMENT", "track", "dense id of a group of General MIDI programs"),
    TokenFact(TokenType.BAR, "TOKEN_BAR", "bar", ""),
    TokenFact(TokenType.BAR_END, "TOKEN_BAR_END", "bar", ""),
    TokenFact(TokenType.TRACK, "TOKEN_TRACK", "track", "0 melodic, 1 drums"),
    TokenFact(TokenType.TRACK_END, "TOKEN_TRACK_END", "track", ""),
    TokenFact(TokenType.DRUM_TRACK, "TOKEN_DRUM_TRACK", "track", ""),
    TokenFact(TokenType.FILL_IN, "TOKEN_FILL_IN", "bar", ""),
    TokenFact(TokenType.FILL_IN_PLACEHOLDER, "TOKEN_FILL_IN_PLACEHOLDER", "bar", ""),
    TokenFact(TokenType.FILL_IN_START, "TOKEN_FILL_IN_START", "piece", ""),
    TokenFact(TokenType.FILL_IN_END, "TOKEN_FILL_IN_END", "piece", ""),
    TokenFact(TokenType.HEADER, "TOKEN_HEADER", "piece", ""),
    TokenFact(TokenType.VELOCITY_LEVEL, "TOKEN_VELOCITY_LEVEL", "note", "level, see grid.VelocityLevels"),
    TokenFact(TokenType.GENRE, "TOKEN_GENRE", "piece", "id of a genre group"),
    TokenFact(TokenType.NOTE_DENSITY, "TOKEN_DENSITY_LEVEL", "track", ""),
    TokenFact(TokenType.TIME_SIG, "TOKEN_TIME_SIGNATURE", "bar", "place in the list of metres"),
    TokenFact(TokenType.SEGMENT, "TOKEN_SEGMENT", "bar", ""),
    TokenFact(TokenType.SEGMENT_END, "TOKEN_SEGMENT_END", "bar", ""),
    TokenFact(TokenType.SEGMENT_FILL_IN, "TOKEN_SEGMENT_FILL_IN", "bar", ""),
    TokenFact(TokenType.NOTE_DURATION, "TOKEN_NOTE_DURATION", "note", "ticks less one"),
    TokenFact(TokenType.AV_POLYPHONY, "TOKEN_AV_POLYPHONY", "track", ""),
    TokenFact(TokenType.MIN_POLYPHONY, "TOKEN_MIN_POLYPHONY", "track", ""),
    TokenFact(TokenType.MAX_POLYPHONY, "TOKEN_MAX_POLYPHONY", "track", ""),
    TokenFact(TokenType.MIN_NOTE_DURATION, "TOKEN_MIN_NOTE_DURATION", "track", ""),
    TokenFact(TokenType.MAX_NOTE_DURATION, "TOKEN_MAX_NOTE_DURATION", "track", ""),
    TokenFact(TokenType.NUM_BARS, "TOKEN_NUM_BARS", "piece", "place in num_bars_map"),
    TokenFact(TokenType.MIN_POLYPHONY_HARD, "TOKEN_MIN_POLYPHONY_HARD", "track", ""),
    TokenFact(TokenType.MAX_POLYPHONY_HARD, "TOKEN_MAX_POLYPHONY_HARD", "track", ""),
    TokenFact(TokenType.MIN_NOTE_DURATION_HARD, "TOKEN_MIN_NOTE_DURATION_HARD", "track", ""),
    TokenFact(TokenType.MAX_NOTE_DURATION_HARD, "TOKEN_MAX_NOTE_DURATION_HARD", "track", ""),
    TokenFact(TokenType.REST_PERCENTAGE, "TOKEN_REST_PERCENTAGE", "track", ""),
    TokenFact(TokenType.PITCH_CLASS, "TOKEN_PITCH_CLASS", "bar", ""),
    TokenFact(TokenType.PITCH_CLASS_COUNT, "TOKEN_PITCH_CLASS_COUNT", "bar", ""),
    TokenFact(TokenType.BAR_LEVEL_ONSET_DENSITY, "TOKEN_BAR_LEVEL_ONSET_DENSITY", "bar", ""),
    TokenFact(TokenType.BAR_LEVEL_ONSET_POLYPHONY_MIN, "TOKEN_BAR_LEVEL_ONSET_POLYPHONY_MIN", "bar", ""),
    TokenFact(TokenType.BAR_LEVEL_ONSET_POLYPHONY_MAX, "TOKEN_BAR_LEVEL_ONSET_POLYPHONY_MAX", "bar", ""),
    TokenFact(TokenType.TRACK_LEVEL_ONSET_DENSITY, "TOKEN_TRACK_LEVEL_ONSET_DENSITY", "track", ""),
    TokenFact(TokenType.TRACK_LEVEL_ONSET_POLYPHONY_MIN, "TOKEN_TRACK_LEVEL_ONSET_POLYPHONY_MIN", "track", ""),
    TokenFact(TokenType.TRACK_LEVEL_ONSET_POLYPHONY_MAX, "TOKEN_TRACK_LEVEL_ONSET_POLYPHONY_MAX", "track", ""),
    TokenFact(TokenType.TRACK_LEVEL_ONSET_DENSITY_MIN, "TOKEN_TRACK_LEVEL_ONSET_DENSITY_MIN", "track", ""),
    TokenFact(TokenType.TRACK_LEVEL_ONSET_DENSITY_MAX, "TOKEN_TRACK_LEVEL_ONSET_DENSITY_MAX", "track", ""),
    TokenFact(TokenType.TRACK_LEVEL_PITCH_RANGE_MIN, "TOKEN_TRACK_LEVEL_PITCH_RANGE_MIN", "track", ""),
    TokenFact(
        TokenType.TRACK_LEVEL_PITCH_RANGE_MAX,
        "TOKEN_TRACK_LEVEL_PITCH_RANGE_MAX",
        "track",
        "semitones from lowest to highest",
    ),
    TokenFact(TokenType.KEY_SIGNATURE, "TOKEN_KEY_SIGNATURE", "track", "0-11 major, 12-23 minor, 24 none"),
    TokenFact(TokenType.BAR_LEVEL_PITCH_CLASS_SET, "TOKEN_BAR_LEVEL_PITCH_CLASS_SET", "bar", "number of pitch classes"),
    TokenFact(TokenType.TRACK_LEVEL_SILENCE_PROPORTION_MIN, "TOKEN_TRACK_LEVEL_SILENCE_PROPORTION_MIN", "track", ""),
    TokenFact(
        TokenType.TRACK_LEVEL_SILENCE_PROPORTION_MAX,
        "TOKEN_TRACK_LEVEL_SILENCE_PROPORTION_MAX",
        "track",
        "tenths of silence",
    ),
    TokenFact(TokenType.VALENCE_SPOTIFY, "TOKEN_VALENCE_SPOTIFY", "track", ""),
    TokenFact(TokenType.ENERGY_SPOTIFY, "TOKEN_ENERGY_SPOTIFY", "track", ""),
    TokenFact(TokenType.DANCEABILITY_SPOTIFY, "TOKEN_DANCEABILITY_SPOTIFY", "track", ""),
    TokenFact(TokenType.DANCEABILITY, "TOKEN_DANCEABILITY", "track", ""),
    TokenFact(TokenType.TENSION, "TOKEN_BAR_LEVEL_TENSION", "bar", ""),
    TokenFact(
        TokenType.CONTAINS_NOTE_DURATION_THIRTY_SECOND, "TOKEN_CONTAINS_NOTE_DURATION_THIRTY_SECOND", "track", ""
    ),
    TokenFact(TokenType.CONTAINS_NOTE_DURATION_SIXTEENTH, "TOKEN_CONTAINS_NOTE_DURATION_SIXTEENTH", "track", ""),
    TokenFact(TokenType.CONTAINS_NOTE_DURATION_EIGHTH, "TOKEN_CONTAINS_NOTE_DURATION_EIGHTH", "track", ""),
    TokenFact(TokenType.CONTAINS_NOTE_DURATION_QUARTER, "TOKEN_CONTAINS_NOTE_DURATION_QUARTER", "track", ""),
    TokenFact(TokenType.CONTAINS_NOTE_DURATION_HALF, "TOKEN_CONTAINS_NOTE_DURATION_HALF", "track", ""),
    TokenFact(TokenType.CONTAINS_NOTE_DURATION_WHOLE, "TOKEN_CONTAINS_NOTE_DURATION_WHOLE", "track", ""),
    TokenFact(TokenType.WNBD_SYNCOPATION, "TOKEN_WNBD_SYNCOPATION", "track", ""),
    TokenFact(TokenType.REPETITION, "TOKEN_REPETITION", "track", ""),
    TokenFact(TokenType.DELTA, "TOKEN_DELTA", "note", "micro-timing in parts of a tick"),
    TokenFact(TokenType.DELTA_DIRECTION, "TOKEN_DELTA_DIRECTION", "note", "0: the next Delta is early"),
    TokenFact(TokenType.NONE, "TOKEN_NONE", "piece", ""),
    TokenFact(TokenType.MASK_BAR, "TOKEN_MASK_BAR", "bar", ""),
    TokenFact(TokenType.TENSION_DRUM, "TOKEN_BAR_LEVEL_TENSION_DRUM", "bar", ""),
    TokenFact(TokenType.USE_VELOCITY, "", "piece", "0 off, 1 on"),
    TokenFact(TokenType.USE_MICROTIMING, "", "piece", "0 off, 1 on"),
    TokenFact(TokenType.TRACK_LEVEL_NOMML, "", "track", "median metric depth"),
)

SECOND_NAMES = {
    "OnsetPolyphony": TokenType.ONSET_POLYPHONY,
    "PitchRange": TokenType.PITCH_RANGE,
    "NoteDurationDist": TokenType.NOTE_DURATION_DIST,
    "SilenceProportion": TokenType.SILENCE_PROPORTION,
    "PitchClassSet": TokenType.PITCH_CLASS_SET,
    "PieceEnd": TokenType.PIECE_END,
}

_BY_NAME = {
    **{fact.type.value: fact.type for fact in TOKEN_FACTS},
    **{fact.legacy: fact.type for fact in TOKEN_FACTS if fact.legacy},
    **SECOND_NAMES,
}
SCOPES = {fact.type: fact.scope for fact in TOKEN_FACTS}


def token_type(name: str) -> TokenType:
    """The type with this name, second name or legacy TOKEN_* spelling. Raises EncoderConfigError for any other."""
    try:
        return _BY_NAME[name]
    except (KeyError, TypeError):
        raise EncoderConfigError(
            f"token_domains: unknown token type {name!r}; see TokenType for the known names"
        ) from None
