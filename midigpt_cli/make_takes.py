"""Make the takes of songs in memory: read, ask, generate; whoever has them writes the files."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING

from midigpt_cli.load_model import Model
from midigpt_cli.options.shared_options import Reporting
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score

if TYPE_CHECKING:
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.engine import SamplingSession
    from midigpt_core.generation.run import Result

LANES_OF_ONE, LANES_OF_MANY = (16, 1), (64, 64)  # takes that share a call of the model, and what is kept free for them

Prepare = Callable[[Score, "AttributeTable"], tuple[Score, GenerationRequest]]  # what to write into which score
Read = Callable[["str | IO[bytes]"], Score]


@dataclass(frozen=True)
class SongRequest:
    """A song that was read, and what is to be written into it."""

    score: Score
    request: GenerationRequest


@dataclass(frozen=True)
class SongTakes(SongRequest):
    """A song whose takes are made and not yet written."""

    result: Result
    seconds: float
    midi: Mapping[int, bytes] = field(default_factory=dict)  # take, from 1 -> its file, where its score was left behind

    def packed(self) -> SongTakes:
        """The same with a file for each take in place of the scores, of which the names of tracks stay."""
        takes = self.result.takes
        bare = [replace(track, bars=[]) for track in self.score.tracks]
        return replace(
            self,
            score=Score(bare, resolution=self.score.resolution),
            result=replace(self.result, takes=tuple(replace(take, score=Score()) for take in takes)),
            midi={number: _file_of(take.score) for number, take in enumerate(takes, 1)},
        )


def _file_of(score: Score) -> bytes:
    file = io.BytesIO()
    score.to_midi(file)
    return file.getvalue()


class SongMaker:
    """Makes takes of songs with one model, for as many threads as ask at once."""

    def __init__(self, model: Model, prepare: Prepare, read: Read, reporting: Reporting, songs: int = 1) -> None:
        self.model, self.prepare, self.read, self.reporting, self.songs = model, prepare, read, reporting, songs
        self._sessions: set[SamplingSession] = set()  # under way

    def stop(self) -> None:
        """End what is still being written."""
        for session in tuple(self._sessions):
            session.cancel_event.set()

    def make(self, song: str, file: str | IO[bytes], number: int | None = None) -> SongRequest:
        """The takes of a song; where its request is for a plan alone, what was asked.

        `number` of it, where it is written alone and can be followed. Raises MidiFileError, RequestValidationError.
        """
        started = time.perf_counter()
        score, request = self.prepare(self.read(file), self.model.controls)
        if self.reporting.dry_run or request.config.plan_only:
            return SongRequest(score, request)
        result = self._generate(song, score, request, number)
        return SongTakes(score, request, result, time.perf_counter() - started)

    def _generate(self, song: str, score: Score, request: GenerationRequest, number: int | None) -> Result:
        from midigpt_cli.output.progress import following

        session = self.model.engine.session(score, request)
        self._sessions.add(session)
        try:
            with following(song, self.reporting, number, self.songs) as listener:
                session.listener = listener
                return session.run_takes()
        finally:
            self._sessions.discard(session)
