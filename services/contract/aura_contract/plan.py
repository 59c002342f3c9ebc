"""A plan: what a planner wants changed in one arm. `{"evict": [...], "prefetch": [...]}` alone is valid.

Types are strict, so that both languages read the same messages: no number for a text, no text for a number, integers of 64 bits.
"""

from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictStr

from aura_contract.base import CONTRACT_VERSION, MessageModel

__all__ = [
    "Admit",
    "Confidence",
    "Frequency",
    "Plan",
    "PlanOutcome",
    "Policy",
    "Prefetch",
    "Rule",
    "TtlClass",
]

Frequency = Literal["none", "low", "medium", "high"]
Admit = Literal["all", "second_hit", "frequent"]
TtlClass = Literal["long", "normal", "short", "none"]
Confidence = Literal["high", "medium", "low"]
PlanOutcome = Literal["planned", "noop", "invalid", "timeout", "unreachable"]

Integer = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
Natural = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
Text = StrictStr
Number = Annotated[StrictFloat, Field(allow_inf_nan=False)]


class Prefetch(MessageModel):
    """One value to put into the arm: key `item:ID`, payload, TTL in seconds of the arm's clock."""

    k: Text
    v: Text
    ttl: Integer


class Rule(MessageModel):
    """A standing prefetch: `on` an event of a user, up to `fanout` items that are requested next with so much `confidence`.

    `history` looks into what the user requested in earlier sessions, `covisit` into what sessions went on with after the
    same item. Nothing is fetched that is cached already.
    """

    on: Literal["session_start", "request"]
    expand: Literal["history", "covisit"]
    confidence: Confidence = "high"
    fanout: Annotated[int, Field(strict=True, ge=1, le=10)] = 10


class Policy(MessageModel):
    """Levers of an arm, standing until the next policy; the defaults are the baseline's behaviour.

    `frequency` weighs the decayed request count into the eviction priority, `admit` decides which misses are filled,
    `ttl` scales the TTL of a category, or of all that are not named when it says `*`, `protect` keeps a category from eviction
    longer and `rules` prefetch.
    """

    frequency: Frequency = "none"
    admit: Admit = "all"
    ttl: dict[Text, TtlClass] = {}
    protect: tuple[Text, ...] = ()
    rules: Annotated[tuple[Rule, ...], Field(max_length=4)] = ()


class Plan(MessageModel):
    """Evictions, prefetches and levers for one arm, with the envelope that makes them safe to apply.

    `apply_at` and `expires_at` are milliseconds of the arm's event clock; `issued_at` is a Unix time in seconds;
    `latency_s` is what the decision took and, when latency is charged, the distance of `apply_at` from the window's end.
    `shard` is the shard of the log whose arm it is for. An empty plan with an `outcome` other than `planned` says why a
    window runs unplanned. `answer` is what a model said.
    `replica` is the process that planned: in Kubernetes its pod, after the placement's name and a slash in another cluster.
    `guard` says why the guard of the run refused the plan; planners leave it empty.
    """

    evict: tuple[Text, ...] = ()
    prefetch: tuple[Prefetch, ...] = ()
    policy: Policy | None = None
    version: Integer = CONTRACT_VERSION
    plan_id: Text | None = Field(None, min_length=1, max_length=200)
    run: Text | None = None
    arm: Text | None = None
    window: Natural | None = None
    shard: Natural = 0
    context_id: Text | None = None
    planner: Text | None = None
    replica: Text | None = None
    issued_at: Number | None = None
    apply_at: Natural | None = None
    expires_at: Natural | None = None
    latency_s: Number = Field(0.0, ge=0)
    outcome: PlanOutcome = "planned"
    reason: Text | None = None
    answer: Text | None = None
    guard: Text | None = None
