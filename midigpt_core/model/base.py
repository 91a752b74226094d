"""What the sampler asks of a model: a cache of lanes, each advanced by one token per call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from midigpt_core.errors import GenerationError
from midigpt_core.model.shape import GPT2Config

if TYPE_CHECKING:
    import torch

    from midigpt_core.tokens.places import Places

Logits: TypeAlias = "npt.NDArray[np.float32] | torch.Tensor"
SENTINEL = -1  # stands where a token id would, for a hidden position that stays in the cache as an empty key
MASKINGS = ("attention", "attention_approx", "attention_skip")

Spans = Sequence[tuple[int, int]]  # half-open [start, end) positions of a prompt


class LaneCache(Protocol):
    """Key-value memory of `lanes` independent sequences; lanes may have different lengths.

    Logits are float32: arrays, or tensors on the model's device (`on_host` makes them arrays); the caller may change
    them. Lengths count cached positions (slots) of one lane.
    """

    lanes: int
    capacity: int  # slots per lane
    prefilled: int  # prompt tokens computed so far, those reused from the cache not counted

    def length(self, lane: int) -> int:
        """Slots the lane holds; remember it after `prefill` to come back to the end of the prompt."""
        ...

    def room(self, lane: int) -> int:
        """Tokens the lane can still take before its slots or the model's positions run out."""
        ...

    def prefill(self, lane: int, ids: Sequence[int], hidden_spans: Spans = (), masking: str = "attention") -> Logits:
        """Make the lane hold this prompt and return the logits after it, shape (vocabulary,).

        Whatever prefix of the prompt the lane already holds is kept, not computed again. `hidden_spans` are
        positions of `ids` nobody may listen to; `masking` is one of MASKINGS.
        """
        ...

    def fork(self, source: int, targets: Sequence[int]) -> None:
        """Let every target lane continue from where the source lane stands."""
        ...

    def truncate(self, lane: int, length: int) -> None:
        """Forget the lane's slots from `length` on."""
        ...

    def step(self, lanes: Sequence[int], ids: Sequence[int]) -> Logits:
        """Append ids[i] to lane lanes[i], all in one model call; logits after it, shape (len(lanes), vocabulary)."""
        ...


class LanguageModel(Protocol):
    """A network over tokens: what `load_checkpoint` gives and the pipeline takes."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def n_positions(self) -> int:
        """Longest context, in tokens, prompt and continuation together."""
        ...

    def logits(self, ids: Sequence[int]) -> Logits:
        """Float32 logits of a whole sequence without cache, shape (positions, vocabulary)."""
        ...

    def new_cache(self, lanes: int = 1, capacity: int | None = None) -> LaneCache:
        """An empty cache; `capacity` slots per lane (default: the model's whole context)."""
        ...


class TorchNetwork(Protocol):
    """What a cache needs of a network of torch's."""

    config: GPT2Config

    @property
    def n_positions(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def places(self) -> Places | None: ...  # how its tokens' places are read, where it is told them

    @property
    def hidden(self) -> Callable[..., torch.Tensor]: ...  # (ids, positions, memory, places), see GPT2.hidden

    @property
    def head(self) -> Callable[..., torch.Tensor]: ...  # (output of `hidden`, places) to logits

    def parameters(self) -> Iterator[torch.nn.Parameter]: ...

    def state_dict(self) -> Mapping[str, torch.Tensor]: ...


def on_host(logits: Any) -> npt.NDArray[np.float32]:
    """Logits as an array in main memory."""
    found: npt.NDArray[np.float32] = logits if isinstance(logits, np.ndarray) else logits.float().cpu().numpy()
    return found


def log_softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log-probabilities along the last axis; what is -inf stays so."""
    shifted = logits - logits.max(-1, keepdims=True)
    found: npt.NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return found


@dataclass(frozen=True)
class PromptLayout:
    """A prompt as the cache sees it: what is computed and kept, and what follows it."""

    tokens: tuple[int, ...]  # tokens with a slot of their own
    positions: tuple[int, ...]  # their positions in the prompt
    next_position: int  # where the first new token goes
    sentinels: int = 0  # empty keys behind the prompt
    probe: tuple[int, int] | None = None  # a hidden last token: (id, position), heard by nobody, but asked for logits


def lay_out(ids: Sequence[int], hidden_spans: Spans = (), masking: str = "attention") -> PromptLayout:
    """Drop the hidden positions of a prompt from what the model computes.

    A hidden key changes nothing for the visible positions, so leaving it out is exact ("attention") and cheaper.
    "attention_skip" differs only behind a prompt that ends hidden: it goes on from the last visible token.
    "attention_approx" hides the spans while the prompt is read, then leaves an empty key (large and negative, value
    zero) in place of each: the behaviour of that name in `midigpt` 0.4, reproduced for its checkpoints' users.
    """
    if masking not in MASKINGS:
        raise GenerationError(f"masking {masking!r} is unknown; use one of {', '.join(MASKINGS)}")
    if not ids:
        raise GenerationError("the prompt is empty; give at least one token")
    hidden = {position for start, end in hidden_spans for position in range(start, end)}
    positions = tuple(position for position in range(len(ids)) if position not in hidden)
    if not positions:
        raise GenerationError("the whole prompt is hidden; leave at least one position visible")
    tokens = tuple(ids[position] for position in positions)
    last = len(ids) - 1
    if masking == "attention_skip":
        return PromptLayout(tokens, positions, positions[-1] + 1)
    probe = (ids[last], last) if last in hidden else None
    sentinels = len(ids) - len(positions) if masking == "attention_approx" else 0
    return PromptLayout(tokens, positions, len(ids), sentinels, probe)
