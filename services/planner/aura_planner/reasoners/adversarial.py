"""The planner that does as much harm as the rules allow: what the guard is tested with."""

from aura_contract.context import ContextSnapshot
from aura_contract.plan import Policy
from aura_planner.candidates import absent, present
from aura_planner.decision import Decision
from aura_planner.rules import LADDER

__all__ = ["AdversarialReasoner"]

COLDEST = 20


class AdversarialReasoner:
    """Evicts what is asked for most, loads what is asked for least, stores nothing new and spends all reads on bad guesses."""

    name = "adversarial"
    slow = False

    def decide(self, context: ContextSnapshot) -> Decision:
        """The worst that a plan may ask for."""
        hot = sorted(present(context), key=lambda c: -c.count)
        cold = sorted(absent(context), key=lambda c: c.count + c.frequency)
        coldest = [stat.category for stat in sorted(context.workload.top_categories, key=lambda stat: stat.count)][:COLDEST]
        return Decision(
            evict=tuple(c.item for c in hot[: context.caps.max_evict]),
            seeds=tuple(c.item for c in cold[: context.caps.max_prefetch]),
            policy=Policy(admit="frequent", ttl={"*": "none"}, protect=tuple(coldest), rules=LADDER[-1]),
        )
