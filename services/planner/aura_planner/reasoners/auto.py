"""The default: a model when one is at hand, rules when not, and no doubt about which of the two it was."""

import logging
from dataclasses import replace

from aura_contract.context import ContextSnapshot
from aura_planner.decision import Decision, Reasoner

__all__ = ["FallbackReasoner", "choose"]

log = logging.getLogger(__name__)


class FallbackReasoner:
    """Another reasoner in place of the model: plans name it as their planner and say why in their reason."""

    slow = False

    def __init__(self, instead: Reasoner, why: str) -> None:
        self._instead = instead
        self._why = f"auto: {why}"
        self.name = f"{instead.name} ({self._why})"

    def decide(self, context: ContextSnapshot) -> Decision:
        """The other reasoner's decision."""
        decision = self._instead.decide(context)
        return replace(decision, planner=self._instead.name, reason=decision.reason or self._why)


def choose(model: Reasoner, problem: str | None, instead: Reasoner) -> Reasoner:
    """`model` when it has no problem. Chosen once a process: an arm that changed its planner half-way would show nothing."""
    if problem is None:
        return model
    fallback = FallbackReasoner(instead, problem)
    log.warning("backend auto fell back to the %s planner: %s", instead.name, problem)
    return fallback
