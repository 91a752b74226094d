"""A window of bars as the tokens of a prompt: the readable reference, mirror image of decode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from midigpt_core.errors import TokenError
from midigpt_core.score import DRUM, Bar, Note, Score, Track
from midigpt_core.tokens.hiding import HIDINGS
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

# Track-level attributes in the order they are written, by their key in Track.attributes.
TRACK_ATTRIBUTES = (
    ("min_polyphony", TokenType.MIN_POLYPHONY),
    ("max_polyphony", TokenType.MAX_POLYPHONY),
    ("min_note_duration", TokenType.MIN_NOTE_DURATION),
    ("max_note_duration", TokenType.MAX_NOTE_DURATION),
    ("note_density", TokenType.NOTE_DENSITY),
    ("onset_polyphony", TokenType.ONSET_POLYPHONY),
    ("pitch_range", TokenType.PITCH_RANGE),
    ("key_signature", TokenType.KEY_SIGNATURE),
    ("silence_proportion", TokenType.SILENCE_PROPORTION),
    ("nomml", TokenType.TRACK_LEVEL_NOMML),
)

# Bar-level attributes in the order they are written; the key is "bar_<name>_<bar>".
BAR_ATTRIBUTES = (
    ("Tension", TokenType.TENSION),
    ("TensionDrum", TokenType.TENSION_DRUM),
    ("PitchClassSet", TokenType.PITCH_CLASS_SET),
    ("BarLevelOnsetDensity", TokenType.BAR_LEVEL_ONSET_DENSITY),
    ("BarLevelOnsetPolyphonyMin", TokenType.BAR_LEVEL_ONSET_POLYPHONY_MIN),
    ("BarLevelOnsetPolyphonyMax", TokenType.BAR_LEVEL_ONSET_POLYPHONY_MAX),
)


@dataclass(frozen=True)
class EncodeOptions:
    """What a caller wants of one prompt. Switches: -1 follows the encoder, 0 off, 1 on."""

    window_bars: int = 0  # length announced by NumBars; 0: the bars the score has
    infill: frozenset[tuple[int, int]] = frozenset()  # (track, bar) cells to fill in, given after the tracks
    partial_track: int = -1  # this track stays open at its end, to be continued; -1: none
    partial_bars: int = -1  # bars of that track to write
    hiding: str = "token"  # how `future` bars are shown: "token", "span" or "remove"
    use_velocity: int = -1  # velocity tokens
    use_microtiming: int = -1  # micro-timing tokens
    genre: int = -1  # genre id; -1: none


@dataclass(frozen=True)
class Encoded:
    """A prompt, and the [start, end) stretches of it that must be kept from attention."""

    tokens: list[int]
    hidden_spans: list[tuple[int, int]] = field(default_factory=list)


def encode(score: Score, vocabulary: Vocabulary, options: EncodeOptions | None = None) -> Encoded:
    """Tokens of a score on the model's grid; attribute values are read from `Track.attributes`.

    Raises TokenError where the score or the options do not fit the vocabulary.
    """
    options = options or EncodeOptions()
    check_options(vocabulary, options, [len(track.bars) for track in score.tracks])
    writer = _Writer(vocabulary, options)
    writer.head(score)
    for index, track in enumerate(score.tracks):
        writer.track(index, track)
    writer.fills(score)
    writer.mark(TokenType.PIECE_END)
    return Encoded(writer.tokens, writer.spans)


def check_options(vocabulary: Vocabulary, options: EncodeOptions, bars: Sequence[int]) -> None:
    """Raises TokenError for options that this vocabulary, or a score with `bars` bars in each track, cannot follow."""
    if options.hiding not in HIDINGS:
        raise TokenError(f"hiding: {options.hiding!r} is not one of {', '.join(HIDINGS)}")
    if options.infill and not vocabulary.config.supports_infill:
        raise TokenError("infill: this encoder cannot fill in bars (supports_infill is false)")
    for track, bar in options.infill:
        if not (0 <= track < len(bars) and 0 <= bar < bars[track]):
            raise TokenError(f"infill: the window has no bar {bar} in a track {track} (both count from 0)")
    if options.partial_track >= len(bars):
        raise TokenError(f"partial_track: the window has no track {options.partial_track} (counting from 0)")


class _Writer:
    """The growing prompt."""

    def __init__(self, vocabulary: Vocabulary, options: EncodeOptions) -> None:
        self.vocabulary = vocabulary
        self.options = options
        self.hiding = HIDINGS[options.hiding]
        self.velocities = vocabulary.velocities if options.use_velocity != 0 else None
        self.deltas = options.use_microtiming != 0 and vocabulary.config.emit_delta_tokens
        self.durations = vocabulary.domain_size(TokenType.NOTE_DURATION)
        self.tokens: list[int] = []
        self.spans: list[tuple[int, int]] = []

    def add(self, kind: TokenType, value: int) -> None:
        """A token of this type where the vocabulary has it, its value brought into the domain."""
        if self.vocabulary.has(kind):
            self.tokens.append(self.vocabulary.encode_nearest(kind, value))

    def mark(self, kind: TokenType) -> None:
        """A token that says nothing but its type."""
        self.add(kind, 0)

    def head(self, score: Score) -> None:
        options, config = self.options, self.vocabulary.config
        self.add(TokenType.PIECE_START, 1 if options.infill else 0)
        self.add(TokenType.USE_VELOCITY, int(options.use_velocity != 0))
        self.add(TokenType.USE_MICROTIMING, int(options.use_microtiming != 0))
        if options.genre >= 0:
            self.add(TokenType.GENRE, options.genre)
        if self.vocabulary.has(TokenType.NUM_BARS):
            bars = max(options.window_bars, 0) or score.n_bars or config.model_dim
            self.add(TokenType.NUM_BARS, self.vocabulary.num_bars_value(bars))

    def track(self, index: int, track: Track) -> None:
        self.add(TokenType.TRACK, int(track.track_type == DRUM))
        self.add(TokenType.INSTRUMENT, self.vocabulary.instruments.encode(track.instrument))
        for key, kind in TRACK_ATTRIBUTES:
            if key in track.attributes:
                self.add(kind, track.attributes[key])
        open_end = index == self.options.partial_track and self.options.partial_bars >= 0
        bars = track.bars[: self.options.partial_bars] if open_end else track.bars
        for bar_index, bar in enumerate(bars):
            self.bar(index, bar_index, track, bar)
        if not open_end:
            self.mark(TokenType.TRACK_END)

    def bar(self, index: int, bar_index: int, track: Track, bar: Bar) -> None:
        start = len(self.tokens)
        self.mark(TokenType.BAR)
        if self.hiding.shows_attributes or not bar.future:
            for name, kind in BAR_ATTRIBUTES:
                key = f"bar_{name}_{bar_index}"
                if key in track.attributes:
                    self.add(kind, track.attributes[key])
        if self.vocabulary.has(TokenType.TIME_SIG):
            self.add(TokenType.TIME_SIG, self.vocabulary.metre_value((bar.ts_numerator, bar.ts_denominator)))
        hidden = self.bar_body(track, bar, (index, bar_index) in self.options.infill)
        self.mark(TokenType.BAR_END)
        if hidden and self.hiding.records_span and len(self.tokens) > start:
            self.spans.append((start, len(self.tokens)))

    def bar_body(self, track: Track, bar: Bar, to_fill: bool) -> bool:
        """What stands between a bar's head and its end; whether the bar was hidden."""
        placeholder = to_fill and (self.hiding.keeps_placeholder or not bar.future)
        if placeholder and self.vocabulary.has(TokenType.FILL_IN_PLACEHOLDER):
            self.mark(TokenType.FILL_IN_PLACEHOLDER)
            return False
        body = self.hiding.body(self.vocabulary) if bar.future else None
        if body is not None:
            self.tokens += body
        elif not to_fill:
            self.notes(bar, track.track_type == DRUM)
        return body is not None

    def fills(self, score: Score) -> None:
        """The bars to fill in, after the tracks, in order of track and bar."""
        for index, bar_index in sorted(self.options.infill):
            track = score.tracks[index]
            self.mark(TokenType.FILL_IN_START)
            self.notes(track.bars[bar_index], track.track_type == DRUM)
            self.mark(TokenType.FILL_IN_END)

    def notes(self, bar: Bar, drums: bool) -> None:
        """Notes by onset, then by pitch; equal ones in the order they are listed."""
        position, level = 0, -1
        for note in sorted(bar.notes, key=lambda n: (n.onset_ticks, n.pitch)):
            if note.onset_ticks != position:
                position = note.onset_ticks
                if position > 0:
                    self.add(TokenType.TIME_ABSOLUTE_POS, position)
            level = self.velocity(note, level)
            if self.deltas and note.delta:
                self.delta(note.delta)
            self.tokens.append(self.vocabulary.encode_nearest(TokenType.NOTE_ONSET, note.pitch))
            if not drums:
                self.add(TokenType.NOTE_DURATION, min(note.duration_ticks, self.durations) - 1)

    def velocity(self, note: Note, level: int) -> int:
        """The level token where it is due; the level now in force."""
        if self.velocities is None:
            return level
        now = self.velocities.encode(note.velocity)
        if now > 0 and not (self.vocabulary.config.velocity_sticky and now == level):
            self.add(TokenType.VELOCITY_LEVEL, now)
            return now
        return level

    def delta(self, delta: int) -> None:
        if delta < 0 and self.vocabulary.has(TokenType.DELTA_DIRECTION):
            self.mark(TokenType.DELTA_DIRECTION)
            delta = -delta
        if delta > 0:
            self.add(TokenType.DELTA, delta)
