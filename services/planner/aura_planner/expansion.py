"""From a decision to the actions of a Plan: keys from items, values from the catalogue, TTLs from the manifest."""

from collections.abc import Iterable, Sequence

from aura_contract.context import Caps, ContextSnapshot
from aura_contract.payload import key_of
from aura_contract.plan import Prefetch
from aura_planner.candidates import present
from aura_planner.decision import Decision
from aura_planner.enrichment import Enrichment

__all__ = ["actions", "expand"]


def actions(
    decision: Decision, context: ContextSnapshot, enrichment: Enrichment, ttl: int
) -> tuple[tuple[str, ...], tuple[Prefetch, ...]]:
    """Keys to evict and values to prefetch, within the context's caps.

    A resident candidate is never prefetched, and a seed that is also evicted is left out. `ttl` in seconds serves seeds
    without one of their own; both are clamped to the caps.
    """
    if decision.plan is not None:
        return decision.plan.evict, decision.plan.prefetch
    caps = context.caps
    evict = tuple(dict.fromkeys(decision.evict))[: caps.max_evict]
    barred = {c.item for c in present(context)} | set(evict)
    items = _take(_wanted(decision, context, enrichment), barred, caps.max_prefetch)
    values = enrichment.payloads(items)
    prefetch = tuple(Prefetch(k=key_of(item), v=values[item], ttl=_clamp(decision.ttl.get(item, ttl), caps)) for item in items)
    return tuple(key_of(item) for item in evict), prefetch


def expand(decision: Decision, context: ContextSnapshot, enrichment: Enrichment) -> dict[str, Sequence[str]]:
    """Related items of each seed, at most `decision.fanout` each: co-visited ones from the context, or similar ones."""
    if decision.expand == "similar":
        return dict(enrichment.similar(decision.seeds, decision.fanout))
    if decision.expand == "covisit":
        known = {c.item: c.neighbours for c in context.workload.candidates.rows}
        return {seed: known.get(seed, ())[: decision.fanout] for seed in decision.seeds}
    return {}


def _wanted(decision: Decision, context: ContextSnapshot, enrichment: Enrichment) -> Iterable[str]:
    """Seeds first, then the related items round by round, so that the caps cut the weakest."""
    yield from decision.seeds
    related = expand(decision, context, enrichment)
    for rank in range(decision.fanout):
        for seed in decision.seeds:
            found = related.get(seed, ())
            if rank < len(found):
                yield found[rank]


def _take(items: Iterable[str], barred: set[str], limit: int) -> list[str]:
    taken: dict[str, None] = {}
    for item in items:
        if len(taken) >= limit:
            break
        if item not in barred:
            taken[item] = None
    return list(taken)


def _clamp(ttl: int, caps: Caps) -> int:
    return min(max(ttl, caps.ttl_min), caps.ttl_max)
