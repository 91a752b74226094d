"""Counters, gauges and histograms in the Prometheus text format."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

Labels = tuple[tuple[str, str], ...]
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _line(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{inside}}} {value:.15g}" if inside else f"{name} {value:.15g}"


class Counter:
    """A number per label set that only grows."""

    kind = "counter"

    def __init__(self, name: str, meaning: str) -> None:
        self.name, self.meaning = name, meaning
        self._values: dict[Labels, float] = defaultdict(float)
        self._lock = threading.Lock()

    def add(self, amount: float = 1, **labels: str) -> None:
        with self._lock:
            self._values[tuple(labels.items())] += amount

    def lines(self) -> list[str]:
        with self._lock:
            return [_line(self.name, labels, value) for labels, value in self._values.items()]


class Gauge:
    """Numbers read on demand: {label value: number}."""

    def __init__(
        self, name: str, meaning: str, read: Callable[[], Mapping[str, float]], label: str = "", kind: str = "gauge"
    ) -> None:
        self.name, self.meaning, self.label, self.kind = name, meaning, label, kind
        self._read = read

    def lines(self) -> list[str]:
        return [_line(self.name, [(self.label, key)] if self.label else [], v) for key, v in self._read().items()]


class Histogram:
    """How observations spread over fixed bounds, per label set."""

    kind = "histogram"

    def __init__(self, name: str, meaning: str, bounds: Sequence[float] = SECONDS) -> None:
        self.name, self.meaning, self.bounds = name, meaning, tuple(bounds)
        self._counts: dict[Labels, list[int]] = defaultdict(lambda: [0] * (len(self.bounds) + 1))
        self._sums: dict[Labels, float] = defaultdict(float)
        self._lock = threading.Lock()

    def observe(self, value: float, **labels: str) -> None:
        with self._lock:
            self._counts[tuple(labels.items())][bisect_left(self.bounds, value)] += 1
            self._sums[tuple(labels.items())] += value

    def lines(self) -> list[str]:
        out = []
        with self._lock:
            for labels, counts in self._counts.items():
                total = 0
                for bound, count in zip([*map("{:g}".format, self.bounds), "+Inf"], counts, strict=True):
                    total += count
                    out.append(_line(f"{self.name}_bucket", [*labels, ("le", bound)], total))
                out.append(_line(f"{self.name}_sum", labels, self._sums[labels]))
                out.append(_line(f"{self.name}_count", labels, total))
        return out


def exposition(metrics: Iterable[Counter | Gauge | Histogram]) -> str:
    """All metrics in the Prometheus text format, version 0.0.4."""
    out: list[str] = []
    for metric in metrics:
        out += [f"# HELP {metric.name} {metric.meaning}", f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
    return "\n".join(out) + "\n"


def resident_bytes() -> float:
    """Memory of this process in bytes; the peak where the current value is not available."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            import resource

            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0.0
