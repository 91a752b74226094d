"""Server-sent events: what happens in a run, frame by frame, until the client has its answer or has gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from midigpt_cli.server.http_errors import describe, log_fault
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.work import Outcome, Work, snapshot
from midigpt_core import trace

QUIET_SECONDS = 2.0  # after which a progress frame tells that the connection lives


def frame(body: dict[str, Any]) -> bytes:
    """One event as it goes over the wire."""
    return b"data: " + to_json(body) + b"\n\n"


def told(event: trace.Event, work: Work) -> dict[str, Any]:
    """The frame for one event of a run."""
    now = {"progress": snapshot(work)}
    match event:
        case trace.BarReady():
            notes = [_note(event.track, event.bar, note) for note in event.notes]
            place = {"candidate": event.take, "track": event.track, "bar": event.bar}
            return {"type": "notes", "notes": notes, **place, **now}
        case trace.AttemptRejected():
            return {
                "type": "progress",
                "event": "rejected",
                "candidate": event.take,
                "step": event.step,
                "attempt": event.attempt,
                "reason": event.reason,
                **now,
            }
        case trace.TakeReady():
            return {"type": "progress", "event": "take", "candidate": event.take, **now}
        case trace.ContextDropped():
            return {"type": "progress", "event": "context_dropped", "tracks": list(event.tracks), **now}
        case trace.StepStarted():
            return {"type": "progress", "event": "step", "window": list(event.window), "targets": event.targets, **now}
    return {"type": "progress", **now}


def _note(track: int, bar: int, note: tuple[int, int, int, int]) -> dict[str, int]:
    pitch, velocity, onset, duration = note
    return {
        "track": track,
        "bar": bar,
        "pitch": pitch,
        "onset_ticks": onset,
        "duration_ticks": duration,
        "velocity": velocity,
    }


def last_frame(work: Work, outcome: Outcome) -> bytes:
    """The frame that ends a stream: done or cancelled with the whole response, or error."""
    if outcome.body is not None:
        kind = b"done" if outcome.status == "completed" else b"cancelled"
        return b'data: {"type":"' + kind + b'","response":' + outcome.body.data + b"}\n\n"
    assert outcome.error is not None
    log_fault(outcome.error, work.id)
    status, body, _ = describe(outcome.error)
    told = {**body, "type": "error", "request_id": work.id, "error": body["detail"], "status": status}
    return frame(told)


class EventStream(Response):
    """The response that follows a piece of work from now on, and ends with the frame `last` makes of its outcome.

    A client that goes away stops the work where it is the client's own (`stops`).
    """

    media_type = "text/event-stream"

    def __init__(self, work: Work, last: Callable[[Work, Outcome], bytes] = last_frame, stops: bool = True) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self.work, self._last, self._stops = work, last, stops
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        work.listeners.append(self._tell)

    def until(self, answered: asyncio.Future[Outcome]) -> EventStream:
        """Itself; it ends when the work is answered."""
        self._answered = answered
        answered.add_done_callback(lambda _: self._frames.put_nowait(None))
        return self

    def _tell(self, event: trace.Event) -> None:
        """In the worker's thread: hand a frame to the event loop, if it is still there."""
        if isinstance(event, trace.ConstraintRelaxed):
            return
        made = frame(told(event, self.work))
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._frames.put_nowait, made)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(left(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while (made := await self._next(gone)) is not None:
                await send({"type": "http.response.body", "body": made, "more_body": True})
            if self._answered.done():
                await send({"type": "http.response.body", "body": self._last(self.work, self._answered.result())})
        finally:
            gone.cancel()
            self.work.listeners = [one for one in self.work.listeners if one != self._tell]
            if self._stops and not self._answered.done():
                self.work.stop.because("the client left")

    async def _next(self, gone: asyncio.Task[None]) -> bytes | None:
        """The next frame; None at the end, or when the client has gone."""
        waiting = asyncio.ensure_future(self._frames.get())
        await asyncio.wait({waiting, gone}, timeout=QUIET_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        if gone.done():
            return None
        return frame({"type": "progress", "progress": snapshot(self.work)})


async def left(receive: Receive) -> None:
    """Return when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def until_answered(request: Request, work: Work, answered: asyncio.Future[Outcome]) -> Outcome:
    """The outcome of the work; a client that goes away before stops it."""
    gone = asyncio.create_task(left(request.receive))
    try:
        ends: set[asyncio.Future[Any]] = {gone, answered}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            work.stop.because("the client left")
        return await answered
    finally:
        gone.cancel()
