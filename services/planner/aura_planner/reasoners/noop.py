"""The planner that changes nothing: the control that every other planner must beat."""

from aura_contract.context import ContextSnapshot
from aura_planner.decision import Decision

__all__ = ["NoopReasoner"]


class NoopReasoner:
    """Answers every window with an empty plan."""

    name = "noop"
    slow = False

    def decide(self, context: ContextSnapshot) -> Decision:  # noqa: ARG002 - the interface's argument
        """An empty decision."""
        return Decision(outcome="noop")
