"""What can be seen of a replay from outside: `/progress`, `/metrics` and `/healthz` on one small HTTP server."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from aura_contract.results import Progress, WindowRecord
from aura_replayer.book import ArmPlans
from aura_replayer.plan_metrics import PlanMetrics
from aura_telemetry.registry import new_registry

__all__ = ["Monitor", "Observer"]

log = logging.getLogger(__name__)

BATCH_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class BatchTimes(Collector):
    """A histogram that takes all batches of a window at once: one by one they cost as much as the rest of a window's end."""

    def __init__(self) -> None:
        self._counts: dict[str, NDArray[np.int64]] = {}
        self._sums: dict[str, float] = {}

    def add(self, arm: str, seconds: list[float]) -> None:
        """Count the round trips of one arm's batches."""
        counts = np.bincount(np.searchsorted(BATCH_BUCKETS, seconds), minlength=len(BATCH_BUCKETS) + 1)
        self._counts[arm] = self._counts.get(arm, 0) + counts
        self._sums[arm] = self._sums.get(arm, 0.0) + sum(seconds)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """See `prometheus_client`."""
        family = HistogramMetricFamily("aura_batch_seconds", "Round trip of a batch.", labels=["arm"])
        for arm, counts in self._counts.items():
            bounds = [*map(str, BATCH_BUCKETS), "+Inf"]
            family.add_metric([arm], list(zip(bounds, np.cumsum(counts).tolist(), strict=True)), self._sums[arm])
        yield family


class Observer(Protocol):
    """Is told how a run goes on."""

    def window(self, record: WindowRecord, batch_seconds: list[float]) -> None:
        """A window of one arm is finished; `batch_seconds` are the round trips of its batches."""

    def update(self, progress: Progress) -> None:
        """The run stands here now."""

    def planning(self, arms: Mapping[str, ArmPlans]) -> None:
        """The plans of the planned arms are kept here from now on."""


class Monitor:
    """Holds the latest progress; labels are arms and fixed words, so cardinality is bounded."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.registry = new_registry()
        self._hits = Counter("aura_cache_hits", "Requests found in the cache.", ["arm"], registry=self.registry)
        self._misses = Counter("aura_cache_misses", "Requests not found in the cache.", ["arm"], registry=self.registry)
        self._prefetches = Counter("aura_prefetches", "Values put into the cache by plans.", ["arm"], registry=self.registry)
        self._prefetch_hits = Counter("aura_prefetch_hits", "First hits on prefetched values.", ["arm"], registry=self.registry)
        self._windows = Counter("aura_windows", "Windows that are over.", ["arm"], registry=self.registry)
        self._ratio = Gauge("aura_window_hit_ratio", "Hit ratio of the last window.", ["arm"], registry=self.registry)
        self._pressure = Gauge("aura_memory_pressure_ratio", "Used memory over the budget.", ["arm"], registry=self.registry)
        self._items = Gauge("aura_cached_items", "Items in the cache.", ["arm"], registry=self.registry)
        self._batches, self._plans = BatchTimes(), PlanMetrics()
        self.registry.register(self._batches)
        self.registry.register(self._plans)
        self._server: ThreadingHTTPServer | None = None

    def window(self, record: WindowRecord, batch_seconds: list[float]) -> None:
        """Count one finished window of one arm, and log it."""
        self._hits.labels(record.arm).inc(record.hits)
        self._misses.labels(record.arm).inc(record.misses)
        self._prefetches.labels(record.arm).inc(record.prefetches)
        self._prefetch_hits.labels(record.arm).inc(record.prefetch_hits)
        self._windows.labels(record.arm).inc()
        self._ratio.labels(record.arm).set(record.hit_ratio)
        self._pressure.labels(record.arm).set(record.pressure)
        self._items.labels(record.arm).set(record.items)
        self._batches.add(record.arm, batch_seconds)
        where = {"arm": record.arm, "window": record.window, "plan_id": record.plan_id}
        log.info("window is over: hit ratio %.4f, %d backend reads", record.hit_ratio, record.backend_reads, extra=where)
        if record.rollback:
            log.info("levers taken back", extra=where)

    def update(self, progress: Progress) -> None:
        """Replace the progress that `/progress` answers."""
        self.progress = progress

    def planning(self, arms: Mapping[str, ArmPlans]) -> None:
        """Show these plans in `/metrics`."""
        self._plans.arms = arms

    def say(self, message: str) -> None:
        """Change nothing of the progress but its message."""
        self.progress = self.progress.model_copy(update={"message": message})

    def serve(self, host: str, port: int) -> int:
        """Answer on host:port from a thread of its own; returns the port. Raises OSError when the port is taken."""
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                routes: dict[str, Callable[[], tuple[str, bytes]]] = {
                    "/progress": lambda: ("application/json", monitor.progress.model_dump_json().encode()),
                    "/metrics": lambda: (CONTENT_TYPE_LATEST, generate_latest(monitor.registry)),
                    "/healthz": lambda: ("text/plain", b"ok\n"),
                }
                answer = routes.get(self.path.partition("?")[0])
                if answer is None:
                    self.send_error(404)
                    return
                kind, body = answer()
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Requests are not logged."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop answering."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
