"""The jams of one server: opening them up to a limit, finding them by id, waiting for their chunks, closing them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from midigpt_cli.live.jam_session import Delivery, JamSession
from midigpt_cli.live.late_chunks import NEVER
from midigpt_cli.parse.jam_messages import read_pacing, read_start, read_update, song_in
from midigpt_cli.parse.jam_prompt import understood_in
from midigpt_cli.server.chunk_audio import BINARY, ChunkSound, SoundRequest
from midigpt_cli.server.http_errors import OUR_FAULT, RefusalError, busy
from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.song_limits import check_parts, check_song, read_limits
from midigpt_cli.server.work_queue import WorkQueue
from midigpt_core.errors import RequestValidationError
from midigpt_core.fields import read
from midigpt_core.jam import Jam
from midigpt_core.score import Score

NEXT_SECONDS = 30.0  # a caller who waits for a chunk is told to try again after this long
LOOK_SECONDS = 0.5  # a waiting caller looks this often whether the server is stopping

log = logging.getLogger("midigpt.server")


@dataclass
class Room:
    """One jam with what the server knows of it."""

    model: ModelEntry
    session: JamSession
    client: str
    midi: bool = False  # chunks carry a base64 .mid file
    sound: ChunkSound | None = None  # chunks carry their sound, too
    apart: bool = False  # which is sent in a frame of its own
    worded: bool = False  # its parts came from words
    tempo_said: bool = False  # as a number, or by a song: words do not change it
    id: str = field(default_factory=lambda: f"jam_{uuid.uuid4().hex}")

    def started(self) -> dict[str, Any]:
        """The answer to a player at the start."""
        settings, pacing = self.session.settings, self.session.pacing
        return {
            "session_id": self.id,
            "model": self.model.id,
            "bpm": settings.bpm,
            "metre": list(settings.metre),
            "bars_per_chunk": settings.bars_per_chunk,
            "chunk_seconds": settings.chunk_seconds,
            "tracks": [
                {"name": track.name, "instrument": track.instrument, "track_type": track.track_type}
                for track in settings.tracks
            ],
            "pace": pacing.pace,
            "ahead": pacing.ahead,
            "late": settings.late,
            "expires_seconds": None if pacing.expires == NEVER else pacing.expires,
            "version": self.session.version,
        }

    def status(self) -> dict[str, Any]:
        """Where it stands."""
        return {**self.started(), **self.session.status()}

    def told(self, given: Delivery, midi: bool | None = None) -> tuple[dict[str, Any], bytes]:
        """A chunk as it is answered with, and its sound (empty without). Heavy where there is sound."""
        facts = given.to_dict(self.midi if midi is None else midi)
        if self.sound is None:
            return facts, b""
        wav = self.sound.wav(given)
        return {**facts, "metadata": self.sound.facts(given, wav)}, wav


class JamSessions:
    """All jams of a server. Methods that open or change one are heavy: call them away from the event loop."""

    def __init__(self, settings: ServerSettings, queue: WorkQueue) -> None:
        self.settings, self.queue = settings, queue
        self._rooms: dict[str, Room] = {}
        self._opening = threading.Lock()

    def playing(self) -> list[Room]:
        """Jams that have not ended; those that have are forgotten."""
        for room in [room for room in list(self._rooms.values()) if room.session.ended]:
            self._rooms.pop(room.id, None)
            why = room.session.ended
            log.info("jam %s", why, extra={"request_id": room.id, "late": sum(room.session.late.values())})
        return list(self._rooms.values())

    def check_room(self) -> None:
        """Refuse a jam that could not be opened anyway. Raises RefusalError (429, 503)."""
        if self.queue.closing:
            raise busy("the server is stopping; try again when it is back", retry_after=10)
        if len(self.playing()) >= self.settings.max_jams:
            most = self.settings.max_jams
            raise busy(f"{most} jams are playing (max_jams); stop one, or try again when one has ended", 429, 30)

    def open(self, data: Mapping[str, Any], entry: ModelEntry, client: str, expires: float = 0.0) -> Room:
        """Start a jam; 0 seconds: it expires as the settings say. Raises RefusalError, MidiGptError."""
        self.check_room()
        song = self._song(data)
        settings = read_start(data, song)
        check_parts(len(settings.tracks), self.settings)
        pacing = read_pacing(data, expires or self.settings.jam_seconds)
        midi = data.get("chunk_midi", False)
        if not isinstance(midi, bool):
            raise RefusalError(422, "chunk_midi is neither true nor false; correct it", field="chunk_midi")
        sound, apart = _sound_of(data)
        worded = understood_in(data) is not None and song is None and not data.get("tracks")
        jam = Jam(entry.engine, settings, song)
        with self._opening:
            self.check_room()  # others may have come in meanwhile
            room = Room(entry, JamSession(jam, pacing), client, midi, sound, apart, worded)
            room.tempo_said = "bpm" in data or song is not None
            self._rooms[room.id] = room
        log.info("jam started", extra={"request_id": room.id, "model": entry.id, "client": client})
        return room

    def get(self, session_id: str) -> Room:
        """The jam of this id, which this keeps alive. Raises RefusalError (404), or what the jam failed with."""
        room = self._rooms.get(session_id)
        if room is None or (room.session.ended and room.session.ended != "failed"):
            why = room.session.ended if room else "stopped or expired, or never was"
            raise RefusalError(
                404, f"no jam {session_id[:80]!r} is playing: it has {why}; start one", field="session_id"
            )
        if room.session.error:
            raise room.session.error
        if room.session.ended:
            raise RefusalError(500, OUR_FAULT)
        room.session.touch()
        self.queue.touch()
        return room

    def update(self, room: Room, data: Mapping[str, Any]) -> dict[str, Any]:
        """Other settings; since when. Raises RequestValidationError."""
        now = room.session.settings
        room.tempo_said = room.tempo_said or "bpm" in data
        if room.tempo_said:
            data = {"bpm": now.bpm, **data}
        version, chunk = room.session.update(read_update(data, now, room.worded))
        return {"session_id": room.id, "version": version, "chunk": chunk}

    def reseed(self, room: Room, data: Mapping[str, Any]) -> dict[str, Any]:
        """Other last bars; since when. Raises RefusalError, RequestValidationError."""
        song = self._song(data)
        if song is None:
            raise RefusalError(422, "score is missing; give score (JSON) or midi (base64)", field="score")
        version, chunk = room.session.reseed(song)
        return {"session_id": room.id, "version": version, "chunk": chunk}

    def consume(self, room: Room, index: Any) -> dict[str, Any]:
        """Acknowledge what was played. Raises RefusalError (409 for what was not delivered)."""
        if type(index) is not int:
            raise RefusalError(
                422, "index is not a whole number; give the index of the last chunk played", field="index"
            )
        try:
            kept = room.session.consume(index)
        except RequestValidationError as error:
            raise RefusalError(409, str(error), field="index") from error
        return {"session_id": room.id, "consumed": room.session.consumed, "kept": kept}

    def close(self, room: Room, why: str = "stopped") -> dict[str, Any]:
        """End one, at once; what it came to."""
        room.session.end(why)
        told = room.status()
        self.playing()
        return told

    def close_all(self, why: str, client: str | None = None) -> int:
        """End all, or all of one address; how many there were."""
        rooms = [room for room in self.playing() if client in (None, room.client)]
        for room in rooms:
            self.close(room, why)
        return len(rooms)

    async def next(self, room: Room, seconds: float = NEXT_SECONDS) -> Delivery | None:
        """The next chunk, waited for; None at the end. Raises RefusalError (408), or what the jam failed with."""
        loop, wake = asyncio.get_running_loop(), asyncio.Event()
        until = time.monotonic() + seconds
        with room.session.watched(partial(loop.call_soon_threadsafe, wake.set)):
            while (given := room.session.take()) is None:
                if room.session.ended or self.queue.closing:
                    return None
                left = min(until - time.monotonic(), room.session.until_due(), LOOK_SECONDS)
                if time.monotonic() >= until:
                    raise RefusalError(408, _nothing_sentence(room.session, seconds))
                await _until(wake, left)
        self.queue.touch()
        return given

    def _song(self, data: Mapping[str, Any]) -> Score | None:
        song = song_in(data.get("score"), data.get("midi"), read_limits(self.settings))
        if song is not None:
            check_song(song, 1, self.settings)
        return song


def _sound_of(data: Mapping[str, Any]) -> tuple[ChunkSound | None, bool]:
    """What renders the chunks, if a start message asks for sound, and whether it is sent apart."""
    request = read(SoundRequest, {key: data[key] for key in ("audio", "audio_rate") if key in data}, "")
    sound: Any = request.audio  # true, false or "binary"
    return (ChunkSound(request.audio_rate) if sound else None), sound == BINARY


def _nothing_sentence(session: JamSession, seconds: float) -> str:
    if session.consumed >= 0 and session.next_index - session.consumed > session.pacing.ahead:
        return (
            f"no chunk within {seconds:g} s: chunks after {session.consumed} are not consumed, and the jam writes "
            f"{session.pacing.ahead} ahead; POST /jam/consume what was played"
        )
    return f"no chunk within {seconds:g} s; ask again"


async def _until(wake: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(wake.wait(), max(0.0, seconds))
    except asyncio.TimeoutError:
        return
    wake.clear()
