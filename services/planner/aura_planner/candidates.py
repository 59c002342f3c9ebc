"""The options of a window: which of its candidates may be prefetched and which evicted, ranked by code and shuffled."""

import random

from aura_contract.context import Candidate, ContextSnapshot

__all__ = ["absent", "falling", "generator", "present", "rising", "shortlist"]


def generator(context: ContextSnapshot, seed: int = 0) -> random.Random:
    """A random generator that is the same for equal windows of equal logs."""
    return random.Random(f"{seed}:{context.workload.first_event}:{context.context_id}")


def absent(context: ContextSnapshot) -> list[Candidate]:
    """Candidates that are not in the arm."""
    resident = set(context.cache.resident)
    return [candidate for candidate in context.workload.candidates.rows if candidate.id not in resident]


def present(context: ContextSnapshot) -> list[Candidate]:
    """Candidates that are in the arm."""
    resident = set(context.cache.resident)
    return [candidate for candidate in context.workload.candidates.rows if candidate.id in resident]


def rising(context: ContextSnapshot) -> list[Candidate]:
    """Absent candidates, those whose demand grows most first (carts and purchases count as demand)."""
    return sorted(absent(context), key=lambda c: (-(c.trend + 2 * c.intent), -c.count, -c.frequency, c.last_seen, c.id))


def falling(context: ContextSnapshot) -> list[Candidate]:
    """Resident candidates that nobody asked for in the window, the least used first: the others would be missed at once."""
    return sorted(
        (c for c in present(context) if not c.count and not c.intent), key=lambda c: (c.frequency, c.count, -c.last_seen, c.id)
    )


def shortlist(context: ContextSnapshot, ranked: list[Candidate], limit: int) -> list[Candidate]:
    """The first `limit` of `ranked` in an order that tells a model nothing about their rank."""
    chosen = ranked[:limit]
    generator(context).shuffle(chosen)
    return chosen
