"""Advance many lanes by one token per model call."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from midigpt_core.constraints.masks import token_mask
from midigpt_core.errors import MidiGptError
from midigpt_core.model.base import LaneCache, LanguageModel, on_host
from midigpt_core.sampling.draw import Row, draw, to_logprobs
from midigpt_core.sampling.lane import Lane, Prompt
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

NOTE_CONTENT = (
    TokenType.TIME_ABSOLUTE_POS,
    TokenType.NOTE_ONSET,
    TokenType.NOTE_PITCH,
    TokenType.NOTE_DURATION,
    TokenType.VELOCITY_LEVEL,
    TokenType.DELTA,
    TokenType.DELTA_DIRECTION,
)

LANE_TROUBLE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, MidiGptError)

T = TypeVar("T")


@dataclass
class _Seat:
    """A lane in the running batch: its cache slots and the logits its next token is drawn from."""

    lane: Lane
    slot: int
    shadow: int | None  # slot of the uncontrolled prompt
    logits: Row  # log-probabilities once the token is drawn
    shadow_logits: Row | None = None

    @property
    def push(self) -> Row | None:
        """What guidance adds to the logits, away from the uncontrolled ones: they come to s + guidance * (l - s)."""
        if self.shadow_logits is None:
            return None
        return (self.lane.guidance - 1.0) * (self.logits - self.shadow_logits)


class Decoder:
    """The one loop. Callers on any thread hand in lanes; whoever finds nobody driving drives for all."""

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary, max_lanes: int = 16, reserve: int = 1) -> None:
        """`max_lanes` run at once at most; room for `reserve` is kept from the start, so that callers who come while
        others are being served join them. More room is made whenever nobody is being served."""
        self.model = model
        self.vocabulary = vocabulary
        self.max_lanes = max_lanes
        self.reserve = reserve
        self.tokens_drawn = 0
        self.model_calls = 0
        self._droppable = token_mask(vocabulary, *NOTE_CONTENT)
        self._cache: LaneCache | None = None
        self._held: list[Prompt | None] = []  # per slot: the prompt it last held, for reuse of the common prefix
        self._seats: list[_Seat] = []
        self._waiting: deque[deque[Lane]] = deque()  # one queue per caller; seats go round among them
        self._driver = threading.Lock()
        self._changed = threading.Condition()

    @property
    def active(self) -> int:
        """Lanes in the running batch."""
        return len(self._seats)

    def generate(self, lanes: Sequence[Lane]) -> None:
        """Write every lane to its end (or its limit, or its caller's cancel). Raises what the model raised."""
        if lanes:
            with self._changed:
                self._waiting.append(deque(lanes))
        while not all(lane.done for lane in lanes):
            if self._driver.acquire(blocking=False):
                try:
                    self._drive(lanes)
                finally:
                    self._driver.release()
                    self._tell()
            else:
                with self._changed:
                    self._changed.wait(timeout=0.5)
        for lane in lanes:
            if lane.error is not None:
                raise lane.error

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _drive(self, lanes: Sequence[Lane]) -> None:
        while not all(lane.done for lane in lanes):
            try:
                self._advance()
            except BaseException as error:  # whatever it is, no caller of this batch may go on with what is half done
                self._fail(error)
                if _ends_the_process(error):
                    self._abandon(lanes, error)
                    raise

    def _fail(self, error: BaseException) -> None:
        """A model call broke: every lane in the batch learns why, the cache starts afresh."""
        for seat in self._seats:
            seat.lane.error, seat.lane.done = error, True
        self._seats.clear()
        self._cache, self._held = None, []
        self._tell()

    def _abandon(self, lanes: Sequence[Lane], error: BaseException) -> None:
        """Lanes whose caller is gone are not begun."""
        own = set(map(id, lanes))
        with self._changed:
            kept = (deque(lane for lane in queue if id(lane) not in own) for queue in self._waiting)
            self._waiting = deque(queue for queue in kept if queue)
        for lane in lanes:
            if not lane.done:
                lane.error, lane.done = error, True

    def _advance(self) -> None:
        if self._waiting:
            self._admit()
            self._drop_cancelled()
        self._draw()
        if self._seats:
            self._step()

    # ---- admission ----

    def _admit(self) -> None:
        while self._waiting:
            with self._changed:
                if not self._fits(self._waiting[0][0]):
                    return
                lane = self._next()
            if lane.cancelled():
                lane.stopped = lane.done = True
                self._tell()
                continue
            try:
                self._seat(lane)
            except BaseException as error:  # whatever it is, this lane's caller learns of it
                lane.error, lane.done = error, True
                self._tell()
                if _ends_the_process(error):
                    raise

    def _next(self) -> Lane:
        """The first lane of the caller whose turn it is, who goes to the back with what is left."""
        queue = self._waiting.popleft()
        lane = queue.popleft()
        if queue:
            self._waiting.append(queue)
        return lane

    def _fits(self, lane: Lane) -> bool:
        need = 1 if lane.uncontrolled is None else 2
        used = sum(1 if seat.shadow is None else 2 for seat in self._seats)
        room = self._cache.lanes if self._cache is not None else self.max_lanes
        return not self._seats or used + need <= room

    def _seat(self, lane: Lane) -> None:
        self._make_room(1 if lane.uncontrolled is None else 2)
        slot, logits = self._enter(lane.prompt)
        seat = _Seat(lane, slot, None, logits)
        self._seats.append(seat)
        if lane.uncontrolled is not None:
            seat.shadow, seat.shadow_logits = self._enter(lane.uncontrolled)
        assert self._cache is not None
        lane.limit = min(lane.limit, self._cache.room(slot))
        if lane.limit <= 0:
            self._seats.remove(seat)
            lane.done = lane.truncated = True

    def _make_room(self, need: int) -> None:
        """A cache with enough slots; it is replaced by a larger one only while nobody is seated."""
        with self._changed:
            waiting = (lane for queue in self._waiting for lane in queue)
            queued = need + sum(1 if lane.uncontrolled is None else 2 for lane in waiting)
        enough = max(need, min(queued, self.max_lanes))
        if self._cache is not None and (self._seats or self._cache.lanes >= enough):
            return
        size = max(enough, self.reserve)
        self._cache = self.model.new_cache(lanes=size)
        self._held = [None] * size

    def _free_slots(self) -> list[int]:
        taken = {seat.slot for seat in self._seats} | {seat.shadow for seat in self._seats}
        return [slot for slot in range(len(self._held)) if slot not in taken]

    def _enter(self, prompt: Prompt) -> tuple[int, Row]:
        """Give the prompt a slot: the free one that holds the longest common prefix."""
        assert self._cache is not None
        slot = max(self._free_slots(), key=lambda free: _common(self._held[free], prompt))
        self._share_prefix(slot, prompt)
        self._held[slot] = prompt
        return slot, on_host(self._cache.prefill(slot, prompt.tokens, prompt.hidden_spans, prompt.masking))

    def _share_prefix(self, slot: int, prompt: Prompt) -> None:
        """Takes of one request wait side by side: copy a neighbour's prompt rather than compute it again."""
        assert self._cache is not None
        if self._held[slot] == prompt:
            return
        twin = next((s for s, held in enumerate(self._held) if held == prompt), None)
        if twin is not None:
            self._cache.fork(twin, [slot])

    def _drop_cancelled(self) -> None:
        """Lanes that wait for nothing: their callers no longer want them."""
        gone = []
        with self._changed:
            for queue in self._waiting:
                while queue and queue[0].cancelled():
                    gone.append(queue.popleft())
            self._waiting = deque(queue for queue in self._waiting if queue)
        for lane in gone:
            lane.stopped = lane.done = True
        if gone:
            self._tell()

    def _dismiss(self) -> None:
        """Give the seats of lanes that are done free, and tell whoever waits for them."""
        staying = [seat for seat in self._seats if not seat.lane.done]
        if len(staying) < len(self._seats):
            self._seats = staying
            self._tell()

    # ---- one token for everybody ----

    def _draw(self) -> None:
        ended = False
        for seat in self._seats:
            _on_behalf(seat.lane, self._write, seat)
            ended |= seat.lane.done
        if ended:
            self._dismiss()

    def _write(self, seat: _Seat) -> None:
        """One more token of a lane, unless its caller has had enough."""
        lane, logprobs, push = seat.lane, seat.logits, seat.push
        if lane.cancelled():
            lane.stopped = lane.done = True
            return
        to_logprobs(logprobs, lane.allowed())
        bias = lane.bias(logprobs)
        if push is not None:
            bias = push if bias is None else bias + push
        token, logprob = draw(logprobs, bias, lane.parameters_here, lane.uniform(), self._droppable)
        self.tokens_drawn += 1
        lane.accept(token, logprob)

    def _step(self) -> None:
        assert self._cache is not None
        seats, shadows = self._seats, [seat for seat in self._seats if seat.shadow is not None]
        slots = [seat.slot for seat in seats]
        ids = [seat.lane.written[-1] for seat in seats]
        if shadows:
            slots += [seat.shadow for seat in shadows if seat.shadow is not None]
            ids += [seat.lane.written[-1] for seat in shadows]
        logits = on_host(self._cache.step(slots, ids))
        self.model_calls += 1
        for row, seat in zip(logits, seats, strict=False):
            seat.logits = row
        for at, seat in enumerate(shadows, len(seats)):
            seat.shadow_logits = logits[at]


def _on_behalf(lane: Lane, task: Callable[..., T], *given: object) -> T | None:
    """Do something for one lane; what it raises ends this lane, and no other caller's."""
    try:
        return task(*given)
    except LANE_TROUBLE as error:
        lane.error, lane.done = error, True
        return None


def _ends_the_process(error: BaseException) -> bool:
    """KeyboardInterrupt and the like, which are not the batch's own."""
    return not isinstance(error, Exception)


def _common(held: Prompt | None, prompt: Prompt) -> int:
    """Tokens at the start that both prompts share; -1 where other positions are hidden, so that none is."""
    if held is None:
        return 0
    if held.hidden_spans != prompt.hidden_spans or held.masking != prompt.masking:
        return -1
    for i, (a, b) in enumerate(zip(held.tokens, prompt.tokens, strict=False)):
        if a != b:
            return i
    return min(len(held.tokens), len(prompt.tokens))
