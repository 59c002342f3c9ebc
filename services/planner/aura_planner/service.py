"""The loop: contexts in, exactly one plan for each out, then the commit."""

import logging
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from aura_bus import BusError, Publisher, Received, Subscriber
from aura_contract.base import CONTRACT_VERSION
from aura_contract.context import ContextSnapshot
from aura_planner.ledger import Entry, Ledger
from aura_planner.metrics import Metrics
from aura_planner.pipeline import Made, Pipeline, where
from aura_telemetry.tracing import OFF, Tracing

__all__ = ["Service"]

POLL_S = 0.1
STALE_S = 15.0
MAX_IN_FLIGHT = 256

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A context on its way to its arm's thread: when it came (perf_counter) and the seconds that reading it took."""

    context: ContextSnapshot
    key: bytes
    entry: Entry
    received: float
    parse_s: float
    traceparent: str | None


class Service:
    """Plans for every arm of one run. Each arm has a thread, so that a slow model never delays another arm's plans."""

    def __init__(
        self,
        run: str,
        pipelines: Mapping[str, Pipeline],
        subscriber: Subscriber,
        publisher: Publisher,
        plan_topic: str,
        metrics: Metrics,
        tracing: Tracing = OFF,
    ) -> None:
        self._run = run
        self._pipelines = pipelines
        self._subscriber = subscriber
        self._publisher = publisher
        self._plan_topic = plan_topic
        self._metrics, self._tracing = metrics, tracing
        self._ledger = Ledger()
        self._queues: dict[str, queue.SimpleQueue[Job]] = {}
        self._newest: dict[tuple[str, int], ContextSnapshot] = {}
        self._fatal: BusError | None = None
        self._stopping = False
        self._ticked = 0.0

    def healthy(self) -> bool:
        """Whether the loop has turned lately; a long model call does not stop it from turning."""
        return not self._ticked or time.monotonic() - self._ticked < STALE_S

    def ready(self) -> bool:
        """Whether the loop is running."""
        return bool(self._ticked) and self._fatal is None and self.healthy()

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; raises BusError when the broker took no plans any more.

        A window whose plan is still being made at the end stays uncommitted, so the next replica gets it.
        """
        while not stop.is_set():
            self._ticked = time.monotonic()
            self._ledger.settle()
            if self._fatal is not None:
                raise self._fatal
            if len(self._ledger) >= MAX_IN_FLIGHT:
                stop.wait(POLL_S)
                continue
            message = self._subscriber.poll(POLL_S)
            if message is not None:
                self._take(message)
        self._stopping = True
        self._ledger.settle()

    def _take(self, message: Received) -> None:
        received = time.perf_counter()
        entry = self._ledger.opened(message.partition, message.commit)
        context = self._read(message)
        if context is None:
            entry.done = True
            return
        self._metrics.lag.observe(max(0.0, time.time() - context.issued_at))
        job = Job(context, message.key, entry, received, time.perf_counter() - received, message.traceparent)
        newest = self._newest.get((context.arm, context.shard))
        if newest is None or context.window > newest.window:
            self._newest[context.arm, context.shard] = context
        self._metrics.waiting.labels(context.arm).inc()
        self._queue(context.arm).put(job)

    def _read(self, message: Received) -> ContextSnapshot | None:
        """The context of a message, or None (with a log line and a count) when it is not ours to plan for."""
        try:
            context = ContextSnapshot.model_validate_json(message.value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            bad_json = first["type"] == "json_invalid"
            self._metrics.discard("context_not_json" if bad_json else "context_schema")
            field = ".".join(str(part) for part in first["loc"])
            log.warning("context skipped: %s: %s", field or "message", first["msg"])
            return None
        if context.run != self._run:
            return None
        if context.version not in (CONTRACT_VERSION, CONTRACT_VERSION - 1):
            self._metrics.discard("context_version")
            versions = (context.version, CONTRACT_VERSION)
            log.warning("context skipped: version %d, this planner reads %d", *versions, extra=where(context))
            return None
        if context.arm not in self._pipelines:
            self._metrics.discard("context_arm")
            log.warning("context skipped: the manifest plans for no such arm", extra=where(context))
            return None
        return context

    def _queue(self, arm: str) -> queue.SimpleQueue[Job]:
        if arm not in self._queues:
            jobs = self._queues[arm] = queue.SimpleQueue()
            threading.Thread(target=self._work, args=(arm, jobs), name=f"arm-{arm}", daemon=True).start()
        return self._queues[arm]

    def _work(self, arm: str, jobs: queue.SimpleQueue[Job]) -> None:
        pipeline = self._pipelines[arm]
        while self._fatal is None:
            job = jobs.get()
            try:
                span = self._tracing.start("plan", job.traceparent, arm=arm, window=job.context.window)
                made = self._make(pipeline, job)
                if self._stopping:
                    return
                self._publisher.publish(self._plan_topic, job.key, made.payload, traceparent=span.traceparent)
                self._publisher.flush()
                span.end(plan_id=made.plan.plan_id or "", outcome=made.plan.outcome)
                job.entry.done = True
                self._account(made, job)
            except BusError as error:
                self._fatal = error
            except Exception:
                log.exception("window failed", extra=where(job.context))
                self._metrics.discard("exception")
                job.entry.done = True
            self._metrics.waiting.labels(arm).dec()

    def _make(self, pipeline: Pipeline, job: Job) -> Made:
        newest = self._newest[job.context.arm, job.context.shard]
        if pipeline.reasoner.slow and newest.window > job.context.window and job.context.expires_at <= newest.workload.end_v:
            reason = f"the window was over before its turn came: window {newest.window} is waiting already"
            return pipeline.skip(job.context, job.received, reason)
        return pipeline.plan(job.context, job.received)

    def _account(self, made: Made, job: Job) -> None:
        plan = made.plan
        self._metrics.made(made, job.parse_s)
        fields = {
            **where(job.context),
            "planner": plan.planner,
            "outcome": plan.outcome,
            "reason": plan.reason,
            "latency_s": round(plan.latency_s, 4),
        }
        if made.decision.discarded:
            log.warning("window unplanned", extra={**fields, "answer": (plan.answer or "")[:500] or None})
        else:
            log.info("plan published: %d evictions, %d prefetches", len(plan.evict), len(plan.prefetch), extra=fields)
