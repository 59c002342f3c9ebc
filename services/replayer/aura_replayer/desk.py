"""The replayer's side of planning: contexts out, plans and receipts in, at most one plan under way an arm."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from aura_bus import Publisher, Received, Subscriber
from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.results import PlanCounts
from aura_contract.topics import Topics, message_key
from aura_replayer.results import JsonLines

__all__ = ["ArmPlans", "PlanDesk", "PlanLost"]


class PlanLost(RuntimeError):
    """A plan was published but the executor never answered for it."""


@dataclass
class ArmPlans:
    """Plans of one arm: the window asked for, the last plan's planner, plans that wait for the executor, the counts so far."""

    asked: int | None = None
    planner: str | None = None
    waiting: dict[str, Plan] = field(default_factory=dict)
    decided: int = 0
    applied: int = 0
    refused: int = 0
    unplanned: Counter[str] = field(default_factory=Counter)
    recent: list[tuple[Plan, Receipt]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    early: dict[str, Receipt] = field(default_factory=dict)

    def due(self) -> int | None:
        """Event clock in ms at which the next waiting plan is to be applied."""
        return min((plan.apply_at or 0 for plan in self.waiting.values()), default=None)

    def counts(self) -> PlanCounts:
        """Counts as they go into the verdict."""
        return PlanCounts(decided=self.decided, applied=self.applied, refused=self.refused, unplanned=dict(self.unplanned))


def acts(plan: Plan) -> bool:
    """Whether a plan asks for anything."""
    return bool(plan.evict or plan.prefetch or plan.policy)


class PlanDesk:
    """One for all planned arms of a run; `patient` when nobody waits for their plans."""

    def __init__(
        self,
        kafka: str,
        topics: Topics,
        experiment: str,
        run: str,
        arms: tuple[str, ...],
        logs: Mapping[str, JsonLines],
        *,
        patient: bool,
    ) -> None:
        self._topics, self._experiment, self._run = topics, experiment, run
        self._publisher = Publisher(kafka)
        self._subscriber = Subscriber(kafka, [topics.plan, topics.applied], patient=patient)
        self._plan_log, self._receipt_log = logs["plans"], logs["receipts"]
        self.arms = {arm: ArmPlans() for arm in arms}
        self._slots = {arm: number for number, arm in enumerate(arms)}
        self.on_applied: Callable[[str, Plan, Receipt], None] = lambda _arm, _plan, _receipt: None

    def ask(self, arm: str, window: int, context: bytes, *, exclusive: bool) -> None:
        """Publish the context of a window; with `exclusive` not while the arm's planner is busy with an earlier one."""
        state = self.arms[arm]
        if exclusive:
            if state.asked is not None or state.waiting:
                state.unplanned["busy"] += 1
                return
            state.asked = window
        key = message_key(self._experiment, arm)
        self._publisher.publish(self._topics.context, key, context, slot=self._slots[arm])

    def poll(self, timeout: float = 0.0) -> None:
        """Take in what has arrived; waits up to `timeout` seconds for the first message."""
        message = self._subscriber.poll(timeout)
        while message is not None:
            self._take(message)
            message = self._subscriber.poll(0.0)

    def wait_for_plan(self, arm: str, timeout: float, stop: Callable[[], bool]) -> None:
        """Return when the window asked for is decided, or after `timeout` seconds, when it counts as unplanned."""
        state = self.arms[arm]
        deadline = time.monotonic() + timeout
        while state.asked is not None and not stop():
            if time.monotonic() > deadline:
                state.unplanned["no_answer"] += 1
                state.asked = None
                return
            self.poll(0.05)

    def wait_for_receipt(self, arm: str, timeout: float, stop: Callable[[], bool]) -> None:
        """Return when the executor has answered for the arm's plans; raises PlanLost after `timeout` seconds."""
        state = self.arms[arm]
        deadline = time.monotonic() + timeout
        while state.waiting and not stop():
            if time.monotonic() > deadline:
                plan_id = next(iter(state.waiting))
                raise PlanLost(f"the executor of arm {arm} did not answer for plan {plan_id} within {timeout:g} s; see its log")
            self.poll(0.01)

    def finish(self, timeout: float, asked: Mapping[str, int]) -> None:
        """Wait up to `timeout` seconds until as many windows are decided as were `asked` for; count plans that came too late."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and any(self._answers(arm) < count for arm, count in asked.items()):
            self.poll(0.05)
        for state in self.arms.values():
            if state.waiting:
                state.unplanned["late"] += len(state.waiting)

    def _answers(self, arm: str) -> int:
        return len(self.arms[arm].seen)

    def close(self) -> None:
        """Deliver what is queued and drop the connections."""
        self._publisher.flush(10)
        self._subscriber.close()

    def _take(self, message: Received) -> None:
        try:
            data = json.loads(message.value)
            if data.get("run") != self._run:
                return
            if message.topic == self._topics.plan:
                self._take_plan(Plan.model_validate(data))
            else:
                self._take_receipt(Receipt.model_validate(data))
        except (ValueError, AttributeError, ValidationError):
            # Somebody else's message on a shared topic: the executor answers for what it cannot read.
            return

    def _take_plan(self, plan: Plan) -> None:
        state = self.arms.get(plan.arm or "")
        if state is None or plan.plan_id is None or plan.plan_id in state.seen:
            return
        state.seen.add(plan.plan_id)
        self._plan_log.write(plan)
        state.planner = plan.planner
        if plan.outcome in ("planned", "noop"):
            state.decided += 1
        else:
            state.unplanned[plan.outcome] += 1
        if acts(plan):
            state.waiting[plan.plan_id] = plan
        if state.asked == plan.window:
            state.asked = None
        if plan.plan_id in state.early:
            self._answered(state, state.early.pop(plan.plan_id))

    def _take_receipt(self, receipt: Receipt) -> None:
        self._receipt_log.write(receipt)
        state = self.arms.get(receipt.arm or "")
        if state is None or receipt.plan_id is None or receipt.reason == "duplicate":
            return
        if receipt.plan_id in state.seen:
            self._answered(state, receipt)
        else:
            # Topics are read side by side: a receipt may overtake its plan.
            state.early[receipt.plan_id] = receipt

    def _answered(self, state: ArmPlans, receipt: Receipt) -> None:
        plan = state.waiting.pop(receipt.plan_id or "", None)
        if plan is None:
            return
        state.recent = [*state.recent[-3:], (plan, receipt)]
        if receipt.outcome == "refused":
            state.refused += 1
            return
        state.applied += 1
        self.on_applied(plan.arm or "", plan, receipt)
