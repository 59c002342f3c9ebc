"""The planner that draws lots: what any choice at all is worth with the same number of actions."""

from typing import get_args

from aura_contract.context import Candidate, ContextSnapshot
from aura_contract.plan import Admit, Frequency, Policy
from aura_planner.candidates import absent, falling, generator
from aura_planner.decision import Decision
from aura_planner.rules import LADDER

__all__ = ["RandomReasoner"]


class RandomReasoner:
    """Fills the caps with random candidates and sets random levers; equal seed and window give an equal decision."""

    name = "random"
    slow = False

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def decide(self, context: ContextSnapshot) -> Decision:
        """As many evictions and prefetches as the caps and the candidates allow."""
        lots = generator(context, self._seed)
        # Drawn first: how many lots the items take depends on what happens to be resident, which differs from run to run.
        policy = Policy(frequency=lots.choice(get_args(Frequency)), admit=lots.choice(get_args(Admit)), rules=lots.choice(LADDER))

        def draw(pool: list[Candidate], limit: int) -> tuple[str, ...]:
            return tuple(candidate.item for candidate in lots.sample(pool, min(limit, len(pool))))

        return Decision(
            seeds=draw(absent(context), context.caps.max_prefetch),
            evict=draw(falling(context), context.caps.max_evict),
            policy=policy,
        )
