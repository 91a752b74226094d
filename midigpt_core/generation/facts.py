"""What is told of a finished take beside its notes: how far it is from the original, and what is left to remark on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from midigpt_core.generation.candidate import Take
from midigpt_core.generation.distance_from_original import Origin
from midigpt_core.generation.voice_constraints import remarks_on
from midigpt_core.plan.steps import Cell
from midigpt_core.request import InferenceConfig


def with_facts(take: Take, origin: Origin, cells: Collection[Cell], config: InferenceConfig) -> Take:
    """The take, its cells compared with what stood there and looked at by the rules that are asked for."""
    remarks = remarks_on(take.score, cells, config)
    return replace(take, distance=origin.distance_of(take.score, cells), remarks=remarks)
