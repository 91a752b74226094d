"""What the server measures about itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from midigpt_cli.server.loaded_models import Models
from midigpt_cli.server.prometheus import Counter, Gauge, Histogram, exposition, resident_bytes
from midigpt_cli.server.work import Work
from midigpt_cli.server.work_queue import WorkQueue
from midigpt_core.sampling.batch import Decoder

METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
)  # others share one series: anybody may invent one


class Telemetry:
    """All metrics of one application."""

    def __init__(self, models: Models) -> None:
        self.requests = Counter("midigpt_requests_total", "Requests answered, by route and status.")
        self.request_seconds = Histogram("midigpt_request_seconds", "Time to answer a request.")
        self.generations = Counter("midigpt_generations_total", "Generations ended, by outcome.")
        self.generation_seconds = Histogram("midigpt_generation_seconds", "Time a generation ran.")
        self.queue_seconds = Histogram("midigpt_queue_seconds", "Time a generation waited for a worker.")
        self.bars = Counter("midigpt_bars_total", "Bars written.")
        self.webhooks = Counter("midigpt_webhooks_total", "Webhooks, by outcome.")
        self._models = models
        self._last = (time.monotonic(), 0.0)
        self._speed = 0.0
        decoders = {entry.id: entry.engine.decoder for entry in models.by_id.values()}
        self._all: list[Counter | Gauge | Histogram] = [
            self.requests,
            self.request_seconds,
            self.generations,
            self.generation_seconds,
            self.queue_seconds,
            self.bars,
            self.webhooks,
            *_of_decoders(decoders),
            Gauge("midigpt_tokens_per_second", "Tokens written per second since the last look.", self._tokens_rate),
            Gauge("midigpt_resident_bytes", "Memory the process holds.", lambda: {"": resident_bytes()}),
        ]

    def watch(self, queue: WorkQueue) -> None:
        """Report the work queue."""
        waiting = "Requests admitted that wait for a worker."
        self._all += [
            Gauge("midigpt_queue", waiting, lambda: {"": len(queue.in_flight) - queue.running}),
            Gauge("midigpt_running", "Requests being generated.", lambda: {"": queue.running}),
        ]

    def generation(self, work: Work) -> None:
        """One generation has ended."""
        outcome = work.outcome.status if work.outcome else "failed"
        self.generations.add(model=work.label, kind=work.kind, outcome=outcome)
        self.generation_seconds.observe(work.run_seconds, model=work.label)
        self.queue_seconds.observe(work.queue_seconds, model=work.label)
        self.bars.add(work.progress.bars_done, model=work.label)

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """One request was answered; `path` is the route's template."""
        self.requests.add(method=method if method in METHODS else "other", path=path, status=str(status))
        self.request_seconds.observe(seconds, path=path)

    def text(self) -> str:
        """Everything, in the Prometheus text format."""
        return exposition(self._all)

    def _tokens_rate(self) -> dict[str, float]:
        now = time.monotonic()
        total = float(sum(entry.engine.decoder.tokens_drawn for entry in self._models.by_id.values()))
        then, before = self._last
        if now - then >= 1.0:
            self._speed, self._last = (total - before) / (now - then), (now, total)
        return {"": self._speed}


def _of_decoders(decoders: Mapping[str, Decoder]) -> list[Gauge]:
    """What every model's decoder counts."""
    facts: tuple[tuple[str, str, Callable[[Decoder], float], str], ...] = (
        ("active_lanes", "Takes that share model calls at this moment.", lambda decoder: decoder.active, "gauge"),
        ("tokens_total", "Tokens written.", lambda decoder: decoder.tokens_drawn, "counter"),
        (
            "model_calls_total",
            "Model calls; each writes one token for every active lane.",
            lambda decoder: decoder.model_calls,
            "counter",
        ),
    )

    def values(of: Callable[[Decoder], float]) -> Callable[[], dict[str, float]]:
        return lambda: {name: of(decoder) for name, decoder in decoders.items()}

    return [Gauge(f"midigpt_{name}", meaning, values(of), "model", kind) for name, meaning, of, kind in facts]
