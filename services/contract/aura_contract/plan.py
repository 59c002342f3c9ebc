"""A plan: what a planner wants changed in one arm. `{"evict": [...], "prefetch": [...]}` alone is valid."""

from typing import Literal

from pydantic import Field

from aura_contract.base import CONTRACT_VERSION, MessageModel

__all__ = ["Admit", "Frequency", "Plan", "PlanOutcome", "Policy", "Prefetch", "TtlClass"]

Frequency = Literal["none", "low", "medium", "high"]
Admit = Literal["all", "second_hit", "frequent"]
TtlClass = Literal["long", "normal", "short", "none"]
PlanOutcome = Literal["planned", "noop", "invalid", "timeout", "unreachable"]


class Prefetch(MessageModel):
    """One value to put into the arm: key `item:ID`, payload, TTL in seconds of the arm's clock."""

    k: str
    v: str
    ttl: int


class Policy(MessageModel):
    """Levers of an arm, standing until the next policy; the defaults are the baseline's behaviour.

    `frequency` weighs the decayed request count into the eviction priority, `admit` decides which misses are filled,
    `ttl` scales the TTL of a category and `protect` keeps a category from eviction longer.
    """

    frequency: Frequency = "none"
    admit: Admit = "all"
    ttl: dict[str, TtlClass] = {}
    protect: tuple[str, ...] = ()


class Plan(MessageModel):
    """Evictions, prefetches and levers for one arm, with the envelope that makes them safe to apply.

    `apply_at` and `expires_at` are milliseconds of the arm's event clock; `issued_at` is a Unix time in seconds;
    `latency_s` is what the decision took and, when latency is charged, the distance of `apply_at` from the window's end.
    An empty plan with an `outcome` other than `planned` says why a window runs unplanned. `answer` is what a model said.
    """

    evict: tuple[str, ...] = ()
    prefetch: tuple[Prefetch, ...] = ()
    policy: Policy | None = None
    version: int = CONTRACT_VERSION
    plan_id: str | None = Field(None, max_length=200)
    run: str | None = None
    arm: str | None = None
    window: int | None = Field(None, ge=0)
    context_id: str | None = None
    planner: str | None = None
    issued_at: float | None = None
    apply_at: int | None = Field(None, ge=0)
    expires_at: int | None = Field(None, ge=0)
    latency_s: float = Field(0.0, ge=0)
    outcome: PlanOutcome = "planned"
    reason: str | None = None
    answer: str | None = None
