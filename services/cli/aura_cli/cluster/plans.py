"""`kubectl aura plans`: what planners decided last, and what came of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from aura_cli.cluster.results import Results
from aura_cli.cluster.text import excerpt, printable
from aura_contract.plan import Plan, Policy
from aura_contract.receipt import Receipt

__all__ = ["Decision", "last_decisions", "lines"]

Model = TypeVar("Model", bound=BaseModel)

LAST_LINES = """\
import collections, os, sys
key, path, number = os.fsencode(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if os.path.exists(path):
    with open(path, "rb") as lines:
        sys.stdout.buffer.writelines(collections.deque((line for line in lines if key in line), number))
"""
"""Prints the last lines of a file that hold a text; nothing where there is no file."""

ANSWER = 300
"""Characters of a model's answer that are shown."""


@dataclass(frozen=True)
class Decision:
    """A plan and its receipt, if there is one yet."""

    plan: Plan
    receipt: Receipt | None


def last_decisions(results: Results, number: int, arm: str | None) -> list[Decision]:
    """The last plans, of one arm or of all, in the order in which they came."""
    plans = [plan for plan in _last(results, "plans.jsonl", Plan, number, arm) if arm in (None, plan.arm)]
    # A plan that was handed over twice has two receipts.
    receipts = {one.plan_id: one for one in _last(results, "receipts.jsonl", Receipt, 3 * number, arm)}
    return [Decision(plan, receipts.get(plan.plan_id) if plan.plan_id else None) for plan in plans[-number:]]


def _last(results: Results, name: str, model: type[Model], number: int, arm: str | None) -> Iterator[Model]:
    """The last lines of a file, filtered where it lies: files of long runs have hundreds of megabytes."""
    # Inside a JSON text the quotes would be escaped, so that no answer of a model can look like it.
    key = f'"arm":"{arm}"' if arm else '"arm":'
    for line in b"".join(results.run(LAST_LINES, key, results.path(name), str(number))).splitlines():
        try:
            yield model.model_validate_json(line)
        except ValidationError:
            # The replayer is just writing it.
            continue


def lines(decision: Decision) -> Iterator[str]:
    """The decision in lines that are safe to print: what models and catalogues wrote is escaped."""
    plan = decision.plan
    why = f" ({excerpt(plan.reason, ANSWER)})" if plan.reason else ""
    head = f"window {plan.window}, {plan.arm}: {plan.outcome} by {plan.planner} in {plan.latency_s:.2f} s{why}"
    yield printable(head)
    wishes = ", ".join(_wishes(plan))
    if wishes:
        yield printable(f"  plan {plan.plan_id}: {wishes}")
    if plan.guard:
        yield f"  refused by the guard: {excerpt(plan.guard, ANSWER)}"
    elif decision.receipt:
        yield f"  {printable(_fate(decision.receipt))}"
    if plan.answer:
        yield f"  the model said: {excerpt(plan.answer, ANSWER)}"


def _wishes(plan: Plan) -> Iterable[str]:
    if plan.policy:
        yield from _levers(plan.policy)
    if plan.evict:
        yield f"evict {len(plan.evict)}"
    if plan.prefetch:
        yield f"prefetch {len(plan.prefetch)}"


def _levers(policy: Policy) -> Iterable[str]:
    yield f"frequency {policy.frequency}"
    yield f"admit {policy.admit}"
    yield from (f"ttl {kind} for {count}" for kind, count in Counter(policy.ttl.values()).items())
    if policy.protect:
        yield f"protect {len(policy.protect)}"
    yield from (f"{rule.expand} on {rule.on} ({rule.confidence}, {rule.fanout})" for rule in policy.rules)


def _fate(receipt: Receipt) -> str:
    refused = ", ".join(f"{count} {reason}" for reason, count in receipt.refused.items())
    if receipt.outcome == "refused":
        return f"refused: {receipt.reason}"
    done = f"applied: evicted {receipt.effective.evict}, prefetched {receipt.effective.prefetch}"
    return f"{done}; left out {refused}" if refused else done
