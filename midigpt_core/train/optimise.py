"""Optimisers, learning-rate schedules and averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from midigpt_core.model.shape import HARMONY_HEAD
from midigpt_core.train.training_config import OptimiserConfig


def build_optimisers(model: nn.Module, config: OptimiserConfig) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the layers' matrices and AdamW for the rest."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in named if p.ndim == 2 and ".h." in name] if config.name == "muon" else []
    taken = {id(p) for p in matrices}
    tables = [p for name, p in named if ".places." in name or name == HARMONY_HEAD]
    taken |= {id(p) for p in tables}
    heavy = [p for _, p in named if p.ndim == 2 and id(p) not in taken]
    light = [p for _, p in named if p.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": heavy, "weight_decay": config.weight_decay},
        {"params": light, "weight_decay": 0.0},
    ]
    if tables:
        groups.append({"params": tables, "weight_decay": 0.0, "faster": config.places_rate})
    fused = all(p.device.type in ("cpu", "cuda") for _, p in named)
    adam = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, config.beta2), fused=fused)
    if not matrices:
        return [adam]
    return [adam, Muon(matrices, config.learning_rate, config.weight_decay)]


class Muon(torch.optim.Optimizer):
    """Momentum whose updates are made orthogonal (Jordan et al. 2024), scaled to AdamW's size (Liu et al. 2025).

    As torch.optim.Muon, but the matrix products are in bfloat16 only where the device is fast at it: a processor
    that is not would spend most of a step on them.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix.grad)
                speed = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                update = orthogonal(matrix.grad.lerp(speed, momentum))
                matrix.mul_(1 - rate * group["weight_decay"])
                matrix.add_(update, alpha=-rate * 0.2 * math.sqrt(max(matrix.shape)))


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """The matrix with its singular values brought near 1, by Newton-Schulz iterations of degree five."""
    fast = processor_has_bfloat16() if matrix.device.type == "cpu" else True
    found = matrix.bfloat16() if fast else matrix.float()
    tall = matrix.shape[0] > matrix.shape[1]
    found = found.T if tall else found
    found = found / found.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), found, beta=3.4445)
    return (found.T if tall else found).to(matrix.dtype)


@cache
def processor_has_bfloat16() -> bool:
    """Whether this machine's processor multiplies bfloat16 natively; where it does not, torch is slow at it."""
    facts = Path("/proc/cpuinfo")
    flags = facts.read_text() if facts.exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def rate_factor(step: int, progress: float, config: OptimiserConfig) -> float:
    """Share of the peak rate at a step; `progress` runs from 0 to 1 over the run, in steps or in time."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    progress = min(1.0, max(0.0, progress))
    if config.schedule == "cosine":
        return warm * 0.5 * (1 + math.cos(math.pi * progress))
    if config.schedule == "constant":
        return warm
    falling = (1 - progress) / config.decay if config.decay else float(progress < 1)
    return warm * min(1.0, falling)


def set_rate(optimisers: Iterable[torch.optim.Optimizer], rate: float) -> None:
    """The same rate for every group of every optimiser, times what the group says of itself."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate * group.get("faster", 1.0)


class Average:
    """An exponential moving average of the weights, in float32; early steps are forgotten faster."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.weights: dict[str, Tensor] = {name: p.detach().clone().float() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the model's weights as they are now."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        fresh = [p.detach().float() for _, p in model.named_parameters()]
        torch._foreach_lerp_(list(self.weights.values()), fresh, 1 - decay)

    def copy_to(self, model: nn.Module) -> None:
        """Put the averaged weights into a model of the same shape."""
        model.load_state_dict(self.weights, strict=True)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = int(state["steps"])
        self.weights = dict(state["weights"])
