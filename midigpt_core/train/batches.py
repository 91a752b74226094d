"""Windows as padded batches, the same for the same seed and step, drawn ahead by other processes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midigpt_core.errors import TrainingError
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.places import Place
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.draw_windows import Pool, Reads, WindowMaker
from midigpt_core.train.shards import Shards
from midigpt_core.train.training_config import MixGroup, RunConfig
from midigpt_core.train.training_example import Example

AHEAD = 4  # steps drawn before they are needed


@dataclass(frozen=True)
class Batch:
    """Sequences of like length, padded on the right; padding has weight 0 and nothing attends to it."""

    ids: NDArray[np.int64]  # (windows, length): what the model reads
    labels: NDArray[np.int64]  # (windows, length): the token after each
    weights: NDArray[np.float32]  # (windows, length): in the loss
    written: NDArray[np.bool_]  # (windows, length): labels a model has to write at inference
    offset: int  # position of the first token
    places: NDArray[np.int32] | None = None  # (windows, length, 6), where the network is told them; see tokens/places


class Drawer:
    """All the windows of a run: `step(n)` gives the batches of step n for one process of several."""

    def __init__(self, folder: str, config: RunConfig, reads: Reads, rank: int = 0, world: int = 1) -> None:
        self.shards = Shards(folder)
        self.config = config
        self.limit = reads.limit
        self.rank, self.world = rank, world
        vocabulary = Vocabulary(EncoderConfig.from_dict(self.shards.encoder_config))
        self.maker = WindowMaker(self.shards, vocabulary, config.windows, reads)
        self.pools = [self._pool(config.mix), self._pool(config.finish_mix or config.mix)]

    def _pool(self, mix: Sequence[MixGroup]) -> Pool:
        return Pool.of(self.shards, "train", mix, self.config.permissive_only)

    def step(self, step: int, finishing: bool) -> list[Batch]:
        """The batches of one optimiser step; `finishing` draws from the last phase's mix."""
        numbers = range(self.rank, self.config.windows_per_step, self.world)
        pool = self.pools[int(finishing)]
        examples = [self.maker.draw(pool, np.random.default_rng((self.config.seed, step, n))) for n in numbers]
        rng = np.random.default_rng((self.config.seed, step, self.config.windows_per_step + self.rank))
        return batched(examples, self.config, rng, self.limit)


def valid_examples(shards: Shards, config: RunConfig, reads: Reads) -> list[Example]:
    """The windows on which the valid loss is measured: the same ones for the same data and settings."""
    vocabulary = Vocabulary(EncoderConfig.from_dict(shards.encoder_config))
    maker = WindowMaker(shards, vocabulary, config.windows, reads)
    pool = Pool.of(shards, "valid", config.valid_mix or config.finish_mix or config.mix, config.permissive_only)
    return [maker.draw(pool, np.random.default_rng((7, n))) for n in range(config.valid_windows)]


def batched(examples: Sequence[Example], config: RunConfig, rng: np.random.Generator, limit: int) -> list[Batch]:
    """Examples sorted by length and cut into batches of at most `batch_tokens` tokens, padding counted."""
    batches: list[Batch] = []
    waiting: list[Example] = []
    for example in sorted(examples, key=lambda e: -len(e.tokens)):
        if waiting and len(waiting[0].tokens) * (len(waiting) + 1) > config.batch_tokens:
            batches.append(padded(waiting, config.windows.context_weight, rng, config.windows.late_start, limit))
            waiting = []
        waiting.append(example)
    batches.append(padded(waiting, config.windows.context_weight, rng, config.windows.late_start, limit))
    return batches


def padded(
    examples: Sequence[Example], context_weight: float, rng: np.random.Generator, late_start: float, limit: int
) -> Batch:
    """One batch, the longest example first."""
    length = max(len(example.tokens) for example in examples) - 1
    ids = np.zeros((len(examples), length), np.int64)
    labels, weights = np.zeros_like(ids), np.zeros(ids.shape, np.float32)
    written = np.zeros(ids.shape, np.bool_)
    for row, example in enumerate(examples):
        n = len(example.tokens) - 1
        ids[row, :n], labels[row, :n] = example.tokens[:-1], example.tokens[1:]
        written[row, :n] = example.written[1:]
        weights[row, :n] = np.where(example.written[1:], 1.0, context_weight)
    offset = int(rng.integers(limit - length + 1)) if rng.random() < late_start else 0
    return Batch(ids, labels, weights, written, offset, _padded_places(examples, length))


def _padded_places(examples: Sequence[Example], length: int) -> NDArray[np.int32] | None:
    if examples[0].places is None:
        return None
    found = np.zeros((len(examples), length, len(Place._fields)), np.int32)
    for row, example in enumerate(examples):
        if example.places is not None:
            found[row, : len(example.places) - 1] = example.places[:-1]
    return found


# ---- drawing ahead ----

_WORKER: dict[str, Drawer] = {}


def _start(folder: str, config: RunConfig, reads: Reads, rank: int, world: int) -> None:
    _WORKER["drawer"] = Drawer(folder, config, reads, rank, world)


def _step(step: int, finishing: bool) -> list[Batch]:
    return _WORKER["drawer"].step(step, finishing)


class Feeder:
    """Gives the batches of one step after another, from `step` on; a context manager that ends its processes."""

    def __init__(self, folder: str, config: RunConfig, reads: Reads, rank: int = 0, world: int = 1) -> None:
        self._arguments = (folder, config, reads, rank, world)
        self._queue: deque[tuple[int, Future[list[Batch]]]] = deque()
        self._workers = config.workers
        self._pool: ProcessPoolExecutor | None = None
        self._own: Drawer | None = None

    def __enter__(self) -> Feeder:
        if self._workers:
            context = multiprocessing.get_context("spawn")  # a fork would copy a process with threads in it
            self._pool = ProcessPoolExecutor(self._workers, context, _start, self._arguments)
        else:
            self._own = Drawer(*self._arguments)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def step(self, step: int, finishing: Callable[[int], bool]) -> list[Batch]:
        """The batches of this step; steps are asked for in order. `finishing` tells the last phase's steps."""
        if self._own is not None:
            return self._own.step(step, finishing(step))
        if self._pool is None:
            raise TrainingError("a Feeder gives batches inside its `with` block only")
        ahead = self._queue[-1][0] + 1 if self._queue else step
        for number in range(ahead, step + AHEAD):
            self._queue.append((number, self._pool.submit(_step, number, finishing(number))))
        return self._queue.popleft()[1].result()
