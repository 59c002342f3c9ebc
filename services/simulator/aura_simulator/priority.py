"""The arm's own eviction, exactly: the lowest priority leaves, where Redis takes the lowest of a sample."""

from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_simulator.trace import Codes, Hits, check, items_of, previous_uses

__all__ = ["TtlTiers", "decayed_frequency", "frequency_bonus", "levels", "priority", "ttl"]


@dataclass(frozen=True)
class TtlTiers:
    """TTL in ms by pressure, here items over capacity: `long` below `low`, `medium` up to `high`, `short` above."""

    long: int = 1_800_000
    medium: int = 900_000
    short: int = 300_000
    low: float = 0.5
    high: float = 0.8

    def at(self, pressure: float) -> int:
        """TTL in ms at a pressure from 0 to 1."""
        if pressure < self.low:
            return self.long
        return self.medium if pressure <= self.high else self.short


def decayed_frequency(codes: Codes, half_life: float) -> NDArray[np.float64]:
    """Requests of the same item before each request, each worth half after `half_life` requests; shape (n,)."""
    check(codes)
    previous = previous_uses(codes)
    gaps = np.arange(len(codes)) - previous
    kept = np.where(previous < 0, 0.0, 2.0 ** (-gaps / half_life)).tolist()
    result = [0.0] * (len(codes) + 1)
    for t, before in enumerate(previous.tolist()):
        # A first request has the predecessor -1: the spare last entry, of which nothing is kept.
        result[t] = (result[before] + 1.0) * kept[t]
    return np.array(result[:-1])


def frequency_bonus(frequency: NDArray[np.floating[Any]], weight: float, capacity: int) -> NDArray[np.int64]:
    """What a request adds to its priority: floor(A * C * log2(1 + frequency)), as the arm is told it; shape (n,).

    `weight` is A, `capacity` C in items, `frequency` the decayed requests before this one (see `decayed_frequency`).
    """
    return np.floor(weight * capacity * np.log2(1.0 + np.asarray(frequency, np.float64))).astype(np.int64)


def levels(bonus: NDArray[np.integer[Any]] | None, size: int) -> NDArray[np.int64]:
    """Priority of each request, t + bonus; shape (size,), raises ValueError."""
    t = np.arange(size, dtype=np.int64)
    if bonus is None:
        return t
    if bonus.shape != (size,):
        raise ValueError(f"bonus must have one entry a request, shape ({size},), not {bonus.shape}")
    return np.asarray(t + bonus, np.int64)


def _keys(bonus: NDArray[np.integer[Any]] | None, size: int) -> list[int]:
    """Priorities that differ: t + bonus first and t second, so that the touch can be read back as key modulo size."""
    level = levels(bonus, size)
    if size and (int(level.min()) < 0 or int(level.max()) >= np.iinfo(np.int64).max // size):
        raise ValueError("bonus is out of range: t + bonus must lie between 0 and 2**63 / requests")
    keys: list[int] = (level * size + np.arange(size)).tolist()
    return keys


def _evict(heap: list[int], items: list[int], current: dict[int, int], new: int) -> int:
    """Take the item with the lowest priority out of `current` after the entry `new` was made; returns the item.

    The heap holds one entry a resident at least, at most as high as its priority. A touch that raises a priority leaves
    the entry as it is; it is put right here, when it comes up. A top entry that is no resident's is dropped.
    """
    size = len(items)
    heappush(heap, new)
    while True:
        key = heap[0]
        code = items[key % size]
        now = current.get(code)
        if now == key:
            heappop(heap)
            del current[code]
            return code
        if now is None or now < key:
            heappop(heap)
        else:
            heapreplace(heap, now)


def priority(codes: Codes, capacity: int, bonus: NDArray[np.integer[Any]] | None = None) -> Hits:
    """Hits of a cache that evicts the lowest priority, t + bonus as of the item's last request; shape (n,), raises ValueError.

    A missed item is stored first and then the lowest leaves, which may be the new item: Redis too evicts before the next
    call, from all keys. But Redis only draws a sample, which matters with a large A: see `sampled_priority`. Of equal
    priorities the older leaves. Without a bonus this is LRU; with `frequency_bonus(frequency, A, C)` it is
    `priority = t + A * C * log2(1 + frequency)`.
    """
    items = items_of(codes, capacity)
    hits = bytearray(len(items))
    current: dict[int, int] = {}
    heap: list[int] = []
    room = capacity
    for t, (code, key) in enumerate(zip(items, _keys(bonus, len(items)), strict=True)):
        known = current.get(code)
        current[code] = key
        if known is not None:
            hits[t] = 1
            if key < known:
                heappush(heap, key)
        elif room:
            room -= 1
            heappush(heap, key)
        else:
            _evict(heap, items, current, key)
    return np.frombuffer(hits, np.bool_)


def ttl(
    codes: Codes,
    capacity: int,
    now_ms: NDArray[np.integer[Any]],
    ttl_ms: int | TtlTiers,
    bonus: NDArray[np.integer[Any]] | None = None,
) -> Hits:
    """Hits of `priority` when values expire on the event clock; shape (n,), raises ValueError.

    `now_ms` is the clock at each request, shape (n,). A value expires `ttl_ms` after it was stored, and a hit does not
    renew it; an expired one counts as a miss and is stored anew, but takes its room until it is evicted.
    """
    if now_ms.shape != codes.shape:
        raise ValueError(f"now_ms must have one entry a request, shape {codes.shape}, not {now_ms.shape}")
    tiers = ttl_ms if isinstance(ttl_ms, TtlTiers) else TtlTiers(ttl_ms, ttl_ms, ttl_ms)
    items = items_of(codes, capacity)
    hits = bytearray(len(items))
    current: dict[int, int] = {}
    expiry: dict[int, int] = {}
    heap: list[int] = []
    steps = zip(items, _keys(bonus, len(items)), now_ms.tolist(), strict=True)
    for t, (code, key, now) in enumerate(steps):
        known = current.get(code)
        if known is not None and expiry[code] > now:
            hits[t] = 1
        else:
            expiry[code] = now + tiers.at(len(current) / capacity)
        current[code] = key
        if known is None and len(current) > capacity:
            del expiry[_evict(heap, items, current, key)]
        elif known is None or key < known:
            heappush(heap, key)
    return np.frombuffer(hits, np.bool_)
