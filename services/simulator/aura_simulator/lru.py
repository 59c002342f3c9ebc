"""Least recently used."""

from collections import OrderedDict

import numpy as np

from aura_simulator.trace import Codes, Hits, items_of

__all__ = ["lru"]


def lru(codes: Codes, capacity: int) -> Hits:
    """Hits of a cache of `capacity` items that evicts the least recently used item; shape (n,), raises ValueError."""
    hits = bytearray(len(codes))
    cache: OrderedDict[int, None] = OrderedDict()
    touch, evict = cache.move_to_end, cache.popitem
    room = capacity
    for t, code in enumerate(items_of(codes, capacity)):
        if code in cache:
            touch(code)
            hits[t] = 1
        else:
            if room:
                room -= 1
            else:
                evict(last=False)
            cache[code] = None
    return np.frombuffer(hits, np.bool_)
