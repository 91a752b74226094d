"""What stands in each slot of each lane of a cache."""

from __future__ import annotations

from collections.abc import Sequence

from midigpt_core.errors import GenerationError
from midigpt_core.model.base import SENTINEL, PromptLayout
from midigpt_core.tokens.places import Place, Places, Reader

Slot = tuple[int, int, int]  # token id (or SENTINEL), its position, the position of whatever comes after it


class SlotTable:
    """What stands in each slot of each lane: the book-keeping every cache shares, whatever holds its numbers."""

    def __init__(self, lanes: int, capacity: int, n_positions: int, places: Places | None = None) -> None:
        """places: how tokens' places are read, where the network is told them."""
        self.lanes, self.capacity, self.n_positions, self.places = lanes, capacity, n_positions, places
        self._readers: list[Reader | None] = [None] * lanes
        self._told: list[list[int]] = [[] for _ in range(lanes)]  # what each reader has read, hidden tokens included
        self.slots: list[list[Slot]] = [[] for _ in range(lanes)]
        self.prefilled = 0

    def length(self, lane: int) -> int:
        return len(self.slots[lane])

    def next_position(self, lane: int) -> int:
        slots = self.slots[lane]
        return slots[-1][2] if slots else 0

    def room(self, lane: int) -> int:
        return min(self.capacity - self.length(lane), self.n_positions - self.next_position(lane))

    def truncate(self, lane: int, length: int) -> None:
        del self.slots[lane][max(length, 0) :]
        if self.places is not None:
            self._readers[lane] = None
            del self._told[lane][self.next_position(lane) :]

    def reuse(self, lane: int, layout: PromptLayout) -> int:
        """Keep the prefix that lane and prompt share, forget the rest; its length (the last token is always redone)."""
        shared = 0
        limit = len(layout.tokens) - (layout.probe is None)
        if self.places is not None and layout.next_position != len(layout.tokens):
            limit = 0  # hidden tokens, which may differ, decide where the visible ones stand
        held = self.slots[lane]
        for slot, token, position in zip(held, layout.tokens[:limit], layout.positions, strict=False):
            if slot[:2] != (token, position):
                break
            shared += 1
        self.truncate(lane, shared)
        return shared

    def admit(self, layout: PromptLayout) -> None:
        """Refuse a prompt that leaves no room: raises GenerationError."""
        slots = len(layout.tokens) + layout.sentinels + (layout.probe is not None)
        if slots > self.capacity or layout.next_position > self.n_positions:
            limit = min(self.capacity, self.n_positions)
            needed = max(slots, layout.next_position)
            raise GenerationError(f"the prompt is {needed} tokens, the model reads {limit}; take fewer bars or tracks")

    def write(self, lane: int, layout: PromptLayout, start: int) -> None:
        """Note a prompt's slots from `start` on, sentinels behind."""
        tail = [(t, p, p + 1) for t, p in zip(layout.tokens[start:], layout.positions[start:], strict=True)]
        tail += [(SENTINEL, SENTINEL, 0)] * layout.sentinels
        self.slots[lane] += tail
        self.slots[lane][-1] = (*self.slots[lane][-1][:2], layout.next_position)
        self.prefilled += len(layout.tokens) - start

    def append(self, lane: int, token: int) -> int:
        """Note one more token; its position. Raises GenerationError when the lane is full."""
        slots = self.slots[lane]
        position = slots[-1][2] if slots else 0
        if len(slots) >= self.capacity or position >= self.n_positions:
            raise GenerationError(f"the context is full at {position} tokens; take fewer bars or tracks per step")
        slots.append((token, position, position + 1))
        return position

    # ---- places, where the network is told them ----

    def read_prompt(self, lane: int, ids: Sequence[int], layout: PromptLayout) -> list[Place | None]:
        """Read a whole prompt for the lane; the places of its computed tokens, the probe's last."""
        at = [*layout.positions, *([layout.probe[1]] if layout.probe else [])]
        if self.places is None:
            return [None] * len(at)
        reader = self._readers[lane] = self.places.reader()
        self._told[lane] = list(ids)
        found = [reader.read(token) for token in ids]
        return [found[position] for position in at]

    def read(self, lane: int, token: int) -> Place | None:
        """Read one more token of the lane; its place."""
        if self.places is None:
            return None
        reader = self._readers[lane] or self._read_again(lane)
        self._told[lane].append(token)
        return reader.read(token)

    def share_reader(self, source: int, target: int) -> None:
        """Let the target lane read on from where the source lane stands."""
        if self.places is not None:
            reader = self._readers[source] or self._read_again(source)
            self._readers[target], self._told[target] = reader.copy(), list(self._told[source])

    def _read_again(self, lane: int) -> Reader:
        """A reader of what is left of a lane that was cut."""
        assert self.places is not None
        reader = self._readers[lane] = self.places.reader()
        for token in self._told[lane]:
            reader.read(token)
        return reader
