"""The loop: contexts in, exactly one plan for each out, then the commit."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from aura_bus import BusError, Publisher, Received, Subscriber
from aura_contract.base import CONTRACT_VERSION
from aura_contract.context import ContextSnapshot
from aura_planner.ledger import Ledger
from aura_planner.metrics import Metrics
from aura_planner.pipeline import Made, Pipeline, where
from aura_planner.waiting import Job, Waiting
from aura_telemetry.tracing import OFF, Tracing

__all__ = ["Service"]

POLL_S = 0.1
STALE_S = 15.0
MAX_WAITING = 256

log = logging.getLogger(__name__)


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
        self._waiting: dict[str, Waiting] = {}
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
            if sum(map(len, self._waiting.values())) >= MAX_WAITING:
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
        self._metrics.waiting.labels(context.arm).inc()
        pipeline = self._pipelines[context.arm]
        self._skip(pipeline, self._waiting_of(context.arm).put(job, drop=pipeline.reasoner.slow), context.window)

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

    def _waiting_of(self, arm: str) -> Waiting:
        if arm not in self._waiting:
            jobs = self._waiting[arm] = Waiting()
            threading.Thread(target=self._work, args=(arm, jobs), name=f"arm-{arm}", daemon=True).start()
        return self._waiting[arm]

    def _skip(self, pipeline: Pipeline, jobs: Sequence[Job], newest: int) -> None:
        """Answer for windows that were over before their turn came: however slow a model is, they do not heap up behind it."""
        reason = f"the window was over before its turn came: window {newest} is waiting already"
        skipped = [(pipeline.skip(job.context, job.received, reason), job) for job in jobs]
        for made, job in skipped:
            self._publisher.publish(self._plan_topic, job.key, made.payload, traceparent=job.traceparent)
        if skipped:
            self._publisher.flush()
        for made, job in skipped:
            job.entry.done = True
            self._account(made, job)
            self._metrics.waiting.labels(job.context.arm).dec()

    def _work(self, arm: str, jobs: Waiting) -> None:
        pipeline = self._pipelines[arm]
        while self._fatal is None:
            job = jobs.get()
            try:
                span = self._tracing.start("plan", job.traceparent, arm=arm, window=job.context.window)
                made = pipeline.plan(job.context, job.received)
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
