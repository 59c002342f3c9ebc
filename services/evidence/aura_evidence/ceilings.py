"""What exact policies reach on the same requests: the lines that an arm's hit ratio is read against."""

from typing import Any

from aura_simulator import clairvoyant_prefetch, hit_ratio, simulate
from aura_simulator.trace import Codes

__all__ = ["ceilings"]

DEMAND_FILL = ("lru", "s3fifo", "belady")


def ceilings(codes: Codes, capacity_items: int, budget_per_window: int, window: int) -> dict[str, Any]:
    """Contents of a result folder's `ceilings.json`.

    `codes` holds the item of each request, shape (n,); the clairvoyant prefetcher may fetch `budget_per_window` items each
    `window` requests. By policy `{"hit_ratio", "backend_reads", "prefetches"}`, and `capacity_items`. Raises ValueError.
    """
    result: dict[str, Any] = {"capacity_items": capacity_items}
    for policy in DEMAND_FILL:
        hits = simulate(policy, codes, capacity_items)
        result[policy] = _entry(hit_ratio(hits), len(hits) - int(hits.sum()), 0)
    oracle = clairvoyant_prefetch(codes, capacity_items, budget_per_window, window)
    misses = len(oracle.hits) - int(oracle.hits.sum())
    result["clairvoyant_prefetch"] = _entry(hit_ratio(oracle.hits), misses, oracle.prefetches)
    return result


def _entry(ratio: float, misses: int, prefetches: int) -> dict[str, float | int]:
    return {"hit_ratio": round(ratio, 6), "backend_reads": misses + prefetches, "prefetches": prefetches}
