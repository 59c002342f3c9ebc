"""The arm's own side of a context: what it holds, which levers stand, and how the last plans turned out."""

from collections.abc import Sequence
from typing import Any

from aura_contract.context import CacheView, GhostStat, LastPlan
from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.results import WindowRecord
from aura_replayer.lane import Lane

__all__ = ["cache_view"]


def cache_view(
    lane: Lane,
    baseline: Lane,
    resident: Sequence[bool],
    recent: Sequence[tuple[Plan, Receipt]],
    capacity_items: int,
    ghosts: tuple[GhostStat, ...],
) -> CacheView:
    """The arm of `lane` at the end of a window; `resident` says of each candidate whether it is cached, `recent` are the last
    plans with their receipts, oldest first."""
    credit = lane.arm.prefetch_hits_by_plan() if recent else {}
    return CacheView(
        hit_ratio=round(lane.history[-1], 6) if lane.history else 0.0,
        hit_ratio_history=tuple(round(value, 4) for value in lane.history),
        baseline_hit_ratio=round(baseline.history[-1], 6) if baseline.history else 0.0,
        pressure=lane.totals.pressure,
        items=lane.totals.items,
        capacity_items=capacity_items,
        resident=tuple(number for number, here in enumerate(resident) if here),
        policy=lane.policy,
        last_plans=tuple(_outcome(plan, receipt, credit) for plan, receipt in recent),
        standing=max(0, lane.scores.standing),
        levers=lane.scores.stats(),
        ghosts=ghosts,
        **_prefetching(lane.last),
    )


def _prefetching(last: WindowRecord | None) -> dict[str, Any]:
    if last is None:
        return {}
    waste = round((last.prefetches - last.prefetch_hits) / max(1, last.misses), 4)
    return {"prefetches": last.prefetches, "prefetch_hits": last.prefetch_hits, "waste": waste}


def _outcome(plan: Plan, receipt: Receipt, credit: dict[str, int]) -> LastPlan:
    return LastPlan(
        plan_id=plan.plan_id or "",
        window=plan.window or 0,
        outcome=receipt.outcome,
        evicted=receipt.effective.evict,
        prefetched=receipt.effective.prefetch,
        prefetch_hits=credit.get(plan.plan_id or "", 0),
    )
