"""The planner that repeats an earlier run: same contexts, same plans, bit for bit."""

from pathlib import Path

from pydantic import ValidationError

from aura_contract.context import ContextSnapshot
from aura_contract.plan import Plan
from aura_planner.decision import Decision, unplanned
from aura_planner.errors import SetupError

__all__ = ["RecordedReasoner"]

PLANNED = "aura"


class RecordedReasoner:
    """Plans of a `plans.jsonl` by arm and context id; raises SetupError when the file cannot be used.

    An arm that the earlier run did not have repeats those of its arm `aura`: contexts of all arms of a window have one id.
    """

    slow = False

    def __init__(self, path: Path) -> None:
        self._plans = _read(path)
        self._arms = {arm for arm, _ in self._plans}
        planners = {plan.planner for plan in self._plans.values() if plan.planner}
        self.name = f"recorded ({planners.pop()})" if len(planners) == 1 else "recorded"

    def decide(self, context: ContextSnapshot) -> Decision:
        """The recorded plan with its latency, outcome and answer; a window that was not recorded runs unplanned."""
        arm = context.arm if context.arm in self._arms else PLANNED
        plan = self._plans.get((arm, context.context_id))
        if plan is None:
            return unplanned("invalid", "not_recorded", "no recorded plan for this window")
        return Decision(
            outcome=plan.outcome,
            policy=plan.policy,
            plan=plan,
            reason=plan.reason,
            answer=plan.answer,
            latency_s=plan.latency_s,
        )


def _read(path: Path) -> dict[tuple[str, str], Plan]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SetupError(
            f"{path}: the recording cannot be read: {error.strerror}; planner.recording names a plans.jsonl"
        ) from error
    plans: dict[tuple[str, str], Plan] = {}
    for number, line in enumerate(lines, 1):
        try:
            plan = Plan.model_validate_json(line)
        except ValidationError as error:
            if number == len(lines):
                break  # A run that was killed leaves half a line at the end.
            raise SetupError(f"{path}, line {number}: is not a plan; planner.recording names a plans.jsonl") from error
        if plan.arm is not None and plan.context_id is not None:
            plans.setdefault((plan.arm, plan.context_id), plan)
    if not plans:
        raise SetupError(f"{path}: holds no plans of planned arms; planner.recording names the plans.jsonl of an earlier run")
    return plans
