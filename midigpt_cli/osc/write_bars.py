"""Write the next bars of an OSC session on a thread of its own, one order at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from midigpt_cli.osc.params import OscParams
from midigpt_cli.osc.piece import OscPart, OscPiece
from midigpt_core.engine import InferenceEngine
from midigpt_core.errors import CancelledError, MidiGptError
from midigpt_core.request import GenerationRequest, TrackPrompt
from midigpt_core.score import Note, Score
from midigpt_core.tokens.types import TokenType

KEPT_WINDOWS = 2  # bars further back than so many windows are not looked at


@dataclass(frozen=True)
class Order:
    """Bars first to end - 1 of the agent's part, as the piece stood when they were asked for."""

    score: Score  # from bar `offset` on
    request: GenerationRequest
    offset: int
    first: int
    end: int
    agent: int  # its place among the tracks
    seconds: float  # after which it is given up; 0: never


def order_of(
    piece: OscPiece, params: OscParams, attributes: Mapping[str, int], engine: InferenceEngine
) -> Order | None:
    """What is to be written now; None while too little has been heard. Raises RequestValidationError."""
    agent = piece.agent
    ready = piece.completed + (params.lookahead_bars if params.adapt_buffer else 0)
    if agent is None or ready < params.buffer_bars:
        return None
    target = piece.completed + params.lookahead_bars
    end = target + params.num_anticipated_bars
    offset = max(0, end - KEPT_WINDOWS * params.model_dim)
    history = any(piece.parts[agent].bars.get(bar) for bar in range(target))
    first = target
    if not history and params.warmup_policy in ("b", "b_collapse"):
        first = offset if params.warmup_policy == "b" else max(offset, end - params.model_dim)
    prompts = [
        _agent(number, part, params, attributes, range(first - offset, end - offset), offset)
        if part.agent
        else TrackPrompt(
            number,
            ignore=bool(part.params["ignore"]),
            mask_bars=[] if part.params["ignore"] else list(range(piece.completed - offset, end - offset)),
        )
        for number, part in enumerate(piece.parts.values())
    ]
    config = replace(
        params.config(engine.tokenizer.vocabulary.has(TokenType.MASK_BAR)),
        bars_per_step=min(params.num_anticipated_bars, params.model_dim),
        tracks_per_step=1,
        temperature=params.temperature * piece.parts[agent].params["temperature"],
    )
    request = GenerationRequest(prompts, config)
    place = list(piece.parts).index(agent)
    return Order(piece.score(offset, end), request, offset, first, end, place, params.gen_timeout)


def _agent(
    number: int, part: OscPart, params: OscParams, attributes: Mapping[str, int], bars: range, offset: int
) -> TrackPrompt:
    hidden = []
    if params.warmup_policy == "a_masked":
        hidden = [bar for bar in range(bars.start) if not part.bars.get(bar + offset)]
    low, high = int(part.params["min_pitch"]), int(part.params["max_pitch"])
    controls: dict[str, Any] = {}
    if (low, high) != (0, 127) and not part.drums:
        controls["pitch_mask"] = {"range": [low, high]}
    return TrackPrompt(number, list(bars), True, False, hidden, dict(attributes), controls)


class Scribe:
    """The writing thread. `done(order, score)` and `failed(order, sentence)` are called from it."""

    def __init__(
        self, engine: InferenceEngine, done: Callable[[Order, Score], object], failed: Callable[[Order, str], object]
    ) -> None:
        self.engine, self.done, self.failed = engine, done, failed
        self._orders: queue.Queue[Order | None] = queue.Queue(maxsize=1)
        self._thread = threading.Thread(target=self._run, name="midigpt-osc", daemon=True)
        self._thread.start()

    def put(self, order: Order) -> bool:
        """Take an order; False where one is waiting already."""
        try:
            self._orders.put_nowait(order)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """End the thread once it has written what it is at."""
        self._orders.put(None)
        self._thread.join(30)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                self.done(order, self._written(order))
            except MidiGptError as error:
                self.failed(order, str(error))

    def _written(self, order: Order) -> Score:
        """Raises MidiGptError."""
        session = self.engine.session(order.score, order.request)
        session.cancel_event = _Deadline(order.seconds)
        try:
            return session.run()
        except CancelledError:
            raise CancelledError(f"generation timeout ({order.seconds:g} s)") from None


class _Deadline(threading.Event):
    """Set as soon as so many seconds have gone by; 0: never."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._until = time.monotonic() + seconds if seconds else float("inf")

    def is_set(self) -> bool:
        return time.monotonic() > self._until


def bars_in(order: Order, score: Score) -> Mapping[int, list[Note]]:
    """The bars an order asked for, by their number in the piece."""
    bars = score.tracks[order.agent].bars
    return {bar: list(bars[bar - order.offset].notes) for bar in range(order.first, order.end)}
