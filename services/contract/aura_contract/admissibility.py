"""Which actions of a plan an executor may carry out: one rule set, held to the golden vectors in both languages."""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from aura_contract.base import CONTRACT_VERSION
from aura_contract.limits import ExecutorSpec
from aura_contract.plan import Plan, Prefetch

__all__ = [
    "KEY_PREFIX",
    "MAX_DEPTH",
    "MAX_KEY_BYTES",
    "MAX_PLAN_BYTES",
    "MAX_VALUE_BYTES",
    "Admissible",
    "Refused",
    "admissible",
    "admissible_actions",
]

KEY_PREFIX = "item:"
MAX_KEY_BYTES = 250
MAX_VALUE_BYTES = 65_000
MAX_PLAN_BYTES = 1_048_576
MAX_DEPTH = 64
_UNSEEN = re.compile(r"[\x00-\x20\x7f]")

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
        data = _json(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return Refused("not_json", str(error))
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        return Refused("schema", f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    if plan.version not in (CONTRACT_VERSION, CONTRACT_VERSION - 1):
        return Refused("version", f"version {plan.version}, this executor reads {CONTRACT_VERSION}")
    return admissible_actions(plan, caps)


def admissible_actions(plan: Plan, caps: ExecutorSpec) -> Admissible:
    """The actions of a plan that is one, checked against `caps` as `admissible` says."""
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
        prefetch.append(action if ttl == action.ttl else action.model_copy(update={"ttl": ttl}))
    return Admissible(plan, tuple(evict), tuple(prefetch), clamped, dict(refused))


def _key_fault(key: str, seen: set[str]) -> ActionFault | None:
    if not key.startswith(KEY_PREFIX):
        return "foreign_key"
    if len(key) == len(KEY_PREFIX) or len(key.encode()) > MAX_KEY_BYTES or _UNSEEN.search(key):
        return "bad_key"
    return "repeated_key" if key in seen else None


def _json(text: str) -> Any:
    """Parse one JSON value, stricter than `json` where parsers differ.

    Refused with a ValueError: NaN and infinities, numbers beyond a double, lone surrogates, an object with a name twice,
    more than MAX_DEPTH nested objects and arrays.
    """
    data = json.loads(text, parse_constant=_no_constant, parse_int=_integer, parse_float=_finite, object_pairs_hook=_distinct)
    level = [data]
    for depth in range(MAX_DEPTH + 1):
        if depth == MAX_DEPTH and any(isinstance(value, dict | list) for value in level):
            break
        level = [child for value in level for child in _children(value)]
        if not level:
            return data
    raise ValueError(f"nested deeper than {MAX_DEPTH}")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, str) and not value.isascii():
        value.encode()
    return value if isinstance(value, list) else []


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"number out of range: {text[:40]}")
    return number


def _integer(text: str) -> int | float:
    if len(text) > 300:
        _finite(text)
    # The minus of -0 exists only in a float.
    return -0.0 if text == "-0" else int(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice in one object")
    return found
