"""A simulated arm: the function library's behaviour on item codes, with Redis' eviction, in microseconds instead of servers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_simulator.kernel import AT, State, affordable, blank, evict, remove, serve, store
from aura_simulator.priority import TtlTiers

__all__ = ["Applied", "SimulatedCache", "warm_up"]

PROBE_EVERY = 25
ROOM = 1024


@dataclass(frozen=True)
class Applied:
    """What a plan's actions did: residents dropped, values fetched, actions on held-out keys, prefetches beyond the budget."""

    evicted: int
    prefetched: int
    held_evict: int
    held_prefetch: int
    over_budget: int


class SimulatedCache:
    """`capacity` items on average over a batch, as an arm's memory limit keeps it; `reads` is the guard's budget in permille."""

    def __init__(self, capacity: int, tiers: TtlTiers, *, seed: int = 0, reads: int = 1000) -> None:
        self._capacity, self._tiers, self._reads = capacity, tiers, reads
        self._state: State = blank(ROOM, ROOM, seed)
        self._batches = self._filled = 0
        self.pressure = 0.0
        self.now = 0
        self.plans = 0
        self.policy_number = 0
        """Number of the plan that set the levers, 0 for none."""

    def __len__(self) -> int:
        return int(self._state.size[0])

    @property
    def counts(self) -> dict[str, int]:
        """Counters by name, since the start."""
        return dict(zip(AT._fields, self._state.counts.tolist(), strict=True))

    def serve(self, codes: NDArray[np.int32], bonus: NDArray[np.int64], flags: NDArray[np.uint8], first: int, now: int) -> bytes:
        """One batch, columns of shape (n,); see `kernel.serve`. Evicts before, as Redis does before a call.

        Returns which requests were hits: a 1 or a 0 each.
        """
        self._grow(int(codes.max(initial=0)) + 1, 0)
        # The arm's limit keeps the mean of before and after a batch at the capacity.
        evict(self._state, max(1, self._capacity - self._filled // 2))
        self._measure()
        before = len(self)
        ttls = np.array([self._tiers.at(self.pressure), self._tiers.long, self._tiers.short, 0], np.int64)
        trace = np.empty(len(codes), np.uint8)
        requests = serve(self._state, codes, bonus, flags, first, now, ttls, self._reads, self.policy_number, trace)
        self._filled = len(self) - before
        self.now = now
        return trace[:requests].tobytes()

    def apply(
        self, evicted: Sequence[int], fetched: Sequence[tuple[int, int]], held: NDArray[np.bool_], *, policy: bool
    ) -> Applied:
        """A plan's actions, as `aura_apply` does them: codes to evict, codes and TTLs in ms to fetch; `held` by code."""
        self.plans += 1
        touched = [*evicted, *(code for code, _ in fetched)]
        self._grow(max(touched, default=0) + 1, self.plans + 1)
        free = [code for code in evicted if not held[code]]
        gone = [code for code in free if self._state.slot[code] >= 0]
        for code in gone:
            remove(self._state, code)
        wanted = [(code, ttl) for code, ttl in fetched if not held[code]]
        stored = dear = 0
        for code, ttl in wanted:
            if self._live(code):
                continue
            if not affordable(self._state, self._reads):
                dear += 1
                continue
            store(self._state, code, int(self._state.counts[AT.requests]), self.now + ttl, self.plans + 1)
            self._state.counts[AT.prefetches] += 1
            stored += 1
        self._state.counts[AT.evictions] += len(gone)
        if policy:
            self.policy_number = self.plans
        return Applied(len(gone), stored, len(evicted) - len(free), len(fetched) - len(wanted), dear)

    def live(self, codes: Sequence[int]) -> list[bool]:
        """Which items are cached and not past their TTL."""
        self._grow(max(codes, default=0) + 1, 0)
        return [self._live(code) for code in codes]

    def credit(self, number: int) -> int:
        """First hits on what plan `number` or its rules fetched."""
        return int(self._state.credit[number])

    def _live(self, code: int) -> bool:
        return bool(self._state.slot[code] >= 0 and self._state.expiry[code] > self.now)

    def _measure(self) -> None:
        if self._batches % PROBE_EVERY == 0:
            self.pressure = len(self) / self._capacity
        self._batches += 1

    def _grow(self, items: int, plans: int) -> None:
        old = self._state
        more_items, more_plans = items > len(old.slot), plans > len(old.credit)
        if not (more_items or more_plans):
            return
        wide = blank(max(items, 2 * len(old.slot)) if more_items else len(old.slot), max(plans, 2 * len(old.credit)), 0)
        for name in State._fields:
            was = getattr(old, name)
            getattr(wide, name)[: len(was)] = was
        self._state = wide


def warm_up() -> None:
    """Compile all that a run calls, which takes seconds the first time on a machine and a fraction of one later."""
    cache = SimulatedCache(1, TtlTiers())
    codes = np.arange(3, dtype=np.int32)
    for first in (0, 3):
        cache.serve(codes, np.zeros(3, np.int64), np.zeros(3, np.uint8), first, first)
    cache.apply([2], [(1, 1000)], np.zeros(3, np.bool_), policy=False)
