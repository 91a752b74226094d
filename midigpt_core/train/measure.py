"""The loss of a model on fixed windows: over all written tokens, and by source and pattern."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from midigpt_core.train.batches import padded
from midigpt_core.train.training_example import Example


@torch.no_grad()
def losses(model: nn.Module, examples: Sequence[Example], batch_tokens: int = 8192) -> dict[str, float]:
    """Nats per token a model has to write: "written" over all examples, then one entry per source and pattern.

    "given" is the same of the tokens that are given at inference. The model's mode is left as it was found.
    """
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    for batch in _batches(sorted(examples, key=lambda e: -len(e.tokens)), batch_tokens):
        data = padded(batch, 1.0, np.random.default_rng(0), 0.0, 0)
        ids, labels = torch.from_numpy(data.ids).to(device), torch.from_numpy(data.labels).to(device)
        places = None if data.places is None else torch.from_numpy(data.places).to(device)
        logits = model(ids, places=places).float()
        nats = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(ids).cpu().numpy()
        for row, example in enumerate(batch):
            given = (data.weights[row] > 0) & ~data.written[row]
            _count(sums, counts, ["given"], nats[row][given])
            keys = ["written", f"source/{example.source}", f"pattern/{example.pattern}"]
            _count(sums, counts, keys, nats[row][data.written[row]])
    model.train(training)
    return {key: sums[key] / max(1, counts[key]) for key in sorted(sums)}


def _count(sums: dict[str, float], counts: dict[str, int], keys: list[str], nats: np.ndarray) -> None:
    for key in keys:
        sums[key] += float(nats.sum())
        counts[key] += len(nats)


def _batches(examples: list[Example], batch_tokens: int) -> list[list[Example]]:
    batches: list[list[Example]] = []
    for example in examples:
        if not batches or len(batches[-1][0].tokens) * (len(batches[-1]) + 1) > batch_tokens:
            batches.append([])
        batches[-1].append(example)
    return batches
