"""Train a model: the loop, its schedule by steps or by the clock, and checkpoints that resume exactly."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812

from midigpt_core.errors import TrainingError
from midigpt_core.model.checkpoint import load_checkpoint, save_checkpoint
from midigpt_core.model.gpt2 import GPT2
from midigpt_core.model.shape import GPT2Config
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.places import PlaceSizes
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.batches import Batch, Feeder, valid_examples
from midigpt_core.train.draw_windows import Reads
from midigpt_core.train.launch import RunPlan, peak_memory, start_fabric
from midigpt_core.train.measure import losses
from midigpt_core.train.optimise import Average, build_optimisers, rate_factor, set_rate
from midigpt_core.train.shards import Shards
from midigpt_core.train.training_config import RunConfig, config_dict
from midigpt_core.train.training_example import Example

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Report = Callable[[dict[str, Any]], None]

MEASURING_SHARE = 0.1  # of a time budget, for the held-out loss before and again after
TIMED_WINDOWS = 4  # measured to see how long one takes
STATE, LATEST, LOG = "state.ckpt", "latest.safetensors", "metrics.jsonl"


@dataclass
class _Clock:
    """How far a run has come, in steps and in seconds of all its sessions."""

    steps: int
    seconds: float | None
    step: int = 0
    first: int = 0  # step at which the run began, or branched off from another
    elapsed: float = 0.0  # set by `tick`, so that all processes see the same time
    tokens: int = 0
    last: float = field(default_factory=lambda: time.monotonic())
    aside: float = 0.0  # seconds kept for what comes after the last step
    pace: float = 0.0  # seconds from the last tick to this one

    def tick(self, fabric: Fabric) -> None:
        """Add the time since the last tick, as the first process measured it."""
        now = time.monotonic()
        self.pace = float(fabric.broadcast(now - self.last))
        self.elapsed += self.pace
        self.last = now

    def progress(self, step: int) -> float:
        """0 to 1: by the clock under a time budget (the same for any step), else by the step."""
        if not self.seconds:
            return (step - self.first) / self.steps
        return self.elapsed / max(1e-9, self.seconds - self.aside - self.pace)  # no step begins that would end too late

    def remaining(self) -> float:
        """Seconds left, by the rate so far."""
        progress = self.progress(self.step)
        return self.elapsed * (1 - progress) / progress if progress > 0 else float("inf")


def train(plan: RunPlan, config: RunConfig, report: Report = lambda event: None) -> dict[str, Any]:
    """Run to the end and return the last report. `out` then holds `latest.safetensors`, logs and the last state.

    Each report is a dict with "kind" ("start", "step", "valid", "saved" or "done") and figures.
    Raises TrainingError where data, checkpoint and settings do not fit together.
    """
    fabric = start_fabric(plan, config)
    if plan.decay_from:
        config = replace(config, optimiser=replace(config.optimiser, schedule="linear", decay=1.0, warmup_steps=0))
    run = _Training(fabric, plan, config, report)
    if plan.resume:
        run.load(run.out)
    elif plan.decay_from:
        run.load(Path(plan.decay_from))
        run.clock.first, run.clock.elapsed = run.clock.step, 0.0
    return run.go()


class _Training:
    """One run's parts: network, optimisers, averaged weights, clock and valid windows."""

    def __init__(self, fabric: Fabric, plan: RunPlan, config: RunConfig, report: Report) -> None:
        self.fabric, self.plan, self.config, self.report = fabric, plan, config, report
        self.out = Path(plan.out)
        self.out.mkdir(parents=True, exist_ok=True)
        shards = Shards(plan.data)
        self.encoder = EncoderConfig.from_dict(shards.encoder_config)
        self.plain = _model(plan, config, self.encoder)
        network: Any = torch.compile(self.plain, dynamic=True) if config.compile else self.plain
        optimisers = build_optimisers(self.plain, config.optimiser)
        self.model, *self.optimisers = fabric.setup(network, *optimisers)
        self.average = Average(self.plain, config.optimiser.ema) if config.optimiser.ema else None
        self.clock = _Clock(config.steps, plan.seconds)
        self.reads = Reads(self.plain.n_positions, self.plain.config.places)
        self.valid: list[Example] = []
        if config.valid_windows:
            self.valid = valid_examples(shards, config, self.reads)

    def go(self) -> dict[str, Any]:
        size, settings = self.plain.num_parameters(), config_dict(self.config)
        self._say("start", parameters=size, step=self.clock.step, config=settings)
        self._measure_first()
        saved, first = self.clock.elapsed, self.clock.step
        arguments = (self.plan.data, self.config, self.reads, self.fabric.global_rank, self.fabric.world_size)
        with Feeder(*arguments) as feeder:
            while self.clock.step == first or self.clock.progress(self.clock.step) < 1:
                loss = self.step(feeder.step(self.clock.step, self._finishing))
                self.clock.step += 1
                self.clock.tick(self.fabric)
                if self.clock.step % self.config.log_every == 0:
                    self._say("step", loss=float(loss), **self._figures())
                if self.config.valid_every and self.clock.step % self.config.valid_every == 0:
                    self.measure()
                if self.clock.elapsed - saved > 60 * self.config.save_minutes:
                    self.save()
                    saved = self.clock.elapsed
        self.save()
        return self._say("done", **self._figures(), valid=self.measure())

    def step(self, batches: list[Batch]) -> torch.Tensor:
        """One optimiser step over the batches; returns the weighted loss in nats per token."""
        set_rate(self.optimisers, self.config.optimiser.learning_rate * self._factor())
        total = self._mean(sum(float(batch.weights.sum()) for batch in batches))
        loss = torch.zeros((), device=self.fabric.device)
        for number, batch in enumerate(batches, 1):
            with self.fabric.no_backward_sync(self.model, enabled=number < len(batches)):
                part = batch_loss(self.model, batch, self.fabric.device) / total
                self.fabric.backward(part)
            loss += part.detach()
        tokens = self._mean(sum(int((batch.weights > 0).sum()) for batch in batches))
        self.clock.tokens += round(tokens * self.fabric.world_size)
        if self.config.optimiser.clip:
            self._clip()
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad()
        if self.average:
            self.average.update(self.plain)
        return loss

    def measure(self) -> dict[str, float]:
        """Losses on the valid windows, with the averaged weights where there are some."""
        if not self.valid or not self.fabric.is_global_zero:
            return {}
        with self.fabric.autocast():
            found = losses(self.best(), self.valid, self.config.batch_tokens)
        self._say("valid", step=self.clock.step, tokens=self.clock.tokens, losses=found)
        return found

    def _measure_first(self) -> None:
        """Measure; under a time budget, on no more windows than a share of it is enough for, and remember how long."""
        if self.clock.seconds and self.valid:
            some = self.valid[:: -(-len(self.valid) // TIMED_WINDOWS)]
            begun = time.monotonic()
            losses(self.best(), some, self.config.batch_tokens)
            each = max(1e-9, time.monotonic() - begun) / len(some)
            count = max(1, int(MEASURING_SHARE * self.clock.seconds / each))
            self.valid = self.valid[:: -(-len(self.valid) // count)]
        begun = time.monotonic()
        self.measure()
        measured = float(self.fabric.broadcast(time.monotonic() - begun))
        if self.clock.seconds:
            self.clock.tick(self.fabric)
            self.clock.aside, self.clock.pace = measured, 0.0
        self.clock.last = time.monotonic()

    def best(self) -> GPT2:
        """The network that is saved: averaged weights where there are some."""
        if not self.average:
            return self.plain
        model = copy.deepcopy(self.plain)  # a new one would draw weights, and so disturb the random numbers of the run
        self.average.copy_to(model)
        return model

    # ---- checkpoints ----

    def save(self) -> None:
        """Write the state to resume from, and the network as it is now; each file appears whole or not at all."""
        state = {
            **self._saved(),
            "clock": {name: getattr(self.clock, name) for name in ("step", "first", "elapsed", "tokens")},
            "average": self.average.state_dict() if self.average else {},
            "random": torch.get_rng_state(),
        }
        partial = self.out / f".{STATE}.part"
        self.fabric.save(partial, state)
        if self.fabric.is_global_zero:
            os.replace(partial, self.out / STATE)
            save_checkpoint(self.out / LATEST, self.best(), self.encoder)
        self._say("saved", step=self.clock.step, file=str(self.out / LATEST))

    def load(self, folder: Path) -> None:
        """Go on from a run's saved state. Raises TrainingError where there is none."""
        path = folder / STATE
        if not path.exists():
            raise TrainingError(f"{path}: no saved state to go on from; start without --resume and --decay-from")
        rest = self.fabric.load(path, self._saved())
        for name, value in rest["clock"].items():
            setattr(self.clock, name, value)
        if self.average:
            self.average.load_state_dict(rest["average"])
        torch.set_rng_state(rest["random"])

    def _saved(self) -> dict[str, Any]:
        """What Fabric knows how to save and load."""
        return {"model": self.model, **{f"optimiser{i}": o for i, o in enumerate(self.optimisers)}}

    # ---- small things ----

    def _finishing(self, step: int) -> bool:
        return bool(self.config.finish_mix) and self.clock.progress(step) >= 1 - self.config.finish

    def _factor(self) -> float:
        return rate_factor(self.clock.step, self.clock.progress(self.clock.step), self.config.optimiser)

    def _mean(self, value: float) -> float:
        """The mean of a number over all processes, at least 1e-9."""
        if self.fabric.world_size == 1:
            return max(1e-9, value)
        mean: Any = self.fabric.all_reduce(torch.tensor(value, device=self.fabric.device), reduce_op="mean")
        return max(1e-9, float(mean))

    def _clip(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.plain.parameters(), self.config.optimiser.clip)

    def _figures(self) -> dict[str, Any]:
        clock = self.clock
        return {
            "step": clock.step,
            "tokens": clock.tokens,
            "rate": clock.tokens / max(1e-9, clock.elapsed),
            "learning_rate": self.config.optimiser.learning_rate * self._factor(),
            "progress": min(1.0, clock.progress(clock.step)),
            "remaining": clock.remaining(),
            "memory": peak_memory(),
        }

    def _say(self, kind: str, **figures: Any) -> dict[str, Any]:
        event = {"kind": kind, **figures}
        if self.fabric.is_global_zero:
            with (self.out / LOG).open("a") as log:
                log.write(json.dumps(event) + "\n")
            numbers = figures.get("losses", figures)
            series = {f"{kind}/{key}": value for key, value in numbers.items() if isinstance(value, float)}
            self.fabric.log_dict(series, step=self.clock.step)
            self.report(event)
        return event


def batch_loss(model: torch.nn.Module, batch: Batch, device: torch.device) -> torch.Tensor:
    """Sum of the weighted losses of a batch, in nats."""
    ids, labels, weights = (torch.from_numpy(part).to(device) for part in (batch.ids, batch.labels, batch.weights))
    positions = torch.arange(batch.offset, batch.offset + ids.shape[1], device=device)
    places = None if batch.places is None else torch.from_numpy(batch.places).to(device)
    logits = model(ids, positions, places).float()
    nats = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return (nats * weights.flatten()).sum()


def _model(plan: RunPlan, config: RunConfig, encoder: EncoderConfig) -> GPT2:
    """A new network, or the checkpoint's, whose tokens must be those of the data."""
    size = Vocabulary(encoder).size
    if plan.init is None:
        shape = config.model
        places = PlaceSizes() if shape.places else None
        sizes = (size, shape.n_positions, shape.n_embd, shape.n_layer, shape.n_head)
        return GPT2(GPT2Config(*sizes, places), shape.dropout)
    checkpoint = load_checkpoint(plan.init)
    if checkpoint.encoder_config.token_domains != encoder.token_domains:
        raise TrainingError(f"{plan.init}: its tokens are not those of {plan.data}; prepare the data with its encoder")
    model = with_places(checkpoint.model) if config.model.places else checkpoint.model
    return model.train()


def with_places(model: GPT2) -> GPT2:
    """The same network with tables of places that say nothing yet, or the network itself where it has some."""
    if model.config.places:
        return model
    grown = GPT2(replace(model.config, places=PlaceSizes()))
    grown.load_state_dict({**grown.state_dict(), **model.state_dict()})
    return grown
