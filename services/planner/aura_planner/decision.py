"""What a reasoner decides about one window, and the small interface that every reasoner has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from aura_contract.context import ContextSnapshot
from aura_contract.plan import Plan, PlanOutcome, Policy

__all__ = ["DISCARD_REASONS", "Decision", "DiscardReason", "Expand", "Reasoner", "unplanned"]

Expand = Literal["none", "covisit", "similar"]

DiscardReason = Literal[
    "empty",
    "no_object",
    "incomplete",
    "schema",
    "unknown_item",
    "unknown_category",
    "over_cap",
    "ttl_out_of_range",
    "duplicate",
    "conflict",
    "timeout",
    "unreachable",
    "not_recorded",
    "superseded",
    "exception",
    "inadmissible",
    "context_not_json",
    "context_schema",
    "context_version",
    "context_arm",
]
DISCARD_REASONS: tuple[DiscardReason, ...] = DiscardReason.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Decision:
    """The choices of one window, in items of its context; `expansion` turns them into a Plan.

    `seeds` (prefetch) and `evict` hold item ids, best first; `ttl` the TTL in seconds of those seeds that have their own.
    `expand` and `fanout` ask for so many related items a seed. `plan` holds ready actions (a recording) and then stands
    for all of these. `discarded` is set when an answer was thrown away. `model_s` is the part of the time that a model
    took and `latency_s` replaces the measured latency (both seconds); `planner` replaces the reasoner's name.
    """

    outcome: PlanOutcome = "planned"
    policy: Policy | None = None
    seeds: tuple[str, ...] = ()
    evict: tuple[str, ...] = ()
    ttl: Mapping[str, int] = field(default_factory=dict)
    expand: Expand = "none"
    fanout: int = 0
    plan: Plan | None = None
    reason: str | None = None
    answer: str | None = None
    discarded: DiscardReason | None = None
    planner: str | None = None
    latency_s: float | None = None
    model_s: float = 0.0
    prompt_tokens: int | None = None
    answer_tokens: int | None = None


class Reasoner(Protocol):
    """Anything that plans. It keeps no state between windows, so any replica may take the next one."""

    @property
    def name(self) -> str:
        """Backend, and model where there is one, such as `ollama/llama3.2:1b`."""
        ...

    @property
    def slow(self) -> bool:
        """Whether a decision can take seconds, so that windows which expired in the queue are not worth asking for."""
        ...

    def decide(self, context: ContextSnapshot) -> Decision:
        """Decide about one window. An exception leaves the window unplanned; the service goes on."""
        ...


def unplanned(outcome: PlanOutcome, discarded: DiscardReason, reason: str, answer: str | None = None) -> Decision:
    """The decision of a window that runs unplanned, with the sentence that says why."""
    return Decision(outcome=outcome, discarded=discarded, reason=reason, answer=answer)
