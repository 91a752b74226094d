"""Audio to MIDI: listen, find the notes, find the beats, and write bars that can be filled in."""

from __future__ import annotations

import csv
import io
import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from midigpt_core.audio.audio_files import read_audio
from midigpt_core.audio.beats import Pulse, check_tempo, find_pulse, follow_beats
from midigpt_core.audio.note_finding import FindingSettings, HeardNote, find_notes
from midigpt_core.audio.pitch_model import BINS_PER_SEMITONE, RATE, listen, model_file
from midigpt_core.errors import AudioError
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.midi_file.chunks import TRACK, FileChunk, FileLayout
from midigpt_core.midi_file.events import TEMPO, Event, meta, write_events
from midigpt_core.midi_file.source import MidiSource
from midigpt_core.score import Bar, Note, Score, Track

RESOLUTION = 480
NOTES_HEADER = ("start_time_s", "end_time_s", "pitch_midi", "velocity", "pitch_bend")

_BEND = 0xE0
_BEND_STEP = 8192 / 2 / BINS_PER_SEMITONE  # pitch wheel units per contour bin, at the usual reach of two semitones
_LONGEST_MINUTES = 60


@dataclass(frozen=True)
class TranscribeSettings:
    """How audio becomes bars of notes."""

    finding: FindingSettings = field(default_factory=FindingSettings)
    bpm: float | None = None  # beats per minute; none: estimated
    metre: tuple[int, int] = (4, 4)  # beats per bar, and the note that is a beat
    downbeat: float | None = None  # second at which a bar begins; none: estimated
    follow: bool = False  # a tempo for every beat, for music that speeds up and slows down
    snap: int = 0  # notes begin and end on this many parts of a quarter note; 0: where they were played
    bends: bool = False  # write the pitch bends of notes that sound alone
    program: int = 0  # General MIDI instrument of the track

    def __post_init__(self) -> None:
        numerator, denominator = self.metre
        if not 1 <= numerator <= 32 or denominator not in (2, 4, 8, 16):
            raise AudioError(f"metre {numerator}/{denominator} is not supported; give one such as 4/4, 3/4 or 6/8")
        check_tempo(self.bpm)
        if self.downbeat is not None and not abs(self.downbeat) <= _LONGEST_MINUTES * 60:
            raise AudioError(f"downbeat is {self.downbeat}; give a second of the audio")
        if not 0 <= self.snap <= 48:
            raise AudioError(f"snap is {self.snap}; give 0 (off) to 48 parts of a quarter note")


@dataclass(frozen=True)
class Transcription:
    """What was heard. Add `offset` to a time in the audio to get its time in the MIDI file."""

    notes: tuple[HeardNote, ...]
    midi: bytes
    pulse: Pulse
    seconds: float  # of audio
    bars: int

    @property
    def offset(self) -> float:
        """Seconds from a time in the audio to the same time in the MIDI file."""
        return -self.pulse.downbeat

    def notes_csv(self) -> str:
        """The notes as a table; a note's pitch bends (thirds of a semitone) follow in its last columns."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(NOTES_HEADER)
        for note in self.notes:
            writer.writerow([f"{note.start:.6f}", f"{note.end:.6f}", note.pitch, note.velocity, *note.bends])
        return out.getvalue()


def transcribe(
    path: str | os.PathLike[str],
    settings: TranscribeSettings | None = None,
    progress: Callable[[float], None] | None = None,
) -> Transcription:
    """Transcribe a wav, mp3, flac or ogg file. Raises AudioFileError, AudioError."""
    settings = settings or TranscribeSettings()
    model_file()
    samples, rate = read_audio(path)
    if len(samples) / rate > _LONGEST_MINUTES * 60:
        raise AudioError(f"{path}: longer than {_LONGEST_MINUTES} minutes; cut it into parts")
    return transcribe_samples(_resampled(samples, rate), settings, progress)


def transcribe_samples(
    samples: npt.NDArray[np.float32],
    settings: TranscribeSettings | None = None,
    progress: Callable[[float], None] | None = None,
) -> Transcription:
    """Transcribe mono audio at 22,050 Hz, shape (samples,)."""
    settings = settings or TranscribeSettings()
    notes = find_notes(listen(samples, progress), settings.finding)
    pulse = find_pulse(samples, notes, settings.metre, settings.bpm, settings.downbeat)
    if settings.follow:
        pulse = follow_beats(samples, pulse)
    score = score_of(notes, pulse, settings)
    midi = _with_events(
        score_to_bytes(score), _tempi(pulse, settings, score.n_bars), _bend_events(notes, pulse, settings)
    )
    return Transcription(tuple(notes), midi, pulse, len(samples) / RATE, score.n_bars)


def score_of(notes: Sequence[HeardNote], pulse: Pulse, settings: TranscribeSettings) -> Score:
    """The notes in bars of the metre, in one track."""
    numerator, denominator = settings.metre
    ticks_per_bar = RESOLUTION * 4 * numerator // denominator
    placed = [(*_ticks(note, pulse, settings), note) for note in notes]
    last = max((start for start, _, _ in placed), default=0)
    bars = [Bar([], numerator, denominator, ticks_per_bar / RESOLUTION) for _ in range(last // ticks_per_bar + 1)]
    for start, stop, note in placed:
        bar, onset = divmod(start, ticks_per_bar)
        bars[bar].notes.append(Note(note.pitch, note.velocity, onset, stop - start))
    track = Track(bars, settings.program, name="Transcription", channel=0)
    return Score([track], resolution=RESOLUTION, tempo=round(_beat_tempo(pulse.period, settings)))


def _ticks(note: HeardNote, pulse: Pulse, settings: TranscribeSettings) -> tuple[int, int]:
    start, stop = (_tick(second, pulse, settings) for second in (note.start, note.end))
    if settings.snap:
        step = RESOLUTION / settings.snap
        start, stop = (round(round(tick / step) * step) for tick in (start, stop))
        stop = max(stop, start + round(step))
    start = max(start, 0)
    return start, max(stop, start + 1)


def _tick(second: float, pulse: Pulse, settings: TranscribeSettings) -> int:
    return round(pulse.beat_at(second) * RESOLUTION * 4 / settings.metre[1])


def _beat_tempo(period: float, settings: TranscribeSettings) -> float:
    """Microseconds per quarter note where a beat takes `period` seconds."""
    return min(max(period * 1e6 * settings.metre[1] / 4, 1), (1 << 24) - 1)


def _tempi(pulse: Pulse, settings: TranscribeSettings, bars: int) -> list[Event]:
    """A tempo for every beat of these bars, where the pulse is not steady."""
    beat = RESOLUTION * 4 // settings.metre[1]
    found: list[Event] = []
    last = bars * settings.metre[0]
    for number, (start, stop) in enumerate(zip(pulse.beats[:last], pulse.beats[1:], strict=False)):
        tempo = round(_beat_tempo(stop - start, settings))
        found.append((number * beat, meta(TEMPO, tempo.to_bytes(3, "big"))))
    return found


def _bend_events(notes: Sequence[HeardNote], pulse: Pulse, settings: TranscribeSettings) -> list[Event]:
    """Pitch wheel moves under notes that sound alone; it returns to the middle after each."""
    found: list[Event] = []
    if not settings.bends:
        return found
    latest = 0.0
    for note, following in zip(notes, [*notes[1:], None], strict=True):
        alone = note.start >= latest and (following is None or following.start >= note.end)
        latest = max(latest, note.end)
        if not alone or not any(note.bends):
            continue
        times = np.linspace(note.start, note.end, len(note.bends), endpoint=False)
        moves = [(_tick(t, pulse, settings), round(b * _BEND_STEP)) for t, b in zip(times, note.bends, strict=True)]
        moves.append((_tick(note.end, pulse, settings), 0))
        for (tick, value), (_, before) in zip(moves, [(0, 0), *moves], strict=False):
            if value != before:
                wheel = min(max(value + 8192, 0), 16383)
                found.append((max(tick, 0), bytes((_BEND, wheel & 0x7F, wheel >> 7))))
    return found


def _with_events(midi: bytes, first: list[Event], second: list[Event]) -> bytes:
    """A fresh file with further events in its first chunk (tempi, in place of its own) and its second (bends)."""
    if not first and not second:
        return midi
    source = MidiSource(midi)
    tracks = source.read_tracks()
    if first:
        tracks[0].events = [e for e in tracks[0].events if e[1][:2] != bytes((0xFF, TEMPO))]
    for track, more in zip(tracks, (first, second), strict=False):
        for event in more:
            track.events.insert(bisect_right([tick for tick, _ in track.events], event[0]), event)
        track.end_tick = max(track.end_tick, *(tick for tick, _ in track.events), 0)
    chunks = tuple(FileChunk(TRACK, write_events(track)) for track in tracks)
    return FileLayout(source.layout.format, source.division, chunks).join()


def _resampled(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    if rate == RATE:
        return samples
    try:
        import soxr
    except ImportError:
        raise AudioError(
            f'audio at {rate} Hz needs soxr to become {RATE} Hz: pip install "midigpt-cli[transcribe]"'
        ) from None
    changed: npt.NDArray[np.float32] = soxr.resample(samples, rate, RATE).astype(np.float32)
    return changed


def write_notes_csv(found: Transcription, path: str | os.PathLike[str]) -> None:
    """Write the notes as a .csv file. Raises AudioError."""
    try:
        Path(path).write_text(found.notes_csv(), encoding="utf-8")
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {error.strerror or error}") from None
