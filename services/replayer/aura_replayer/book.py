"""What is known of the plans of a run's arms, however they travel: asked for, decided, waiting, applied, refused."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.results import PlanCounts
from aura_replayer.results import JsonLines

__all__ = ["ArmPlans", "PlanBook", "acts"]

log = logging.getLogger(__name__)


@dataclass
class ArmPlans:
    """Plans of one arm: the window asked for, the last plan's planner, plans that wait for the executor, the counts so far.

    `sent` counts contexts; `contexts` are those without a plan, by window, with the `time.monotonic()` at which they were sent.
    """

    asked: int | None = None
    sent: int = 0
    contexts: dict[int, float] = field(default_factory=dict)
    planner: str | None = None
    waiting: dict[str, Plan] = field(default_factory=dict)
    decided: int = 0
    applied: int = 0
    refused: int = 0
    unplanned: Counter[str] = field(default_factory=Counter)
    vetoed: Counter[str] = field(default_factory=Counter)
    rollbacks: int = 0
    recent: list[tuple[Plan, Receipt]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    early: dict[str, Receipt] = field(default_factory=dict)

    def due(self) -> int | None:
        """Event clock in ms at which the next waiting plan is to be applied."""
        return min((plan.apply_at or 0 for plan in self.waiting.values()), default=None)

    def counts(self) -> PlanCounts:
        """Counts as they go into the verdict."""
        return PlanCounts(decided=self.decided, applied=self.applied, refused=self.refused, unplanned=dict(self.unplanned),
            vetoed=dict(self.vetoed), rollbacks=self.rollbacks,
        )  # fmt: skip


def acts(plan: Plan) -> bool:
    """Whether a plan asks for anything."""
    return bool(plan.evict or plan.prefetch or plan.policy)


class PlanBook:
    """One for all planned arms of a run.

    `judge` is asked about each plan that wants something and says why it is refused, or None; `on_applied` is called with each
    that took effect.
    """

    def __init__(self, arms: tuple[str, ...], logs: Mapping[str, JsonLines]) -> None:
        self._plan_log, self._receipt_log = logs["plans"], logs["receipts"]
        self.arms = {arm: ArmPlans() for arm in arms}
        self.judge: Callable[[str, Plan], str | None] = lambda _arm, _plan: None
        self.on_applied: Callable[[str, Plan, Receipt], None] = lambda _arm, _plan, _receipt: None

    def expect(self, arm: str, window: int, *, exclusive: bool) -> bool:
        """Whether a window may be asked for: with `exclusive` not while the arm's planner is busy with an earlier one."""
        state = self.arms[arm]
        if exclusive:
            if state.asked is not None or state.waiting:
                state.unplanned["busy"] += 1
                return False
            state.asked = window
        state.sent += 1
        state.contexts[window] = time.monotonic()
        return True

    def take_plan(self, plan: Plan) -> None:
        """A planner has decided."""
        state = self.arms.get(plan.arm or "")
        if state is None or plan.plan_id is None or plan.plan_id in state.seen:
            return
        state.seen.add(plan.plan_id)
        # Contexts of an arm are read in their order: earlier ones that have no plan will never get one.
        for window in [one for one in state.contexts if one <= (plan.window or 0)]:
            del state.contexts[window]
        reason = self.judge(plan.arm or "", plan) if acts(plan) else None
        if reason:
            state.vetoed[reason] += 1
            log.info("plan vetoed", extra={**_where(plan), "reason": reason})
        self._plan_log.write(plan.model_copy(update={"guard": reason}) if reason else plan)
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

    def take_receipt(self, receipt: Receipt) -> None:
        """An executor has answered."""
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
        log.info("plan %s", receipt.outcome, extra={**_where(plan), "reason": receipt.reason})
        if receipt.outcome == "refused":
            state.refused += 1
            return
        state.applied += 1
        self.on_applied(plan.arm or "", plan, receipt)


def _where(plan: Plan) -> dict[str, object]:
    return {"arm": plan.arm, "window": plan.window, "plan_id": plan.plan_id, "planner": plan.planner}
