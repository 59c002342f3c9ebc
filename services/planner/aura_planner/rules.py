"""Standing prefetch rules from strict to loose, and how far to go with the backend reads that may be spent."""

from typing import Literal

from aura_contract.context import ContextSnapshot
from aura_contract.plan import Confidence, Rule

__all__ = ["AHEAD", "LADDER", "START", "Ahead", "affordable_rules", "rung"]

Ahead = Literal["none", "sure", "likely", "any"]


def _rules(history: Confidence | None, covisit: Confidence | None) -> tuple[Rule, ...]:
    found = []
    if history:
        found.append(Rule(on="session_start", expand="history", confidence=history, fanout=10))
    if covisit:
        found.append(Rule(on="request", expand="covisit", confidence=covisit, fanout=4))
    return tuple(found)


LADDER: tuple[tuple[Rule, ...], ...] = (
    (),
    _rules("high", None),
    _rules("high", "high"),
    _rules("medium", "high"),
    _rules("low", "medium"),
    _rules("low", "low"),
)
"""Each step fetches more and is right less often. A user's own history is right more often than what others went on with."""

AHEAD: dict[Ahead, tuple[Rule, ...]] = {"none": LADDER[0], "sure": LADDER[2], "likely": LADDER[3], "any": LADDER[5]}
"""What a model may choose."""

START = 2

SPENT, SPARE = 1.0, 0.5
"""Shares of the budget in one window above which rules get stricter and below which they get looser."""

WORTHLESS = 0.1
"""Hits for each prefetch below which rules get stricter whatever they cost."""

FEW = 20
"""Prefetches in a window that say too little of how often they are right."""


def affordable_rules(context: ContextSnapshot) -> tuple[Rule, ...]:
    """The rules of the next window: a step stricter or looser than what stands, by what that has cost.

    With nothing to offer (no users, no sessions) there are none.
    """
    if not context.workload.offers and context.window:
        return ()
    cache, budget = context.cache, context.caps.backend_reads
    now = rung(cache.policy.rules)
    if now is None:
        return LADDER[START]
    useless = cache.prefetches >= FEW and cache.prefetch_hits < WORTHLESS * cache.prefetches
    if useless or cache.waste >= SPENT * budget:
        return LADDER[max(1, now - 1)]
    return LADDER[min(len(LADDER) - 1, now + (cache.waste < SPARE * budget))]


def rung(rules: tuple[Rule, ...]) -> int | None:
    """The step of the ladder that `rules` are; None for none, and for others."""
    return LADDER.index(rules) if rules and rules in LADDER else None
