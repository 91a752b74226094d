"""What benchmark scripts share, without torch: spreads, ratios of rounds, and a line about the machine."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

SETS = {
    "AVX-512 VNNI": "avx512_vnni",
    "AVX-512": "avx512f",
    "AVX-VNNI": "avx_vnni",
    "AVX2": "avx2",
}  # the first that it has


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return ordered[quarter], statistics.median(ordered), ordered[-1 - quarter]


def spread(values: Sequence[float], digits: int = 2, scale: float = 1.0) -> str:
    """Median with quartiles."""
    low, middle, high = (f"{scale * value:,.{digits}f}" for value in quartiles(values))
    return f"{middle} ({low}-{high})"


def ratio(slow: Sequence[float], fast: Sequence[float]) -> str:
    """Median of the rounds' ratios, with quartiles."""
    low, middle, high = quartiles([a / b for a, b in zip(slow, fast, strict=True)])
    return f"{middle:.1f} x ({low:.1f}-{high:.1f})"


def machine() -> str:
    """Processor, instruction set, torch."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    wide = next((name for name, flag in SETS.items() if flag in flags), "no AVX2")
    name = names[0] if names else platform.processor()
    return f"{name} ({wide}), {os.cpu_count()} processors, torch {version('torch')}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown; the first column to the left, the others to the right."""
    lines = [head, [":--", *("--:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
