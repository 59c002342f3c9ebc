"""The arm's eviction as Redis does it: the lowest priority among a few keys drawn at random and a small pool."""

from bisect import insort
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_simulator.priority import levels
from aura_simulator.trace import Codes, Hits, items_of

__all__ = ["sampled_priority"]

SAMPLES = 5
"""Redis' default of maxmemory-samples."""

POOL = 16
"""EVPOOL_SIZE in Redis' evict.c."""

DRAWN_AT_ONCE = 20_000


class _Sampler:
    """Residents that can be drawn at random, and the pool of the lowest priorities that were drawn so far."""

    def __init__(self, capacity: int, seed: int, samples: int) -> None:
        self.residents: list[int] = []
        self.place: dict[int, int] = {}
        self._pool: list[tuple[int, int]] = []
        self._random = np.random.default_rng(seed)
        # Redis is one item over its limit whenever it evicts.
        self._choices, self._samples = capacity + 1, samples
        self._drawn: list[int] = []

    def add(self, code: int) -> None:
        """Make an item a resident."""
        self.place[code] = len(self.residents)
        self.residents.append(code)

    def evict(self, priority: dict[int, int]) -> int:
        """Drop one of capacity + 1 residents: the pool's lowest that is still there, at the priority it was drawn with."""
        pool, place = self._pool, self.place
        while True:
            self._draw(priority)
            while pool:
                code = pool.pop(0)[1]
                if code in place:
                    self._remove(code)
                    return code

    def _draw(self, priority: dict[int, int]) -> None:
        pool, residents = self._pool, self.residents
        if not self._drawn:
            self._drawn = self._random.integers(0, self._choices, DRAWN_AT_ONCE * self._samples).tolist()
        for place in self._drawn[-self._samples :]:
            code = residents[place]
            level = priority[code]
            if len(pool) < POOL:
                insort(pool, (level, code))
            elif level < pool[-1][0]:
                pool.pop()
                insort(pool, (level, code))
        del self._drawn[-self._samples :]

    def _remove(self, code: int) -> None:
        place, last = self.place.pop(code), self.residents.pop()
        if last != code:
            self.residents[place] = last
            self.place[last] = place


def sampled_priority(
    codes: Codes,
    capacity: int,
    bonus: NDArray[np.integer[Any]] | None = None,
    *,
    seed: int = 0,
    samples: int = SAMPLES,
) -> Hits:
    """Hits of `priority` when the evicted item is the lowest of a sample, as in Redis; shape (n,), raises ValueError.

    Redis draws `samples` keys, keeps the best of all it drew in a pool of 16, and evicts the first of the pool that is still
    there, at the priority it had when it was drawn (evict.c, evictionPoolPopulate). That is kinder to new items than the
    exact order: an item without a history stays for some capacity / samples evictions on average. The same seed gives the
    same hits.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least one, not {samples}")
    items = items_of(codes, capacity)
    hits = bytearray(len(items))
    sampler = _Sampler(capacity, seed, samples)
    priority: dict[int, int] = {}
    for t, (code, level) in enumerate(zip(items, levels(bonus, len(items)).tolist(), strict=True)):
        if code in priority:
            hits[t] = 1
            priority[code] = level
            continue
        priority[code] = level
        sampler.add(code)
        if len(priority) > capacity:
            del priority[sampler.evict(priority)]
    return np.frombuffer(hits, np.bool_)
