"""Planners and executors in this process, in the place of Kafka and what is behind it."""

import time
from collections.abc import Callable, Mapping

from aura_cli.simulation.arm import SimulatedArm
from aura_contract.admissibility import Admissible, Refused, admissible
from aura_contract.context import ContextSnapshot
from aura_contract.limits import ExecutorSpec
from aura_contract.plan import Plan
from aura_contract.receipt import ActionCounts, Receipt
from aura_planner.pipeline import Pipeline
from aura_replayer.book import PlanBook
from aura_replayer.results import JsonLines
from aura_simulator.arm import Applied

__all__ = ["LocalDesk"]


class LocalDesk(PlanBook):
    """Asks each arm's pipeline at once, with the message it would get, and applies its plans when they are due."""

    def __init__(
        self,
        pipelines: Mapping[str, Pipeline],
        arms: Mapping[str, SimulatedArm],
        caps: ExecutorSpec,
        logs: Mapping[str, JsonLines],
    ) -> None:
        super().__init__(tuple(pipelines), logs)
        self._pipelines, self._arms, self._caps = pipelines, arms, caps
        self._payloads: dict[str, bytes] = {}

    def ask(self, arm: str, window: int, context: bytes, *, exclusive: bool) -> None:
        """See `Desk.ask`."""
        if self.expect(arm, window, exclusive=exclusive):
            made = self._pipelines[arm].plan(ContextSnapshot.model_validate_json(context))
            self._payloads[arm] = made.payload
            self.take_plan(made.plan)

    def poll(self, timeout: float = 0.0) -> None:
        """Nothing is under way."""

    def wait_for_plan(self, arm: str, timeout: float, stop: Callable[[], bool]) -> None:
        """Plans are there when they were asked for."""

    def wait_for_receipt(self, arm: str, timeout: float, stop: Callable[[], bool]) -> None:  # noqa: ARG002
        """Apply the arm's plan."""
        started = time.perf_counter()
        for plan in list(self.arms[arm].waiting.values()):
            self.take_receipt(self._answer(arm, plan, started))

    def finish(self, timeout: float, asked: Mapping[str, int]) -> None:  # noqa: ARG002
        """Count the plans that were due after the log's end."""
        for state in self.arms.values():
            if state.waiting:
                state.unplanned["late"] += len(state.waiting)

    def close(self) -> None:
        """There is no connection."""

    def _answer(self, arm: str, plan: Plan, started: float) -> Receipt:
        target = self._arms[arm]
        found = admissible(self._payloads[arm], self._caps)
        if isinstance(found, Refused):
            return _receipt(plan, started, outcome="refused", reason=found.reason)
        if plan.plan_id in target.vetoed:
            return _receipt(plan, started, outcome="refused", reason="vetoed", applied_at=target.now)
        if plan.expires_at is not None and target.now > plan.expires_at:
            return _receipt(plan, started, outcome="refused", reason="expired", applied_at=target.now)
        return _receipt(plan, started, outcome="applied", applied_at=target.now, **_carried_out(found, target.apply(found)))


def _carried_out(found: Admissible, done: Applied) -> dict[str, object]:
    refused = dict(found.refused)
    if done.held_evict + done.held_prefetch:
        refused["held_out"] = done.held_evict + done.held_prefetch
    if done.over_budget:
        refused["over_budget"] = done.over_budget
    evict, prefetch = len(found.evict) - done.held_evict, len(found.prefetch) - done.held_prefetch - done.over_budget
    return {
        "applied": ActionCounts(evict=evict, prefetch=prefetch),
        "effective": ActionCounts(evict=done.evicted, prefetch=done.prefetched),
        "policy": found.plan.policy is not None,
        "clamped": found.clamped,
        "refused": refused,
    }


def _receipt(plan: Plan, started: float, **fields: object) -> Receipt:
    latency = round((time.perf_counter() - started) * 1000, 3)
    who = plan.model_dump(include={"plan_id", "run", "arm", "window", "shard", "planner"})
    requested = ActionCounts(evict=len(plan.evict), prefetch=len(plan.prefetch))
    return Receipt.model_validate({**who, "requested": requested, "latency_ms": latency, **fields})
