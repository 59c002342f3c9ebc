"""Which actions of a plan an executor may carry out: one rule set, held to the golden vectors in both languages."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from aura_contract.base import CONTRACT_VERSION
from aura_contract.experiment import ExecutorSpec
from aura_contract.plan import Plan, Prefetch

__all__ = ["KEY_PREFIX", "MAX_KEY_BYTES", "MAX_PLAN_BYTES", "MAX_VALUE_BYTES", "Admissible", "Refused", "admissible"]

KEY_PREFIX = "item:"
MAX_KEY_BYTES = 250
MAX_VALUE_BYTES = 65_000
MAX_PLAN_BYTES = 1_048_576

PlanFault = Literal["too_large", "not_json", "schema", "version"]
ActionFault = Literal["foreign_key", "bad_key", "repeated_key", "value_too_large", "over_cap"]


@dataclass(frozen=True)
class Admissible:
    """What is left of a plan: keys to evict, values to prefetch (TTLs clamped), and what was refused by reason."""

    plan: Plan
    evict: tuple[str, ...]
    prefetch: tuple[Prefetch, ...]
    clamped: int
    refused: dict[str, int]


@dataclass(frozen=True)
class Refused:
    """A payload that is no plan at all, with the reason that goes to the dead-letter topic."""

    reason: PlanFault
    detail: str


def admissible(payload: bytes, caps: ExecutorSpec) -> Admissible | Refused:
    """Check one message of the plan topic against `caps`.

    Whole-plan faults come first, in the order of `PlanFault`. Then each action in its order: evictions before
    prefetches, a key that was already named is `repeated_key`, and the caps cut what is still left.
    """
    if len(payload) > MAX_PLAN_BYTES:
        return Refused("too_large", f"{len(payload)} bytes, at most {MAX_PLAN_BYTES}")
    try:
        data = json.loads(payload.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Refused("not_json", str(error))
    try:
        plan = Plan.model_validate(data, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        return Refused("schema", f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    if plan.version not in (CONTRACT_VERSION, CONTRACT_VERSION - 1):
        return Refused("version", f"version {plan.version}, this executor reads {CONTRACT_VERSION}")
    return _actions(plan, caps)


def _actions(plan: Plan, caps: ExecutorSpec) -> Admissible:
    seen: set[str] = set()
    refused: Counter[str] = Counter()
    evict: list[str] = []
    prefetch: list[Prefetch] = []
    clamped = 0
    for key in plan.evict:
        fault = _key_fault(key, seen) or ("over_cap" if len(evict) >= caps.max_evict else None)
        if fault:
            refused[fault] += 1
            continue
        seen.add(key)
        evict.append(key)
    for action in plan.prefetch:
        fault = _key_fault(action.k, seen)
        if fault is None and len(action.v.encode()) > MAX_VALUE_BYTES:
            fault = "value_too_large"
        if fault is None and len(prefetch) >= caps.max_prefetch:
            fault = "over_cap"
        if fault:
            refused[fault] += 1
            continue
        seen.add(action.k)
        ttl = min(max(action.ttl, caps.ttl_min), caps.ttl_max)
        clamped += ttl != action.ttl
        prefetch.append(action.model_copy(update={"ttl": ttl}))
    return Admissible(plan, tuple(evict), tuple(prefetch), clamped, dict(refused))


def _key_fault(key: str, seen: set[str]) -> ActionFault | None:
    if not key.startswith(KEY_PREFIX):
        return "foreign_key"
    if len(key) == len(KEY_PREFIX) or len(key.encode()) > MAX_KEY_BYTES or any(ord(c) < 33 or ord(c) == 127 for c in key):
        return "bad_key"
    return "repeated_key" if key in seen else None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
