"""The best and the worst window of the arm `aura`, with the plan that stood and what the planner answered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aura_contract.plan import Plan
from aura_contract.receipt import Receipt
from aura_contract.results import WindowRecord
from aura_evidence.facts import Facts
from aura_evidence.levers import settings
from aura_evidence.rows import PLANNED, ArmRow

__all__ = ["Action", "Moment", "Standing", "moments"]

ANSWER_CHARS = 900
ACTIONS_SHOWN = 6


@dataclass(frozen=True)
class Action:
    """A key that a plan named, with the title that its payload has."""

    key: str
    title: str


@dataclass(frozen=True)
class Standing:
    """A plan and what became of it; `levers` are the settings that differ from the baseline's behaviour."""

    plan: Plan
    receipt: Receipt | None
    levers: list[tuple[str, str]]
    evict: list[Action]
    prefetch: list[Action]
    answer: str
    cut: bool


@dataclass(frozen=True)
class Moment:
    """One window of arm and baseline; `points` is the difference of their hit ratios."""

    title: str
    record: WindowRecord
    baseline: WindowRecord
    points: float
    standing: Standing | None
    fresh: bool


def moments(facts: Facts, plans: Sequence[Plan], receipts: Sequence[Receipt]) -> list[Moment]:
    """Best and worst window after warm-up; fewer when there are not two windows, or nobody planned."""
    arm = next((row for row in facts.planned if row.name == PLANNED), None)
    if arm is None:
        return []
    tail = arm.pair.after(facts.verdict.warmup_windows)
    served = [(float(points), int(n)) for points, n, asked in zip(tail.points, tail.windows, tail.requests, strict=True) if asked]
    if len(served) < 2:
        return []
    by_id = {plan.plan_id: plan for plan in plans if plan.plan_id and plan.arm in (None, arm.name)}
    answers = {receipt.plan_id: receipt for receipt in receipts if receipt.plan_id and receipt.reason != "duplicate"}
    best, worst = max(served, key=lambda entry: (entry[0], -entry[1])), min(served)
    return [
        _moment("Best window", best, arm, facts.baseline, by_id, answers),
        _moment("Worst window", worst, arm, facts.baseline, by_id, answers),
    ]


def _moment(
    title: str,
    chosen: tuple[float, int],
    arm: ArmRow,
    baseline: ArmRow,
    plans: Mapping[str, Plan],
    receipts: Mapping[str, Receipt],
) -> Moment:
    points, number = chosen
    record = next(record for record in arm.windows if record.window == number)
    other = next(record for record in baseline.windows if record.window == number)
    applied = [entry.plan_id for entry in arm.windows if entry.window <= number and entry.plan_id in plans]
    standing = _standing(plans[applied[-1]], receipts.get(applied[-1])) if applied and applied[-1] else None
    return Moment(title, record, other, points, standing, standing is not None and record.plan_id == applied[-1])


def _standing(plan: Plan, receipt: Receipt | None) -> Standing:
    answer = plan.answer or ""
    return Standing(
        plan=plan,
        receipt=receipt,
        levers=settings(plan.policy),
        evict=[Action(key, "") for key in plan.evict[:ACTIONS_SHOWN]],
        prefetch=[Action(action.k, _title(action.v)) for action in plan.prefetch[:ACTIONS_SHOWN]],
        answer=answer[:ANSWER_CHARS],
        cut=len(answer) > ANSWER_CHARS,
    )


def _title(payload: str) -> str:
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    return str(data.get("title") or "") if isinstance(data, dict) else ""
