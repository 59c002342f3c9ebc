"""A prefetcher that knows the future, with a planner's budget: what no plan of so many keys a window can beat."""

from dataclasses import dataclass
from heapq import heappush, heappushpop

import numpy as np
from numpy.typing import NDArray

from aura_simulator.trace import NEVER, Codes, Hits, check, next_uses, previous_uses

__all__ = ["Prefetched", "clairvoyant_prefetch"]


@dataclass(frozen=True)
class Prefetched:
    """Hits of each request, shape (n,), and how many prefetches they took; backend reads are misses + prefetches."""

    hits: Hits
    prefetches: int


class _Oracle:
    """The optimal cache with bypass (see `belady`), which can also be filled between two requests."""

    def __init__(self, codes: Codes, capacity: int) -> None:
        size = len(codes)
        self.following = next_uses(codes)
        self.previous = previous_uses(codes)
        self.expected = bytearray(size)
        self.fetched = bytearray(size)
        self.farthest: list[int] = []
        self.room = capacity
        self._expected = np.frombuffer(self.expected, np.bool_)

    def run(self, start: int, end: int) -> int:
        """Serve the requests start..end-1; returns how many hits a prefetch had paid for."""
        expected, fetched, farthest, room, paid = self.expected, self.fetched, self.farthest, self.room, 0
        for t, following in enumerate(self.following[start:end].tolist(), start):
            if expected[t]:
                room += 1
                paid += fetched[t]
            if following == NEVER:
                continue
            if room:
                room -= 1
                heappush(farthest, -following)
                expected[following] = 1
            else:
                evicted = -heappushpop(farthest, -following)
                if evicted != following:
                    expected[evicted] = 0
                    expected[following] = 1
        self.room = room
        return paid

    def prefetch(self, start: int, budget: int, window: int) -> None:
        """Before request `start`, fetch up to `budget` items that are used next, each for the one that is used last."""
        low, step, size = start, window, len(self.expected)
        while budget and low < size:
            if not self.room and low >= -self.farthest[0]:
                return
            for use in self._absent(start, low, min(low + step, size))[:budget].tolist():
                if not self._fetch(use):
                    return
                budget -= 1
            low, step = low + step, step * 2

    def _absent(self, start: int, low: int, high: int) -> NDArray[np.int64]:
        """First uses since `start` of items that are not in the cache, in low..high-1, soonest first."""
        wanted = (self.previous[low:high] < start) & ~self._expected[low:high]
        return np.flatnonzero(wanted) + low

    def _fetch(self, use: int) -> bool:
        if self.room:
            self.room -= 1
            heappush(self.farthest, -use)
        else:
            evicted = -heappushpop(self.farthest, -use)
            if evicted == use:
                return False
            self.expected[evicted] = self.fetched[evicted] = 0
        self.expected[use] = self.fetched[use] = 1
        return True


def clairvoyant_prefetch(codes: Codes, capacity: int, budget_per_window: int, window: int) -> Prefetched:
    """The most hits that any cache of `capacity` items can have that, besides filling on misses, may fetch up to
    `budget_per_window` items just before each `window` requests; raises ValueError.

    The number of hits is exactly optimal in that model (unit sizes, eviction and bypass free, a budget that does not carry
    over), hence an upper bound for every planner with the same budget, at most `budget_per_window` hits a window above
    `belady`. Why: of two caches that differ in one item, the one whose item is used sooner never has fewer hits to come (the
    exchange argument behind Belady's rule; whenever the other cache prefetches the item that is here already, this one
    prefetches the item it lacks). So each fetch takes the absent item that is used soonest in exchange for the resident
    one that is used last, as long as that is an improvement. The number of prefetches is not minimal: `prefetches` leaves
    out those that are dropped before their first use, as an oracle would not make them, but some of the others may only
    turn one hit into another.
    """
    check(codes, capacity)
    if budget_per_window < 0 or window < 1:
        raise ValueError(f"budget must not be negative and a window at least one request, not {budget_per_window} and {window}")
    oracle, prefetches = _Oracle(codes, capacity), 0
    for start in range(0, len(codes), window):
        oracle.prefetch(start, budget_per_window, window)
        prefetches += oracle.run(start, min(start + window, len(codes)))
    return Prefetched(np.frombuffer(oracle.expected, np.bool_), prefetches)
