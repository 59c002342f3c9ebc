"""The last check of a plan: what we publish, the executor never refuses by rule."""

from aura_contract.admissibility import MAX_PLAN_BYTES, Admissible, Refused, admissible
from aura_contract.experiment import ExecutorSpec
from aura_contract.plan import Plan

__all__ = ["Guarded", "guarded"]

Guarded = tuple[Plan, bytes, dict[str, int]]


def guarded(plan: Plan, caps: ExecutorSpec) -> Guarded:
    """The plan with every inadmissible action taken out, its JSON, and what was taken out by reason.

    The rule set is the executor's own. A plan that is refused as a whole even so becomes an empty one, outcome `invalid`.
    """
    payload = _encode(plan)
    removed: dict[str, int] = {}
    if len(payload) > MAX_PLAN_BYTES:
        plan, payload = _fitting(plan, removed)
    verdict = admissible(payload, caps)
    if isinstance(verdict, Admissible):
        if not verdict.refused and not verdict.clamped:
            return plan, payload, removed
        for reason, count in verdict.refused.items():
            removed[reason] = removed.get(reason, 0) + count
        plan = plan.model_copy(update={"evict": verdict.evict, "prefetch": verdict.prefetch})
        return plan, _encode(plan), removed
    return (*_emptied(plan, verdict), {**removed, verdict.reason: 1})


def _fitting(plan: Plan, removed: dict[str, int]) -> tuple[Plan, bytes]:
    """Drop prefetches from the end until the message fits; their values are what makes a plan large."""
    excess = len(_encode(plan)) - MAX_PLAN_BYTES
    prefetch = list(plan.prefetch)
    while prefetch and excess > 0:
        excess -= len(prefetch.pop().model_dump_json().encode()) + 1
        removed["too_large"] = removed.get("too_large", 0) + 1
    plan = plan.model_copy(update={"prefetch": tuple(prefetch)})
    return plan, _encode(plan)


def _emptied(plan: Plan, verdict: Refused) -> tuple[Plan, bytes]:
    reason = f"the plan breaks a rule of the executor: {verdict.reason}: {verdict.detail}"[:200]
    update = {"evict": (), "prefetch": (), "policy": None, "answer": None, "outcome": "invalid", "reason": reason}
    plan = plan.model_copy(update=update)
    return plan, _encode(plan)


def _encode(plan: Plan) -> bytes:
    return plan.model_dump_json().encode("utf-8", "replace")
