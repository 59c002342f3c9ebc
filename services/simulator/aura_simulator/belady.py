"""Belady's optimum: what no policy without prefetch can beat."""

from heapq import heappush, heappushpop

import numpy as np

from aura_simulator.trace import NEVER, Codes, Hits, check, next_uses

__all__ = ["belady"]


def belady(codes: Codes, capacity: int) -> Hits:
    """Hits of the optimal cache of `capacity` items with demand fill and bypass; shape (n,), raises ValueError.

    Evicts what is used again last (Belady, IBM Systems Journal 5(2), 1966) and may leave a missed item out of the cache
    (bypass), so it is an upper bound for every policy that fills on misses only, whatever it admits. Where each miss must be
    stored the optimum is lower by up to .0007 on the logs it was compared on.
    """
    check(codes, capacity)
    # A resident item is known by the index of its next use: indices are distinct, and an entry of the heap that has been
    # used lies behind all that have not, so that the heap's top is never stale while the cache is full.
    expected = bytearray(len(codes))
    farthest: list[int] = []
    room = capacity
    for t, following in enumerate(next_uses(codes).tolist()):
        if expected[t]:
            room += 1
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
    return np.frombuffer(expected, np.bool_)
