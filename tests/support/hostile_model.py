"""What an executor must make of each message, by the contract's own rules in Python and a small model of the arm."""

import hashlib
import json
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any

from hostile_messages import ARM, CLOCK_MS, EXPERIMENT, RUN, HostileMessage

from aura_contract.admissibility import Admissible, Refused, admissible
from aura_contract.limits import ExecutorSpec

__all__ = ["MAX_AHEAD_MS", "HostileModel"]

PLANS_KEPT = 64
MAX_AHEAD_MS = 3_600_000
ARM_BYTES = ARM.encode()


@dataclass
class HostileModel:
    """Counts of outcomes, reasons of refused plans and of refused actions, and the items that the arm holds."""

    outcomes: Counter[str] = field(default_factory=Counter)
    plan_refusals: Counter[str] = field(default_factory=Counter)
    action_refusals: Counter[str] = field(default_factory=Counter)
    items: set[str] = field(default_factory=set)
    _done: "OrderedDict[str, None]" = field(default_factory=OrderedDict)
    _caps: ExecutorSpec = field(default_factory=ExecutorSpec)

    def take(self, message: HostileMessage) -> None:
        """Account for one message, in the order of the topic."""
        outcome, reason = self._judged(message)
        self.outcomes[outcome] += 1
        if reason:
            self.plan_refusals[reason] += 1

    def _judged(self, message: HostileMessage) -> tuple[str, str | None]:
        payload = message.payload or b""
        named = _address(message.key)
        if named and named[0] != EXPERIMENT.encode():
            return "other_experiment", None
        found = admissible(payload, self._caps)
        if isinstance(found, Refused):
            envelope = _envelope(payload, found)
            arm = envelope.get("arm")
            arm = arm.encode() if isinstance(arm, str) else named[1] if named else None
            shard = named[2] if named and named[2] is not None else _shard(envelope.get("shard"))
            return _foreign(arm, shard) or ("refused", found.reason)
        plan = found.plan
        skipped = _foreign(plan.arm.encode() if plan.arm is not None else None, plan.shard)
        if skipped:
            return skipped
        if not (plan.evict or plan.prefetch or plan.policy):
            return "applied", None
        reason = self._arm_refuses(found, plan.plan_id or f"sha-{hashlib.sha256(payload).hexdigest()[:16]}")
        if reason:
            return "refused", reason
        self.action_refusals.update(found.refused)
        self.items -= set(found.evict)
        self.items |= {action.k for action in found.prefetch}
        return "applied", None

    def _arm_refuses(self, found: Admissible, plan_id: str) -> str | None:
        """Why the arm does not carry out a plan; one that it carries out is remembered."""
        plan = found.plan
        if plan.run and plan.run != RUN:
            return "foreign_run"
        if plan_id in self._done:
            return "duplicate"
        if plan.apply_at is not None and plan.apply_at > CLOCK_MS:
            if plan.expires_at is not None and plan.expires_at < plan.apply_at:
                return "expired"
            assert plan.apply_at - CLOCK_MS > MAX_AHEAD_MS, "a plan that is worth waiting for would hold up all others"
            return "too_early"
        if plan.expires_at is not None and plan.expires_at < CLOCK_MS:
            return "expired"
        self._done[plan_id] = None
        if len(self._done) > PLANS_KEPT:
            self._done.popitem(last=False)
        return None


def _address(key: bytes | None) -> tuple[bytes, bytes, int | None] | None:
    """Experiment, arm and shard that a message's key names."""
    parts = (key or b"").split(b"/")
    if len(parts) != 3:
        return None
    try:
        shard = int(parts[2]) if parts[2].lstrip(b"+-").isdigit() else None
    except ValueError:
        shard = None
    return parts[0], parts[1], shard if shard is not None and abs(shard) < 2**63 else None


def _envelope(payload: bytes, found: Refused) -> dict[str, Any]:
    if found.reason not in ("schema", "version"):
        return {}
    data = json.loads(payload)
    return data if isinstance(data, dict) else {}


def _shard(value: object) -> int:
    natural = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if natural and isinstance(value, int) else 0


def _foreign(arm: bytes | None, shard: int) -> tuple[str, None] | None:
    if (ARM_BYTES if arm is None else arm) != ARM_BYTES:
        return "other_arm", None
    return ("other_shard", None) if shard != 0 else None
