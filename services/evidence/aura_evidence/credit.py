"""The planner's credit: what the arm `aura` gained over the planners that ran beside it, and what each took to decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from aura_contract.plan import Plan
from aura_contract.results import WindowRecord
from aura_evidence.comparison import Difference, difference, paired
from aura_evidence.rows import BASELINE, PLANNED, ArmRow
from aura_evidence.verdict import MARGIN_POINTS

__all__ = ["Credit", "Rival", "credit_of", "decision_seconds", "model_of"]

MODEL_SERVERS = {"ollama", "openai"}
RECORDED = "recorded"


@dataclass(frozen=True)
class Rival:
    """A control; `gain` is `aura` minus it after warm-up, `seconds` its median time of a decision, None without plans."""

    name: str
    number: int
    gain: Difference
    seconds: float | None


@dataclass(frozen=True)
class Credit:
    """`aura` minus the best of the controls; `cheapest` is the control that decides quickest, `rivals` are all of them."""

    best: Rival
    cheapest: Rival
    rivals: list[Rival]

    @property
    def control(self) -> str:
        """Name of the best control."""
        return self.best.name

    @property
    def gain(self) -> Difference:
        """The credit in points with its interval."""
        return self.best.gain

    @property
    def standing(self) -> Literal["ahead", "level", "behind"]:
        """Against the best control; level unless the interval is clear of 0 and the credit more than equal arms differ by."""
        if self.gain.low > 0 and self.gain.points > MARGIN_POINTS:
            return "ahead"
        return "behind" if self.gain.high < 0 and self.gain.points < -MARGIN_POINTS else "level"


def credit_of(
    arms: Sequence[ArmRow], windows: Sequence[WindowRecord], plans: Sequence[Plan], *, warmup_windows: int, seed: int
) -> Credit | None:
    """The credit with paired moving-block-bootstrap intervals; None without controls, or without windows after warm-up.

    The best control is the one with the highest hit ratio after warm-up, which `aura` gained least over.
    """
    if not any(arm.name == PLANNED for arm in arms):
        return None
    rivals = []
    for arm in arms:
        if arm.name in {BASELINE, PLANNED} or not arm.gain:
            continue
        gain = difference(paired(windows, PLANNED, arm.name).after(warmup_windows), seed)
        if gain:
            rivals.append((arm.gain.points, Rival(arm.name, arm.number, gain, decision_seconds(plans, arm.name))))
    if not rivals:
        return None
    best = max(rivals, key=lambda entry: entry[0])[1]
    # A control that never sent a plan took no time that anybody had to wait for.
    cheapest = min((rival for _, rival in rivals), key=lambda rival: rival.seconds or 0.0)
    return Credit(best, cheapest, [rival for _, rival in rivals])


def decision_seconds(plans: Sequence[Plan], arm: str) -> float | None:
    """Median seconds of a decision for one arm, None when it has no plans."""
    return median(times) if (times := [plan.latency_s for plan in plans if plan.arm == arm]) else None


def model_of(backend: str, plans: Sequence[Plan]) -> str | None:
    """Name of the language model behind the arm `aura`, such as `ollama/llama3.2:1b`; None when it was no model.

    `backend` is that of the manifest; plans say more: what `auto` chose, and whose plans a recording holds. A recording of
    several planners has no name for them, but only models answer with text.
    """
    mine = [plan for plan in plans if plan.arm == PLANNED]
    for name in (*dict.fromkeys(plan.planner for plan in mine if plan.planner), backend):
        asked = name.removeprefix(f"{RECORDED} (").removesuffix(")") if name.startswith(f"{RECORDED} (") else name
        if asked.split("/")[0] in MODEL_SERVERS:
            return asked
    return "recorded model" if backend == RECORDED and any(plan.answer for plan in mine) else None
