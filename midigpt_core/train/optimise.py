"""Optimisers, learning-rate schedules and averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from midigpt_core.errors import TrainingError
from midigpt_core.train.config import OptimiserConfig


def build_optimisers(model: nn.Module, config: OptimiserConfig) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the layers' matrices and AdamW for the rest."""
    if config.name == "muon" and not hasattr(torch.optim, "Muon"):
        raise TrainingError(f"optimiser.name = 'muon': torch {torch.__version__} has none; take adamw or update torch")
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in named if p.ndim == 2 and ".h." in name] if config.name == "muon" else []
    taken = {id(p) for p in matrices}
    heavy = [p for _, p in named if p.ndim == 2 and id(p) not in taken]
    light = [p for _, p in named if p.ndim < 2]
    groups = [{"params": heavy, "weight_decay": config.weight_decay}, {"params": light, "weight_decay": 0.0}]
    fused = all(p.device.type in ("cpu", "cuda") for _, p in named)
    adam = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, config.beta2), fused=fused)
    if not matrices:
        return [adam]
    rate, weight_decay = config.learning_rate, config.weight_decay
    return [adam, torch.optim.Muon(matrices, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")]


def rate_factor(step: int, progress: float, config: OptimiserConfig) -> float:
    """Share of the peak rate at a step; `progress` runs from 0 to 1 over the run, in steps or in time."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    progress = min(1.0, max(0.0, progress))
    if config.schedule == "cosine":
        return warm * 0.5 * (1 + math.cos(math.pi * progress))
    falling = (1 - progress) / config.decay if config.decay else float(progress < 1)
    return warm * min(1.0, falling)


def set_rate(optimisers: Iterable[torch.optim.Optimizer], rate: float) -> None:
    """The same rate for every group of every optimiser."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate


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

    def state_dict(self) -> dict[str, object]:
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.steps = int(state["steps"])  # type: ignore[call-overload]
        self.weights = dict(state["weights"])  # type: ignore[call-overload]
