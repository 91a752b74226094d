"""Write music bar by bar without end: a jam remembers the last bars and writes the next few on demand.

One `Jam` belongs to one player and is not shared between threads; jams of one engine share its model calls.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from midigpt_core.engine import InferenceEngine, SamplingSession
from midigpt_core.fields import check, refused, setting
from midigpt_core.generation.request_plan import MAX_SEED, draw_seed
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.music import bpm_of, quarters_of, tempo_of
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import Bar, Note, Score, Track

RESOLUTION = 480  # ticks per quarter note of every chunk
CONTROL_TRIES = 1  # unless asked otherwise: a jam has no time for the versions it would not play
POOL = 1  # unless asked otherwise: what candidates for bars with nothing behind them agree on is to go on as before
LATE_POLICIES = ("repeat", "rest", "skip")


@dataclass(frozen=True)
class JamSettings:
    """What a jam plays. Bars and tracks count from 0."""

    bpm: float = setting(120.0, "quarter notes per minute", 20.0, 400.0)
    metre: tuple[int, int] = (4, 4)
    bars_per_chunk: int = setting(1, "bars written at a time, up to half a window")
    tracks: tuple[Track, ...] = ()  # instrument, track_type and name of each part; bars in them are ignored
    config: InferenceConfig = field(default_factory=lambda: InferenceConfig(control_tries=CONTROL_TRIES, pool=POOL))
    attributes: Mapping[int, Mapping[str, int]] = field(default_factory=dict)  # control values by track
    controls: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # pitch_mask, ... by track
    late: str = setting("repeat", "what to play when a chunk is late", choices=LATE_POLICIES)
    ramp_seconds: float = setting(0.0, "seconds of music in which a change of tempo is reached", 0.0, 600.0)

    @property
    def bar_quarters(self) -> float:
        """Length of a bar in quarter notes."""
        return quarters_of(*self.metre)

    @property
    def chunk_seconds(self) -> float:
        """How long a chunk plays."""
        return self.bars_per_chunk * self.bar_quarters * 60.0 / self.bpm


@dataclass(frozen=True)
class Chunk:
    """A few bars, written. Notes begin and end inside it; those the end has cut are named."""

    index: int  # from 0
    start_bar: int  # of the jam, from 0
    score: Score  # these bars alone
    seed: int
    version: int  # of the settings they were written under
    latency_ms: float  # from the call to the last note
    cut: int  # notes that would have sounded past the end and stop there

    @property
    def ticks(self) -> int:
        """Length in ticks, RESOLUTION to the quarter."""
        return sum(bar.ticks(RESOLUTION) for bar in self.score.tracks[0].bars)

    def to_dict(self, midi: bool = False) -> dict[str, Any]:
        """The JSON form; with `midi`, also the bars as a base64 .mid file."""
        data: dict[str, Any] = {
            "index": self.index,
            "start_bar": self.start_bar,
            "bars": len(self.score.tracks[0].bars),
            "ticks": self.ticks,
            "resolution": RESOLUTION,
            "bpm": round(bpm_of(self.score.tempo), 3),
            "seed": self.seed,
            "version": self.version,
            "latency_ms": round(self.latency_ms, 3),
            "cut": self.cut,
            "tracks": [_part(track) for track in self.score.tracks],
        }
        if midi:
            data["midi"] = base64.b64encode(score_to_bytes(self.score)).decode("ascii")
        return data


def _part(track: Track) -> dict[str, Any]:
    """A track of a chunk with its notes counted from the chunk's first tick."""
    notes, start = [], 0
    for bar in track.bars:
        for n in sorted(bar.notes, key=lambda n: (n.onset_ticks, n.pitch)):
            notes.append([n.pitch, n.velocity, start + n.onset_ticks, n.duration_ticks])
        start += bar.ticks(RESOLUTION)
    return {"name": track.name, "instrument": track.instrument, "track_type": track.track_type, "notes": notes}


def check_jam(settings: JamSettings, engine: InferenceEngine) -> None:
    """Raises RequestValidationError naming the field."""
    if not settings.tracks:
        raise refused("tracks", [], "names no part", "name at least one, such as {instrument: 33}")
    check(settings, "")
    if settings.config.distance:
        raise refused("config.distance", settings.config.distance, "is for infill", "drop it")
    listed = engine.tokenizer.config.time_signatures
    if listed and tuple(settings.metre) not in listed:
        known = ", ".join(f"{n}/{d}" for n, d in listed)
        raise refused("metre", f"{settings.metre[0]}/{settings.metre[1]}", "is not known to this model", f"use {known}")
    longest = max(engine.tokenizer.config.num_bars_map, default=8) // 2
    if not 1 <= settings.bars_per_chunk <= longest:
        raise refused("bars_per_chunk", settings.bars_per_chunk, "is out of range", f"use 1 to {longest}")


class _Glide:
    """A tempo on its way to another."""

    def __init__(self, start: float, goal: float, seconds: float) -> None:
        self.start, self.goal, self.seconds = start, goal, seconds
        self.bpm, self.played = start, 0.0

    def next_bpm(self, quarters: float) -> float:
        """The tempo of the next chunk: the one that is reached at its end."""
        self.played += quarters * 60.0 / self.bpm
        share = 1.0 if self.played >= self.seconds else self.played / self.seconds
        self.bpm = self.goal if share == 1.0 else self.start + (self.goal - self.start) * share
        return self.bpm


class Jam:
    """The state of one jam: its settings, the bars it remembers, what comes next."""

    def __init__(self, engine: InferenceEngine, settings: JamSettings, song: Score | None = None) -> None:
        """`song` gives the first bars to go on from (its tracks must be as many as the jam's).

        Raises RequestValidationError.
        """
        check_jam(settings, engine)
        self.engine = engine
        self.settings = settings
        self.version = 0
        self.index = 0
        self.bar = 0
        windows = sorted(engine.tokenizer.config.num_bars_map) or [8]
        self.window = next((w for w in windows if w >= max(8, 2 * settings.bars_per_chunk)), windows[-1])
        self.cancel_event = threading.Event()  # set it from any thread to stop the chunk being written
        self._glide = _Glide(settings.bpm, settings.bpm, 0.0)
        self._memory: list[list[Bar]] = [[] for _ in settings.tracks]
        if song is not None:
            self.reseed(song)
        self._session(0)  # refuses settings no chunk could be written under

    def update(self, settings: JamSettings) -> int:
        """Take other settings from the next chunk on; the number of that chunk. Parts and metre stay as they are.

        Raises RequestValidationError.
        """
        check_jam(settings, self.engine)
        if len(settings.tracks) != len(self.settings.tracks) or settings.metre != self.settings.metre:
            raise refused("tracks", None, "and metre cannot change during a jam", "start another jam")
        if settings.bpm != self.settings.bpm:
            self._glide = _Glide(self._glide.bpm, settings.bpm, settings.ramp_seconds)
        self.settings = settings
        self.version += 1
        return self.index

    def reseed(self, song: Score) -> int:
        """Go on from the last bars of `song` instead; the number of the chunk that does first.

        Raises RequestValidationError where its tracks or metre are not the jam's.
        """
        if len(song.tracks) != len(self.settings.tracks):
            wanted = len(self.settings.tracks)
            raise refused("score.tracks", len(song.tracks), f"tracks for a jam of {wanted}", f"give {wanted} tracks")
        keep = self.window - self.settings.bars_per_chunk
        scale = RESOLUTION / song.resolution
        memory = []
        for track in song.tracks:
            bars = track.bars[-keep:]
            if any((bar.ts_numerator, bar.ts_denominator) != tuple(self.settings.metre) for bar in bars):
                n, d = self.settings.metre
                raise refused("score", None, "changes the metre", f"give bars of {n}/{d}")
            memory.append([replace(bar, notes=[_scaled(note, scale) for note in bar.notes]) for bar in bars])
        self._memory = memory
        self.version += 1
        return self.index

    def next_chunk(self) -> Chunk:
        """Write the next bars, every part hearing the others'. Raises what a session raises."""
        started = time.perf_counter()
        seed = self._seed()
        session, targets = self._session(seed)
        take = session.run_takes().takes[0]
        tracks, cut = self._closed(take.score, targets)
        tempo = tempo_of(self._glide.next_bpm(self.settings.bars_per_chunk * self.settings.bar_quarters))
        latency = (time.perf_counter() - started) * 1000
        chunk = Chunk(self.index, self.bar, Score(tracks, RESOLUTION, tempo), seed, self.version, latency, cut)
        self._remember(tracks)
        self.index += 1
        self.bar += self.settings.bars_per_chunk
        return chunk

    def _session(self, seed: int) -> tuple[SamplingSession, list[int]]:
        """The checked session that writes the next bars, and which bars of its score those are."""
        score, targets = self._page()
        config = replace(self.settings.config, seed=seed, model_dim=self.window, num_candidates=1, novelty_check=False)
        prompts = [
            TrackPrompt(
                t,
                targets,
                attributes=dict(self.settings.attributes.get(t, {})),
                controls=dict(self.settings.controls.get(t, {})),
            )
            for t in range(len(score.tracks))
        ]
        session = self.engine.session(score, GenerationRequest(prompts, config))
        session.cancel_event = self.cancel_event
        return session, targets

    def _seed(self) -> int:
        base = self.settings.config.seed
        return draw_seed() if base < 0 else (base + self.index) % MAX_SEED

    def _page(self) -> tuple[Score, list[int]]:
        """The remembered bars with empty ones behind them, and where those are."""
        count = self.settings.bars_per_chunk
        known = max(map(len, self._memory), default=0)
        tracks = []
        for part, memory in zip(self.settings.tracks, self._memory, strict=True):
            tracks.append(replace(part, bars=[*memory, *(self._empty() for _ in range(count))], attributes={}))
        return Score(tracks, RESOLUTION), list(range(known, known + count))

    def _empty(self) -> Bar:
        return Bar([], *self.settings.metre, self.settings.bar_quarters)

    def _closed(self, score: Score, targets: Sequence[int]) -> tuple[list[Track], int]:
        """The written bars with no note past the end, and how many were cut."""
        from midigpt_core.midi_file.excerpt import closed

        cut, tracks = 0, []
        for track in score.tracks:
            part = replace(track, bars=[track.bars[bar] for bar in targets])
            shut = closed(part, RESOLUTION, wrap=False)
            cut += sum(
                a.duration_ticks != b.duration_ticks
                for x, y in zip(part.bars, shut.bars, strict=True)
                for a, b in zip(x.notes, y.notes, strict=True)
            )
            tracks.append(shut)
        return tracks, cut

    def _remember(self, tracks: Sequence[Track]) -> None:
        keep = self.window - self.settings.bars_per_chunk
        self._memory = [[*memory, *track.bars][-keep:] for memory, track in zip(self._memory, tracks, strict=True)]


def _scaled(note: Note, scale: float) -> Note:
    onset, duration = round(note.onset_ticks * scale), max(1, round(note.duration_ticks * scale))
    return replace(note, onset_ticks=onset, duration_ticks=duration)
