"""Start the processes of a run on the devices it was given: the thin layer over Lightning Fabric."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from midigpt_core.errors import TrainingError
from midigpt_core.train.optimise import processor_has_bfloat16
from midigpt_core.train.training_config import RunConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class RunPlan:
    """Where a run reads and writes, and how it starts and ends."""

    data: str  # folder made by prepare
    out: str  # folder for checkpoints and logs
    init: str | None = None  # checkpoint file to start from; None: random weights
    resume: bool = False  # go on from the last state in `out`
    decay_from: str | None = None  # folder of a run to branch off from: its state is read, the rate falls to zero
    seconds: float | None = None  # time budget, which then replaces config.steps
    accelerator: str = "auto"  # "cpu", "cuda", "mps" or "auto"
    devices: int | str = 1  # processes on each machine; "auto": one per accelerator
    nodes: int = 1


def start_fabric(plan: RunPlan, config: RunConfig) -> Fabric:
    """Processes, precision, loggers and seed of a run. Raises TrainingError where Fabric is not installed."""
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise TrainingError("training needs Lightning Fabric: pip install 'midigpt-cli[train]'") from error
    if config.threads:
        torch.set_num_threads(config.threads)
    precision: Any = _precision(config.precision)
    fabric = Fabric(
        accelerator=plan.accelerator,
        devices=plan.devices,
        num_nodes=plan.nodes,
        precision=precision,
        loggers=_tensorboard(plan.out),
    )
    fabric.launch()
    fabric.seed_everything(config.seed, verbose=False)
    return fabric


def _tensorboard(out: str) -> list[Any]:
    """A logger for TensorBoard where it is installed."""
    if find_spec("tensorboard") is None:
        return []
    from lightning_fabric.loggers.tensorboard import TensorBoardLogger

    return [TensorBoardLogger(out, name="logs", version="")]


def _precision(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return "bf16-mixed" if processor_has_bfloat16() else "32-true"


def peak_memory() -> int:
    """Bytes: of the accelerator where there is one, else of this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    if find_spec("resource") is None:
        return 0  # not told on this system
    import resource

    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
