"""What exact policies reach on the same requests: the lines that an arm's hit ratio is read against."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_simulator import clairvoyant_prefetch, hit_ratio, simulate
from aura_simulator.trace import Codes, Hits

__all__ = ["ceilings"]

DEMAND_FILL = ("lru", "s3fifo", "belady")


def ceilings(
    codes: Codes, capacity_items: int, budget_per_window: int, window: int, requests: Sequence[int] = ()
) -> dict[str, Any]:
    """Contents of a result folder's `ceilings.json`.

    `codes` holds the item of each request, shape (n,); the clairvoyant prefetcher may fetch `budget_per_window` items each
    `window` requests. By policy `{"hit_ratio", "backend_reads", "prefetches", "hits"}`, and `capacity_items`; `hits` are those
    of each of the run's windows, which had `requests` requests, without which it is empty. Raises ValueError.
    """
    result: dict[str, Any] = {"capacity_items": capacity_items}
    starts = np.concatenate([[0], np.cumsum(requests[:-1])]).astype(np.int64) if len(requests) else None
    for policy in DEMAND_FILL:
        hits = simulate(policy, codes, capacity_items)
        result[policy] = _entry(hits, 0, starts)
    oracle = clairvoyant_prefetch(codes, capacity_items, budget_per_window, window)
    result["clairvoyant_prefetch"] = _entry(oracle.hits, oracle.prefetches, starts)
    return result


def _entry(hits: Hits, prefetches: int, starts: NDArray[np.int64] | None) -> dict[str, Any]:
    misses = len(hits) - int(hits.sum())
    by_window = [] if starts is None else np.add.reduceat(hits, starts, dtype=np.int64).tolist()
    return {
        "hit_ratio": round(hit_ratio(hits), 6),
        "backend_reads": misses + prefetches,
        "prefetches": prefetches,
        "hits": by_window,
    }
