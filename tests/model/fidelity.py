"""How far the compiled decoder strays from the float32 network, on real songs."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch

from midigpt_core.errors import MidiGptError
from midigpt_core.midi_file import read_score
from midigpt_core.model.checkpoint import Checkpoint
from midigpt_core.model.torch_cache import TorchCache
from midigpt_core.tokens.tokenizer import Tokenizer


@dataclass
class Fidelity:
    """Counts over every predicted token of every prompt."""

    prompts: int = 0
    tokens: int = 0
    agreed: int = 0  # both take the same token for the likeliest
    reference_nats: float = 0.0
    fast_nats: float = 0.0
    largest: float = 0.0  # largest difference of a log-probability of a token that stands in the song

    @property
    def agreement(self) -> float:
        return self.agreed / self.tokens

    @property
    def nll_change(self) -> float:
        """Relative difference of the mean negative log-likelihood."""
        return abs(self.fast_nats - self.reference_nats) / self.reference_nats


def openings(paths: list[Path], tokenizer: Tokenizer, longest: int, bars: int = 8, tracks: int = 6) -> list[list[int]]:
    """The first bars of each song as the tokenizer writes them; songs it cannot write are left out."""
    found = []
    for path in paths:
        try:
            score = copy.deepcopy(read_score(path))
            score.source = None
            del score.tracks[tracks:]
            for track in score.tracks:
                del track.bars[bars:]
            found.append(tokenizer.encode(score)[:longest])
        except MidiGptError:
            continue
    return [ids for ids in found if len(ids) > 50]


@torch.no_grad()
def compare(checkpoint: Checkpoint, prompts: list[list[int]]) -> Fidelity:
    """Read every prompt with the compiled decoder and with the float32 network, token by token."""
    model, total = checkpoint.model, Fidelity()
    cache = model.new_cache()
    assert not isinstance(cache, TorchCache), "the decoder is not built"
    for ids in prompts:
        wanted = model.logits(ids)[:-1].log_softmax(-1)
        got = torch.from_numpy(cache.logits(0, ids))[:-1].log_softmax(-1)
        target = torch.tensor(ids[1:])[:, None]
        right, ours = wanted.gather(1, target), got.gather(1, target)
        total.prompts += 1
        total.tokens += len(ids) - 1
        total.agreed += int((wanted.argmax(-1) == got.argmax(-1)).sum())
        total.reference_nats -= float(right.sum())
        total.fast_nats -= float(ours.sum())
        total.largest = max(total.largest, float((right - ours).abs().max()))
    return total
