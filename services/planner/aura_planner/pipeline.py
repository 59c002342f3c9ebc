"""One window from context to message, without any transport: decide, expand, guard, and account for the time it took."""

import logging
import time
from dataclasses import dataclass, replace

from aura_contract.context import ContextSnapshot
from aura_contract.experiment import ExperimentSpec
from aura_contract.limits import ExecutorSpec
from aura_contract.plan import Plan, Prefetch
from aura_planner.decision import Decision, Reasoner, unplanned
from aura_planner.enrichment import Enrichment
from aura_planner.expansion import actions
from aura_planner.guard import guarded

__all__ = ["ANSWER_CHARS", "Made", "Pipeline", "plan_id", "where"]

ANSWER_CHARS = 4000
REASON_CHARS = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """A plan, its message, the decision behind it, actions that the guard took out by reason, and seconds by part."""

    plan: Plan
    payload: bytes
    decision: Decision
    removed: dict[str, int]
    overhead_s: float


class Pipeline:
    """The planner of one arm. Nothing in here raises: whatever goes wrong, the window gets a plan that changes nothing.

    An `instant` one takes no time on the experiment's clock, unless a recording says how long it took. `replica` names the
    process in its plans.
    """

    def __init__(
        self,
        reasoner: Reasoner,
        spec: ExperimentSpec,
        enrichment: Enrichment,
        *,
        instant: bool = False,
        replica: str | None = None,
    ) -> None:
        self.reasoner = reasoner
        self._instant, self._replica = instant, replica
        self._charge = spec.planner.latency_factor
        self._ttl = spec.cache.ttl.medium
        self._enrichment = enrichment

    def plan(self, context: ContextSnapshot, received: float | None = None) -> Made:
        """The plan for one window; `received` is the `time.perf_counter()` when the context came (default: now)."""
        started = time.perf_counter()
        decision = self._decide(context)
        try:
            evict, prefetch = actions(decision, context, self._enrichment, self._ttl)
        except Exception as error:
            log.exception("expansion failed", extra=where(context))
            evict, prefetch, decision = (), (), _failure(error, decision)
        latency = decision.latency_s
        if latency is None:
            latency = 0.0 if self._instant else time.perf_counter() - (received or started)
        plan = self._envelope(context, decision, latency, evict, prefetch)
        plan, payload, removed = guarded(plan, _caps(context))
        if plan.outcome != decision.outcome:
            decision = replace(decision, outcome=plan.outcome, discarded="inadmissible", reason=plan.reason)
        return Made(plan, payload, decision, removed, max(0.0, time.perf_counter() - started - decision.model_s))

    def skip(self, context: ContextSnapshot, received: float, reason: str) -> Made:
        """An empty plan with outcome `timeout`, for a window that is over before its turn came."""
        decision = unplanned("timeout", "superseded", reason)
        plan = self._envelope(context, decision, time.perf_counter() - received, (), ())
        return Made(*guarded(plan, _caps(context))[:2], decision, {}, 0.0)

    def _decide(self, context: ContextSnapshot) -> Decision:
        try:
            return self.reasoner.decide(context)
        except Exception as error:
            log.exception("reasoner failed", extra=where(context))
            return _failure(error, None)

    def _envelope(
        self,
        context: ContextSnapshot,
        decision: Decision,
        latency_s: float,
        evict: tuple[str, ...],
        prefetch: tuple[Prefetch, ...],
    ) -> Plan:
        end_v = context.workload.end_v
        delay = round(latency_s * 1000 * self._charge)
        return Plan(
            evict=evict,
            prefetch=prefetch,
            policy=decision.policy,
            plan_id=plan_id(context),
            run=context.run,
            arm=context.arm,
            window=context.window,
            shard=context.shard,
            context_id=context.context_id,
            planner=decision.planner or self.reasoner.name,
            replica=self._replica,
            issued_at=time.time(),
            apply_at=end_v + delay,
            expires_at=max(0, context.expires_at + delay),
            latency_s=latency_s,
            outcome=decision.outcome,
            reason=decision.reason,
            answer=decision.answer[:ANSWER_CHARS] if decision.answer is not None else None,
        )


def plan_id(context: ContextSnapshot) -> str:
    """The one id of this window's plan, whoever makes it and however often: the executor applies an id once."""
    arm = f"{context.arm}.{context.shard}" if context.shard else context.arm
    return f"{context.run}-{arm}-{context.window}-{context.context_id[:8]}"[-200:]


def _failure(error: Exception, decision: Decision | None) -> Decision:
    reason = f"{type(error).__name__}: {error}"[:REASON_CHARS]
    failed = unplanned("invalid", "exception", reason, decision.answer if decision else None)
    return replace(failed, model_s=decision.model_s) if decision else failed


def _caps(context: ContextSnapshot) -> ExecutorSpec:
    caps = context.caps
    return ExecutorSpec.model_construct(
        max_evict=caps.max_evict, max_prefetch=caps.max_prefetch, ttl_min=caps.ttl_min, ttl_max=caps.ttl_max
    )


def where(context: ContextSnapshot) -> dict[str, object]:
    """What log lines about a context say besides their message."""
    return {
        "experiment": context.experiment,
        "run": context.run,
        "arm": context.arm,
        "window": context.window,
        "shard": context.shard,
        "plan_id": plan_id(context),
    }
