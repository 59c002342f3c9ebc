"""The arm's library as compiled loops: what `aura_batch` does to a cache, and how Redis evicts between two calls."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["AT", "POOL", "SAMPLES", "Counts", "State", "affordable", "blank", "evict", "remove", "serve", "store"]

SAMPLES = 10
"""The arms' maxmemory-samples."""

POOL = 16
"""EVPOOL_SIZE in Redis' evict.c."""

NO_FILL, PREFETCH, HELD_OUT = 4, 8, 16
KEPT_NOT = 3
NO_LIMIT = 1000


class Counts(NamedTuple):
    """Places in `State.counts`."""

    requests: int = 0
    hits: int = 1
    fills: int = 2
    prefetches: int = 3
    prefetch_hits: int = 4
    evictions: int = 5
    held_requests: int = 6
    held_hits: int = 7


AT = Counts()


class State(NamedTuple):
    """A cache. By item code: `slot`, the item's place in `residents` or -1, its priority `level`, its `expiry` on the event clock
    in ms, and `plan`, one more than the number of the plan that fetched it, 0 after its first hit. `pool_*` are Redis' eviction
    candidates, lowest level first. `size[0]` counts the residents, `size[1]` the pool; `random[0]` is the generator's state."""

    slot: NDArray[np.int32]
    level: NDArray[np.int64]
    expiry: NDArray[np.int64]
    plan: NDArray[np.int32]
    residents: NDArray[np.int32]
    pool_level: NDArray[np.int64]
    pool_code: NDArray[np.int32]
    size: NDArray[np.int64]
    random: NDArray[np.uint64]
    counts: NDArray[np.int64]
    credit: NDArray[np.int64]


def blank(items: int, plans: int, seed: int) -> State:
    """An empty cache for item codes below `items` and plan numbers below `plans`."""
    return State(
        np.full(items, -1, np.int32),
        np.zeros(items, np.int64),
        np.zeros(items, np.int64),
        np.zeros(items, np.int32),
        np.zeros(items, np.int32),
        np.zeros(POOL, np.int64),
        np.zeros(POOL, np.int32),
        np.zeros(2, np.int64),
        # A generator that shifts and xors stands still at 0.
        np.array([2 * seed + 0x9E3779B97F4A7C15], np.uint64),
        np.zeros(len(AT), np.int64),
        np.zeros(plans, np.int64),
    )


@njit(cache=True)
def _draw(cache: State) -> None:
    """Put the lowest of some residents drawn at random into the pool (xorshift64, Marsaglia 2003)."""
    x = cache.random[0]
    for _ in range(SAMPLES):
        x ^= x << np.uint64(13)
        x ^= x >> np.uint64(7)
        x ^= x << np.uint64(17)
        code = cache.residents[np.int64(x % np.uint64(cache.size[0]))]
        level, held = cache.level[code], cache.size[1]
        if held == POOL and level >= cache.pool_level[POOL - 1]:
            continue
        place = min(held, POOL - 1)
        cache.size[1] = place + 1
        while place > 0 and cache.pool_level[place - 1] > level:
            cache.pool_level[place], cache.pool_code[place] = cache.pool_level[place - 1], cache.pool_code[place - 1]
            place -= 1
        cache.pool_level[place], cache.pool_code[place] = level, code
    cache.random[0] = x


@njit(cache=True)
def remove(cache: State, code: int) -> None:
    """Take a resident out."""
    place, last = cache.slot[code], cache.residents[cache.size[0] - 1]
    cache.residents[place] = last
    cache.slot[last] = place
    cache.slot[code] = -1
    cache.size[0] -= 1


@njit(cache=True)
def evict(cache: State, target: int) -> None:
    """Evict down to `target` residents: each time the lowest of the pool that is still there, at the level it was drawn with."""
    while cache.size[0] > target:
        _draw(cache)
        while cache.size[1] > 0:
            code = cache.pool_code[0]
            for place in range(cache.size[1] - 1):
                cache.pool_level[place], cache.pool_code[place] = cache.pool_level[place + 1], cache.pool_code[place + 1]
            cache.size[1] -= 1
            if cache.slot[code] >= 0:
                remove(cache, code)
                break


@njit(cache=True)
def store(cache: State, code: int, level: int, expiry: int, plan: int) -> None:
    """Put an item in, or anew."""
    if cache.slot[code] < 0:
        cache.slot[code] = cache.size[0]
        cache.residents[cache.size[0]] = code
        cache.size[0] += 1
    cache.level[code], cache.expiry[code], cache.plan[code] = level, expiry, plan


@njit(cache=True)
def affordable(cache: State, reads: int) -> bool:
    """Whether one more value may be fetched ahead: `reads` permille of the misses may be fetched for nothing."""
    counts = cache.counts
    spent = counts[AT.prefetches] - counts[AT.prefetch_hits] + 1
    return reads >= NO_LIMIT or spent * 1000 <= reads * (counts[AT.requests] - counts[AT.hits])


@njit(cache=True)
def serve(
    cache: State,
    codes: NDArray[np.int32],
    bonus: NDArray[np.int64],
    flags: NDArray[np.uint8],
    first: int,
    now: int,
    ttls: NDArray[np.int64],
    reads: int,
    number: int,
    trace: NDArray[np.uint8],
) -> int:
    """One batch of entries, columns of shape (n,), as `aura_batch` does it: `first` is the number of the first request, `now` the
    event clock in ms, `ttls` the TTL in ms of each class, `reads` the budget in permille, `number` the policy's plan. Writes a
    character 1 into `trace` for each hit and a 0 for each miss, and returns how many requests there were."""
    counts, request = cache.counts, first
    for entry in range(len(codes)):
        code, flag = codes[entry], flags[entry]
        kept = flag % 4 != KEPT_NOT
        level = request + bonus[entry]
        live = cache.slot[code] >= 0 and cache.expiry[code] > now
        if flag % 16 >= PREFETCH:
            if not live and kept and flag < HELD_OUT and affordable(cache, reads):
                store(cache, code, level, now + ttls[flag % 4], number + 1)
                counts[AT.prefetches] += 1
            continue
        request += 1
        counts[AT.requests] += 1
        counts[AT.held_requests] += flag >= HELD_OUT
        trace[request - first - 1] = 49 if live else 48
        if live:
            counts[AT.hits] += 1
            counts[AT.held_hits] += flag >= HELD_OUT
            cache.level[code] = level
            if cache.plan[code]:
                cache.credit[cache.plan[code] - 1] += 1
                counts[AT.prefetch_hits] += 1
                cache.plan[code] = 0
        elif kept and flag % 8 < NO_FILL:
            store(cache, code, level, now + ttls[flag % 4], 0)
            counts[AT.fills] += 1
        elif cache.slot[code] >= 0:
            remove(cache, code)
    return request - first
