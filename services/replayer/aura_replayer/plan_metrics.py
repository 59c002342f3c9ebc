"""Plans as metrics: what came of them, and which contexts still wait for one."""

import time
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aura_contract.plan import PlanOutcome
from aura_replayer.book import ArmPlans
from aura_replayer.guard.guard import VetoReason

__all__ = ["PlanMetrics"]

UNPLANNED = tuple(sorted({*PlanOutcome.__args__, "busy", "late", "no_answer"} - {"planned", "noop"}))  # type: ignore[attr-defined]
VETOES: tuple[VetoReason, ...] = VetoReason.__args__  # type: ignore[attr-defined]


class PlanMetrics(Collector):
    """Read when asked for, since the replay stands still while it waits for a plan; labels are arms and fixed words."""

    def __init__(self) -> None:
        self.arms: Mapping[str, ArmPlans] = {}

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client`."""
        contexts = CounterMetricFamily("aura_contexts", "Contexts that planners were sent.", labels=["arm"])
        waiting = GaugeMetricFamily("aura_contexts_waiting", "Contexts without a plan.", labels=["arm"])
        age = GaugeMetricFamily("aura_context_wait_seconds", "Age of the oldest context without a plan, or 0.", labels=["arm"])
        decided = CounterMetricFamily("aura_plans_decided", "Valid plans of planners, empty ones too.", labels=["arm"])
        plans = CounterMetricFamily("aura_plans", "Plans by what the executor made of them.", labels=["arm", "outcome"])
        unplanned = CounterMetricFamily("aura_unplanned_windows", "Windows without a valid plan.", labels=["arm", "reason"])
        vetoes = CounterMetricFamily("aura_guard_vetoes", "Plans that the guard refused.", labels=["arm", "reason"])
        rollbacks = CounterMetricFamily("aura_guard_rollbacks", "Levers that the guard took back.", labels=["arm"])
        now = time.monotonic()
        for arm, state in self.arms.items():
            # The replay's thread goes on meanwhile.
            sent = list(state.contexts.values())
            contexts.add_metric([arm], state.sent)
            waiting.add_metric([arm], len(sent))
            age.add_metric([arm], now - min(sent, default=now))
            decided.add_metric([arm], state.decided)
            plans.add_metric([arm, "applied"], state.applied)
            plans.add_metric([arm, "refused"], state.refused)
            for reason in UNPLANNED:
                unplanned.add_metric([arm, reason], state.unplanned[reason])
            for veto in VETOES:
                vetoes.add_metric([arm, veto], state.vetoed[veto])
            rollbacks.add_metric([arm], state.rollbacks)
        yield from (contexts, waiting, age, decided, plans, unplanned, vetoes, rollbacks)
