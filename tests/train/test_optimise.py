"""Muon moves matrices as torch's own does, and keeps no product in a type the processor is slow at."""

from __future__ import annotations

import copy

import pytest
import torch

from midigpt_core.train import optimise
from midigpt_core.train.optimise import Muon, orthogonal


def test_muon_takes_the_steps_of_torchs_own() -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip(f"torch {torch.__version__} has no Muon to compare with")
    torch.manual_seed(0)
    ours = torch.nn.Linear(24, 72, bias=False)
    theirs = copy.deepcopy(ours)
    pairs = [
        (ours, Muon([ours.weight], lr=1e-2, weight_decay=0.05)),
        (theirs, torch.optim.Muon([theirs.weight], lr=1e-2, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")),
    ]
    start = ours.weight.detach().clone()
    for _ in range(10):
        heard = torch.randn(32, 24)
        for layer, optimiser in pairs:
            optimiser.zero_grad()
            (layer(heard) ** 2 - heard.sin().repeat(1, 3)).pow(2).mean().backward()
            optimiser.step()
    moved = (theirs.weight - start).norm()
    assert moved > 0.1
    assert (ours.weight - theirs.weight).norm() < 0.05 * moved  # torch's products are in bfloat16


@pytest.mark.parametrize("shape", [(16, 16), (12, 40), (40, 12)])
@pytest.mark.parametrize("native", [True, False])
def test_singular_values_are_brought_near_one(shape: tuple[int, int], native: bool, monkeypatch) -> None:
    monkeypatch.setattr(optimise, "processor_has_bfloat16", lambda: native)
    torch.manual_seed(1)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert 0.4 < float(values.min()) < float(values.max()) < 1.4
