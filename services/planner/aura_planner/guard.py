"""The last check of a plan: what we publish, the executor never refuses by rule."""

from aura_contract.admissibility import MAX_PLAN_BYTES, admissible_actions
from aura_contract.limits import ExecutorSpec
from aura_contract.plan import Plan

__all__ = ["Guarded", "guarded"]

Guarded = tuple[Plan, bytes, dict[str, int]]


def guarded(plan: Plan, caps: ExecutorSpec) -> Guarded:
    """The plan with every inadmissible action taken out, its JSON, and what was taken out by reason.

    The rule set is the executor's own. A plan that is too large even so becomes an empty one, outcome `invalid`.
    """
    verdict = admissible_actions(plan, caps)
    removed = dict(verdict.refused)
    if verdict.refused or verdict.clamped:
        plan = plan.model_copy(update={"evict": verdict.evict, "prefetch": verdict.prefetch})
    payload = _encode(plan)
    if len(payload) > MAX_PLAN_BYTES:
        plan, payload = _fitting(plan, removed)
    if len(payload) > MAX_PLAN_BYTES:
        plan, payload = _emptied(plan, len(payload))
    return plan, payload, removed


def _fitting(plan: Plan, removed: dict[str, int]) -> tuple[Plan, bytes]:
    """Drop prefetches from the end until the message fits; their values are what makes a plan large."""
    excess = len(_encode(plan)) - MAX_PLAN_BYTES
    prefetch = list(plan.prefetch)
    while prefetch and excess > 0:
        excess -= len(prefetch.pop().model_dump_json().encode()) + 1
        removed["too_large"] = removed.get("too_large", 0) + 1
    plan = plan.model_copy(update={"prefetch": tuple(prefetch)})
    return plan, _encode(plan)


def _emptied(plan: Plan, size: int) -> tuple[Plan, bytes]:
    reason = f"the plan breaks a rule of the executor: too_large: {size} bytes, at most {MAX_PLAN_BYTES}"
    update = {"evict": (), "prefetch": (), "policy": None, "answer": None, "outcome": "invalid", "reason": reason}
    plan = plan.model_copy(update=update)
    return plan, _encode(plan)


def _encode(plan: Plan) -> bytes:
    return plan.model_dump_json().encode("utf-8", "replace")
